"""One experiment from its protocol to its report: every part is trained, its test patients are read, all is pooled.

Layout of the folder:

    experiment.json         the protocol
    prepared/               exams as training sees them, shared by the parts
    fold-1/ ... or split/   training (checkpoint, curves, model pack), trained.json, tested.jsonl
    report.html             and evaluation.md, evaluation.json, exams.jsonl of all parts together
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..catalog import load_system, systems
from ..core.errors import ConfigError, InputError, OutputError
from ..core.whole_files import write_whole
from ..datasets.case_source import CaseSource
from ..datasets.folds import ListedSplit
from ..evaluation.exam_records import ExamRecord
from ..io.model_packs import load_model_pack
from ..training.processes import is_first_process
from ..training.registry import TRAINED_SYSTEMS
from ..training.training_run import TrainOptions
from .case_reading import HeldOutCase, read_cases
from .protocol import Protocol
from .protocol_data import sources_of
from .simulated_cases import NAME as SIMULATED

PROTOCOL_FILE, TRAINED_FILE, TESTED_FILE = "experiment.json", "trained.json", "tested.jsonl"
Report = Callable[[str], None]


@dataclass(frozen=True)
class ExperimentOptions:
    """What a user decides beside the protocol.

    Args:
        out: folder of the experiment; the same call goes on with what is there.
        device: "auto", "cpu" or "cuda".
        threads: CPU threads; None leaves torch's choice.
    """

    out: Path
    device: str = "auto"
    threads: int | None = None


@dataclass(frozen=True)
class FinishedPart:
    """One fold, or the one part of a split.

    Args:
        name: of its folder.
        split: of the patients.
        pack: manifest of the model that was trained, as plain values; sha256 its weights' hash.
        records: of the exams that were tested.
        left_out: name of a tested exam -> why it could not be used.
        curves: picture of the training; None without matplotlib.
    """

    name: str
    split: ListedSplit
    pack: dict[str, Any]
    sha256: str
    records: tuple[ExamRecord, ...]
    left_out: dict[str, str]
    curves: Path | None


def run_experiment(protocol: Protocol, options: ExperimentOptions, report: Report) -> Path | None:
    """Train, test and report; returns the report. The same call goes on after a kill.

    In processes that torchrun started all train; the first one does the rest, and the others return None.

    Raises:
        ConfigError: the folder holds another experiment, or the protocol asks for what cannot be.
        InputError: data that are not there. OutputError.
    """
    sources = sources_of(protocol, _modality(protocol.system), options.out / "anatomy")
    cases = [HeldOutCase(case, source.name == SIMULATED) for source in sources for case in source.cases()]
    patients = {each.case.patient for each in cases}
    splits = {name: protocol.split.split(n, patients) for n, name in enumerate(protocol.split.names(), start=1)}
    if is_first_process():
        # Last of all checks: a folder without a run is free for a corrected protocol.
        _claim(options.out, protocol, patients)
    parts = []
    for name, split in splits.items():
        report(f"{name}: {_sizes(split)}")
        folder = options.out / name
        pack = _trained(protocol, sources, split, folder, options, report)
        if not is_first_process():
            continue
        tested = [each for each in cases if split.part_of(each.case.patient) == "test"]
        parts.append(_tested(protocol, tested, split, folder, pack, options, report))
    if not is_first_process():
        return None
    from .experiment_report import write_report

    return write_report(protocol, sources, parts, options.out)


def _modality(system: str) -> str:
    entries = {entry.name: entry for entry in systems() if entry.name in TRAINED_SYSTEMS}
    if system not in entries:
        raise ConfigError(f"A protocol's system is one of {', '.join(entries)}.", where=system)
    return entries[system].modality


def _claim(out: Path, protocol: Protocol, patients: Iterable[str]) -> None:
    """Write the protocol into the folder, with a hash of the patients whom its parts divide.

    Raises ConfigError when it holds another one or other patients were divided: a patient whom a finished part has
    learned from could be one that it is tested on now. OutputError.
    """
    digest = hashlib.sha256("\n".join(sorted(patients)).encode()).hexdigest()
    path, text = out / PROTOCOL_FILE, json.dumps(protocol.to_json() | {"patients_sha256": digest}, indent=1) + "\n"
    try:
        there = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        if there is not None and _deeds(there) != _deeds(json.loads(text)):
            raise ConfigError(
                "The folder holds another experiment.", where=str(out), next_step="Choose another folder."
            )
        if there is not None and there.get("patients_sha256", digest) != digest:
            raise ConfigError(
                "The data hold other patients than when the experiment began.",
                where=str(out),
                next_step="Put them back as they were, or begin anew in another folder.",
            )
        out.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except (OSError, ValueError) as error:
        raise OutputError("The experiment's folder cannot be used.", where=str(out)) from error


def _deeds(protocol: dict[str, Any]) -> dict[str, Any]:
    """A protocol without its words, which may change."""
    return {name: value for name, value in protocol.items() if name not in ("title", "notes", "patients_sha256")}


def _trained(
    protocol: Protocol,
    sources: tuple[CaseSource, ...],
    split: ListedSplit,
    folder: Path,
    options: ExperimentOptions,
    report: Report,
) -> Path:
    """The model pack of a part; trained unless that is done."""
    done = folder / TRAINED_FILE
    if done.exists():
        return folder / str(json.loads(done.read_text(encoding="utf-8"))["pack"])
    rule = protocol.training
    pack = TRAINED_SYSTEMS[protocol.system]()(
        TrainOptions(
            simulate=None,
            out=folder,
            variant=rule.variant,
            minutes=rule.minutes,
            device=options.device,
            threads=options.threads,
            sources=sources,
            split=split,
            start=None if rule.start is None else protocol.place(rule.start),
            seed=rule.seed,
            prepared=options.out / "prepared",
        ),
        report,
    )
    if is_first_process():
        write_whole(done, json.dumps({"pack": pack.name}).encode())
    return pack


def _tested(
    protocol: Protocol,
    cases: Sequence[HeldOutCase],
    split: ListedSplit,
    folder: Path,
    pack: Path,
    options: ExperimentOptions,
    report: Report,
) -> FinishedPart:
    both = protocol.optional_contrasts == "both"
    records, left_out = read_cases(
        cases, lambda: load_system(pack=pack, device=options.device), folder / TESTED_FILE, report, both=both
    )
    if not records:
        raise InputError(
            "None of the test exams could be used.", where=str(folder), next_step="; ".join(set(left_out.values()))
        )
    loaded, curves = load_model_pack(pack), folder / "curves.svg"
    manifest, identity = loaded.manifest.to_json(), loaded.identity
    return FinishedPart(
        folder.name, split, manifest, identity.sha256, records, left_out, curves if curves.exists() else None
    )


def _sizes(split: ListedSplit) -> str:
    patients = split.to_json()["patients"]
    return f"{patients['train']} patients train, {patients['validation']} validate, {patients['test']} are tested"
