"""The whole story: a study goes in, findings with their measurements come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from .core.codes import ANY, CT_HEMORRHAGE_CODES, FINDING_CODES
from .core.errors import ConfigError, ModelError, SeriesSelectionError, UnfamiliarExam
from .core.findings import ExamResult, Familiarity, Finding, QualityFlag, Reading, SeriesJudgement
from .core.geometry import SliceGrid
from .core.mr_images import CONTRASTS
from .core.stage_clock import StageClock, no_progress
from .core.study import Series, Study
from .core.volume import Volume
from .io.inputs import open_input, read_volume
from .measurements.findings import could_not_look, measure
from .mr_pipeline import MrSystem, triage_mr
from .preprocessing.quality import assess
from .series_selection import Selection, select_head_ct
from .series_selection.mr_study_images import MrStudyChoice, choose_mr_study

Progress = Callable[[str, float], None]
"""Called with a stage's name and the share of it that is done (0-1); may raise Cancelled."""


class System(Protocol):
    """What the pipeline needs of a system; see systems/kuo2019.py."""

    @property
    def name(self) -> str:
        """Catalog key."""

    @property
    def device_name(self) -> str:
        """ "cpu" or "cuda: NAME"."""

    def read(self, volume: Volume, *, progress: Progress | None = None) -> Reading:
        """The system's answer on the voxels of the volume."""


@dataclass(frozen=True)
class Readers:
    """What may read an input; called only when the input holds something for it.

    Args:
        ct: gives the system for head CT; None when none is wanted.
        mr: gives the system for brain MRI; likewise.
    """

    ct: Callable[[], System] | None
    mr: Callable[[], MrSystem] | None


@dataclass(frozen=True)
class Choices:
    """What the user chose.

    Args:
        study_uid: which study, when the input holds several that could be read.
        series: SeriesInstanceUID or unique part of a description of the head CT; then nothing else is read.
        roles: MR role -> UID, part of a description, or path of an image file.
        contrasts: of an MRI read these alone (core.mr_images.CONTRASTS); () reads all.
        thresholds: code -> operating point that the readers were given in place of the model's own; it is told.
    """

    study_uid: str | None = None
    series: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    contrasts: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.contrasts) - set(CONTRASTS))
        if unknown:
            raise ConfigError(
                f"No contrast is called {', '.join(unknown)}.",
                where="--contrasts",
                next_step=f"Contrasts: {', '.join(CONTRASTS)}.",
            )


def triage_input(
    path: Path | Sequence[Path],
    readers: Readers,
    choices: Choices | None = None,
    *,
    progress: Progress = no_progress,
    on_series: Callable[[Series], None] | None = None,
) -> tuple[ExamResult, ...]:
    """Read whatever the input holds, head CT, brain MRI or both, and answer it: the CT first, then the MRI's series.

    The input is a folder, an archive or a file, or several files of one study.
    on_series is given every series that is read while its files are there, see triage.

    Raises:
        InputError, DicomError, GeometryError: the input cannot be read.
        SeriesSelectionError: there is neither a non-contrast head CT nor a brain MRI; this is not a negative exam.
        ModelError: there is only a brain MRI, and no model for it is installed.
        ConfigError: several studies and none named, a role that does not exist.
    """
    choices = choices or Choices()
    clock = StageClock(progress)
    with clock.stage("headers"):
        opened = open_input(path)
    name = str(path) if isinstance(path, Path) else f"{len(path)} files"
    with opened as studies:
        studies = _named_study(studies, choices.study_uid)
        ct: tuple[Study, Selection] | SeriesSelectionError
        try:
            if readers.ct is None:
                raise SeriesSelectionError(
                    "The input holds no brain MRI that can be read; the exam was not read and is not negative.",
                    next_step="It needs FLAIR, or ADC and trace-weighted images; name one with --series ROLE=TEXT.",
                )
            ct = choose_study(studies, study_uid=None, series=choices.series)
        except SeriesSelectionError as error:
            ct = error
        mr = None
        if readers.mr is not None and choices.series is None:
            with clock.stage("contrasts"):
                mr = choose_mr(studies, None if isinstance(ct, SeriesSelectionError) else ct[1], choices)
        if isinstance(ct, SeriesSelectionError) and mr is None:
            raise ct
        results: tuple[ExamResult, ...] = ()
        if not isinstance(ct, SeriesSelectionError):
            assert readers.ct is not None
            results = (_telling(_triage_ct(ct, readers.ct, name, clock, on_series), choices.thresholds),)
        if mr is None or readers.mr is None:
            return results
        try:
            with clock.stage("model"):
                system = readers.mr()
        except ModelError as error:
            if not results:
                raise
            flag = QualityFlag("mri_not_read", f"The input also holds a brain MRI, which was not read. {error.what}")
            return (replace(results[0], quality=(flag, *results[0].quality)),)
        if on_series is not None:
            for series in mr.read_series:
                on_series(series)
        answers = triage_mr(mr, system, path=name, clock=StageClock(progress))
        return (*results, *(_telling(answer, choices.thresholds) for answer in answers))


