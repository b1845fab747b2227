"""Lets two models read the same held-out exams, and puts the answers side by side."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from ..core.codes import ANY, MR_CODES
from ..core.errors import ConfigError, InputError, SeriesSelectionError
from ..core.findings import Reading
from ..core.mr_images import MrImage
from ..core.study_reading import StudyReading
from ..core.volume import Volume
from ..datasets.labelled_case import Case, Labelled, LabelledMr
from ..evaluation.comparison import Answer, ExamSource, record_exam
from ..evaluation.exam_records import ExamRecord, GroupAnswer, append_record, read_records
from ..evaluation.study_records import record_study
from ..evaluation.truth_folders import truth_of_case
from ..io.model_packs import ModelPack, PackManifest, pack_digest
from ..measurements.overlap import dice
from .figures import HEADLINES, PairedFigure, paired_figures
from .held_out import SIMULATED, HeldOut
from .verdict import Verdict, verdict_of

OLD, NEW, READER = "old", "new", "present reader"
Progress = Callable[[str, float], None]


class Model(Protocol):
    """A loaded system (catalog.load_system); it has one of the two methods."""

    name: str
    pack: ModelPack

    def read(self, volume: Volume) -> Reading:
        """The answer for a head CT. Raises SeriesSelectionError when it could not look."""

    def read_study(self, images: Mapping[str, MrImage]) -> StudyReading:
        """The answer for a brain MRI."""


@dataclass(frozen=True)
class ComparedSet:
    """One set of exams with all answers.

    Args:
        name: of the set.
        records, patients: of each exam.
        left_out: exam -> why it could not be compared.
    """

    name: str
    records: tuple[ExamRecord, ...]
    patients: tuple[str, ...]
    left_out: Mapping[str, str]

    def figures(self, against: str = OLD) -> tuple[PairedFigure, ...]:
        """The new model beside another."""
        return paired_figures(self.records, self.patients, against, NEW)


@dataclass(frozen=True)
class Comparison:
    """What is shown before a model is accepted, and kept with its acceptance.

    Args:
        models: OLD, NEW and, where another system reads by default now, READER -> the model's pack.json.
        sets: the exams.
        when_utc: time.
    """

    models: Mapping[str, PackManifest]
    sets: tuple[ComparedSet, ...]
    when_utc: str

    @property
    def verdict(self) -> Verdict:
        """The new model against the old one."""
        return verdict_of({each.name: each.figures() for each in self.sets if each.records})

    def beside_reader(self) -> dict[str, tuple[PairedFigure, ...]]:
        """The new model against what reads by default now, by set; {} when that is the old model itself."""
        return {each.name: each.figures(READER) for each in self.sets} if READER in self.models else {}

    def summary(self) -> dict[str, Any]:
        """Plain values without the exams: what the history keeps."""
        return {
            "when_utc": self.when_utc,
            **{name.replace(" ", "_"): identity(manifest) for name, manifest in self.models.items()},
            "sets": {
                each.name: {
                    "exams": len(each.records),
                    "patients": len(set(each.patients)),
                    "left_out": len(each.left_out),
                    "figures": [figure.to_json() for figure in each.figures()],
                }
                for each in self.sets
            },
            "beside_present_reader": {
                name: [figure.to_json() for figure in figures if figure.code in HEADLINES]
                for name, figures in self.beside_reader().items()
            },
            "verdict": list(self.verdict.lines),
            "advice": self.verdict.advice,
        }

    def to_json(self) -> dict[str, Any]:
        """Everything, exam by exam too."""
        exams = {each.name: [exam_row(record, tuple(self.models)) for record in each.records] for each in self.sets}
        return self.summary() | {"exams": exams, "left_out": {each.name: dict(each.left_out) for each in self.sets}}


def compare_models(
    models: Mapping[str, Model], sets: Sequence[HeldOut], progress: Progress, *, keep_in: Path | None = None
) -> Comparison:
    """Let the models (OLD, NEW, perhaps READER) read every exam of the sets.

    keep_in: folder in which each exam's answers are kept as soon as it is read, so that the same call goes on after a
        kill; None keeps nothing.

    Raises:
        ConfigError: old and new are the same model, or read other things. Cancelled: from progress.
    """
    manifests = {name: model.pack.manifest for name, model in models.items()}
    if pack_digest(manifests[OLD]) == pack_digest(manifests[NEW]):
        raise ConfigError("The old and the new model are the same.", where=manifests[NEW].name)
    if manifests[OLD].system != manifests[NEW].system:
        raise ConfigError(
            f"A model of {manifests[NEW].system} takes the place of one of the same system, "
            f"not of {manifests[OLD].system}."
        )
    total = sum(len(each.cases) for each in sets)
    done, compared = 0, []
    for held_out in sets:
        records, patients, left_out = [], [], {}
        kept = None if keep_in is None else _records_file(keep_in, held_out.name, manifests)
        known = {} if kept is None else {record.exam: record for record in read_records(kept)}
        for case in held_out.cases:
            progress("comparing", done / max(1, total))
            done += 1
            try:
                record = known.get(case.name) or _record(case, models, held_out.name == SIMULATED)
                if kept is not None and case.name not in known:
                    append_record(record, kept)
                records.append(record)
                patients.append(case.patient)
            except (InputError, SeriesSelectionError) as error:
                left_out[case.name] = error.what
        compared.append(ComparedSet(held_out.name, tuple(records), tuple(patients), left_out))
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Comparison(manifests, tuple(compared), when)


def _records_file(folder: Path, name: str, manifests: Mapping[str, PackManifest]) -> Path:
    """Where the answers of these models on a set are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    models = "-".join(pack_digest(manifest)[:8] for manifest in manifests.values())
    return folder / f"{name.replace(' ', '_')}-{models}.jsonl"