def _telling(result: ExamResult, moved: Mapping[str, float]) -> ExamResult:
    """The result with a flag for each finding whose threshold is the user's."""
    flags = tuple(
        QualityFlag("threshold_moved", f"The user set the threshold of {name.lower()} to {moved[code]:g}.", moved[code])
        for code, name in ((item.code, FINDING_CODES[item.code].name) for item in result.findings)
        if code in moved
    )
    return replace(result, quality=(*flags, *result.quality)) if flags else result


def _triage_ct(
    chosen: tuple[Study, Selection],
    reader: Callable[[], System],
    path: str,
    clock: StageClock,
    on_series: Callable[[Series], None] | None,
) -> ExamResult:
    study, selection = chosen
    assert selection.series is not None
    if on_series is not None:
        on_series(selection.series)
    with clock.stage("model"):
        system = reader()
    with clock.stage("pixels"):
        volume, flags = read_volume(selection.series)
    context = ExamContext(path, study.study_instance_uid, selection.judgements, flags)
    return triage_volume(volume, system, context=context, clock=clock)


def choose_mr(studies: tuple[Study, ...], ct: Selection | None, choices: Choices) -> MrStudyChoice | None:
    """The one study that holds a brain MRI; None when none does. Raises ConfigError for several."""
    read = None if ct is None else ct.series
    able: list[MrStudyChoice] = []
    misnamed: list[ConfigError] = []
    for study in studies:
        other = tuple(item for item in study.series if item is not read)
        if not any(item.modality == "MR" or item.file_format != "dicom" for item in other):
            continue
        try:
            choice = choose_mr_study(replace(study, series=other), choices.roles).limited_to(choices.contrasts)
        except ConfigError as error:  # a series of another study may be meant
            misnamed.append(error)
            continue
        able += [choice] if choice.is_readable else []
    if misnamed and not able:
        raise misnamed[0]
    if len(able) > 1:
        listed = ", ".join(f"{c.study.study_instance_uid} ({c.study.study_date or 'no date'})" for c in able)
        raise ConfigError(
            f"The input holds {len(able)} brain MRI studies.", next_step=f"Name one with --study: {listed}."
        )
    return able[0] if able else None


def triage(
    path: Path,
    system: System,
    *,
    study_uid: str | None = None,
    series: str | None = None,
    progress: Progress = no_progress,
    on_series: Callable[[Series], None] | None = None,
) -> ExamResult:
    """Read a head CT from disk and answer it; triage_input reads MRI as well.

    Args:
        path: folder, zip archive, or image file.
        system: a loaded system (catalog.load_system).
        study_uid: which study, when the input holds several that could be read.
        series: SeriesInstanceUID or a unique part of a description, to overrule the choice.
        progress: hears how far it is.
        on_series: given the chosen series before it is read, while its files are there (a zip is unpacked only until
            this function returns); what it raises ends the run.

    Raises:
        InputError, DicomError, GeometryError: the input cannot be read.
        SeriesSelectionError: nothing in it is a non-contrast head CT; this is not a negative exam.
        ConfigError: several studies and none named.
    """
    clock = StageClock(progress)
    with clock.stage("headers"):
        opened = open_input(path)
    with opened as studies:
        chosen = choose_study(studies, study_uid=study_uid, series=series)
        return _triage_ct(chosen, lambda: system, str(path), clock, on_series)


@dataclass(frozen=True)
class ExamContext:
    """Where a volume came from: what the report says beyond the pixels."""

    input: str
    study_instance_uid: str = ""
    judgements: tuple[SeriesJudgement, ...] = ()
    flags: tuple[QualityFlag, ...] = ()


def triage_volume(
    volume: Volume, system: System, *, context: ExamContext, clock: StageClock | None = None
) -> ExamResult:
    """Answer a volume in memory (the panel's way in). Raises SeriesSelectionError if it is no head CT.

    An exam that is unlike the training exams gives findings that could not be looked at, and no reading.
    """
    clock = clock or StageClock(no_progress)
    with clock.stage("quality"):
        quality = context.flags + assess(volume)
    empty = ExamResult(
        volume=volume,
        input=context.input,
        study_instance_uid=context.study_instance_uid,
        judgements=context.judgements,
        quality=quality,
        readings=(),
        findings=(),
        abc2=(),
        device=system.device_name,
        timings_s=clock.seconds,
    )
    try:
        reading = system.read(volume, progress=clock.progress)
    except UnfamiliarExam as refusal:
        findings = could_not_look(system.name, (ANY, *CT_HEMORRHAGE_CODES), refusal.familiarity.message())
        flags = (*_remarks(refusal.familiarity, {}), *quality)
        return replace(empty, quality=flags, findings=findings, familiarity=refusal.familiarity)
    clock.seconds.update(reading.timings_s)
    with clock.stage("measurements"):
        findings, abc2 = measure(reading, volume.grid)
        opinions = _opinions(reading, findings, volume.grid)
    answer = replace(empty, readings=(reading,), findings=findings, abc2=abc2, opinions=opinions)
    if reading.deliberation is None:
        return answer
    told = reading.deliberation
    return replace(
        answer,
        readings=(replace(reading, deliberation=None), *told.opinions),
        quality=(*_remarks(told.familiarity, told.failures), *quality),
        familiarity=told.familiarity,
    )


def _opinions(reading: Reading, findings: tuple[Finding, ...], grid: SliceGrid) -> tuple[Finding, ...]:
    """What each system said by itself; a single system's opinion is the answer."""
    if reading.deliberation is None:
        return findings
    said = [finding for opinion in reading.deliberation.opinions for finding in measure(opinion, grid)[0]]
    for system, reason in reading.deliberation.failures.items():
        said += could_not_look(system, (ANY,), reason)
    return tuple(said)


def _remarks(familiarity: Familiarity, failures: dict[str, str]) -> tuple[QualityFlag, ...]:
    """What a reader must know about how the answer came about."""
    flags = [QualityFlag("system_failed", f"{system} gave no opinion: {why}") for system, why in failures.items()]
    if not familiarity.is_familiar:
        flags.insert(0, QualityFlag("unfamiliar", familiarity.message(), familiarity.score))
    return tuple(flags)


def _named_study(studies: tuple[Study, ...], study_uid: str | None) -> tuple[Study, ...]:
    """All studies, or the one that the user names. Raises ConfigError."""
    if study_uid is None:
        return studies
    named = tuple(study for study in studies if study.study_instance_uid == study_uid)
    if not named:
        raise ConfigError("No study with this UID is in the input.", where=study_uid)
    return named


def choose_study(studies: tuple[Study, ...], *, study_uid: str | None, series: str | None) -> tuple[Study, Selection]:
    """The one study that holds a suitable series. Raises rather than guess between patients or time points."""
    studies = _named_study(studies, study_uid)
    selections = [(study, select_head_ct(study, override=series)) for study in studies]
    suitable = [(study, selection) for study, selection in selections if selection.series is not None]
    if len(suitable) == 1:
        return suitable[0]
    if suitable:
        listed = ", ".join(f"{study.study_instance_uid} ({study.study_date or 'no date'})" for study, _ in suitable)
        raise ConfigError(
            f"The input holds {len(suitable)} studies with a suitable head CT.",
            next_step=f"Name one with --study: {listed}.",
        )
    if series is not None:  # a series that the user names is read whatever the rules say, so none was named
        listed = ", ".join(f'"{item.description}" ({item.series_instance_uid})' for s in studies for item in s.series)
        raise ConfigError(f'No series in the input is named "{series}".', next_step=f"Name one of: {listed}.")
    reasons = "; ".join(
        f'"{judgement.description or judgement.modality}": {" ".join(judgement.reasons)}'
        for _, selection in selections
        for judgement in selection.judgements
    )
    raise SeriesSelectionError(
        "No series in the input is a non-contrast axial head CT; the exam was not read and is not negative.",
        where=reasons,
        next_step="If one of them is suitable after all, name it with --series.",
    )