def _record(case: Case, models: Mapping[str, Model], simulated: bool) -> ExamRecord:
    """One exam read by every model; one that could not look has no answer, which is no negative."""
    known: Labelled = case.read()
    if isinstance(known, LabelledMr):
        told = {name: model.read_study(known.images) for name, model in models.items()}
        return record_study(case.name, known, told, simulated=simulated)
    answers = []
    for name, model in models.items():
        try:
            answers.append(dataclasses.replace(Answer.of_reading(model.read(known.volume)), system=name))
        except SeriesSelectionError:
            continue
    source = ExamSource(case.name, simulated=simulated)
    return record_exam(source, known.volume.grid, truth_of_case(known, known.volume.grid), answers)


def identity(manifest: PackManifest) -> dict[str, str]:
    """What names a model for good."""
    return {
        "system": manifest.system,
        "name": manifest.name,
        "version": manifest.version,
        "digest": pack_digest(manifest),
    }


def exam_row(record: ExamRecord, models: Sequence[str]) -> dict[str, Any]:
    """One exam: what is true of a finding, and each model's probability, call, mL and Dice.

    The finding is any hemorrhage; of a brain MRI the one on which the models' probabilities are farthest apart.
    """
    finding = ANY if ANY in record.truth else max(MR_CODES, key=lambda code: _apart(record, code, models))
    truth = record.truth.get(finding)
    types = [code for code, each in record.truth.items() if each.present and "+" not in code and code != ANY]
    row: dict[str, Any] = {
        "exam": record.exam, "finding": finding, "present": truth and truth.present, "types": types
    }  # fmt: skip
    row["truth_ml"] = None if truth is None or truth.volume_ml is None else round(truth.volume_ml, 2)
    for name in models:
        answer = _group(record, finding, name)
        row[name] = None if answer is None else _answer_row(answer, row["truth_ml"])
    return row


def _group(record: ExamRecord, finding: str, model: str) -> GroupAnswer | None:
    return record.answers[model].groups.get(finding) if model in record.answers else None


def _apart(record: ExamRecord, finding: str, models: Sequence[str]) -> float:
    """Between the highest and the lowest probability; -1 when nobody answered."""
    said = [answer.probability for name in models if (answer := _group(record, finding, name)) is not None]
    return max(said) - min(said) if said else -1.0


def _answer_row(answer: GroupAnswer, truth_ml: float | None) -> dict[str, Any]:
    score = None
    if answer.overlap_ml is not None and answer.volume_ml is not None and truth_ml is not None:
        score = round(float(dice(answer.overlap_ml, truth_ml, answer.volume_ml)), 3)
        score = None if math.isnan(score) else score
    ml = None if answer.volume_ml is None else round(answer.volume_ml, 2)
    return {"probability": round(answer.probability, 3), "called": answer.called, "volume_ml": ml, "dice": score}
