"""Which series of a study is the non-contrast axial head CT, and why each of the others is not."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import ConfigError
from ..core.findings import SeriesJudgement
from ..core.study import Series, Study
from ..io.image_files import ct_evidence
from .evidence import SeriesEvidence, evidence_of
from .rules import points, reasons_against, reasons_for


@dataclass(frozen=True)
class Selection:
    """The answer: the series to read (None is an answer too) and a judgement on every series of the study."""

    series: Series | None
    judgements: tuple[SeriesJudgement, ...]


def matching_series(study: Study, override: str) -> tuple[Series, ...]:
    """The series that a user means by a SeriesInstanceUID or by a part of the description (any case)."""
    by_uid = tuple(item for item in study.series if item.series_instance_uid == override)
    return by_uid or tuple(item for item in study.series if override.lower() in item.description.lower())


def select_head_ct(study: Study, *, override: str | None = None) -> Selection:
    """Choose the non-contrast axial head CT in a soft kernel, or none, with reasons.

    Args:
        study: headers of one study; for NIfTI and NRRD the values are looked at too.
        override: SeriesInstanceUID or unique part of a description: the user's choice, read whatever the rules say.

    Raises:
        ConfigError: the override fits several series, or several image files without headers would do.
        InputError: the study is one image file whose voxels cannot be read.
    """
    evidence = evidence_of(study.series)
    against = [reasons_against(it) for it in evidence]
    if override is not None:
        return _overruled(study, override, against)
    suitable = [index for index, reasons in enumerate(against) if not reasons]
    if not suitable:
        if len(study.series) == 1 and study.series[0].file_format != "dicom":
            ct_evidence(study.series[0])  # a damaged file is an unreadable input, not an unsuitable series
        return Selection(None, tuple(_judge(item, False, r) for item, r in zip(study.series, against, strict=True)))
    files = [study.series[index].description for index in suitable if study.series[index].file_format != "dicom"]
    if len(files) > 1:
        raise ConfigError(
            f"{len(files)} image files in one folder could be the head CT ({', '.join(files)}).",
            next_step="Name one of them, as the input or with --series.",
        )
    best = max(suitable, key=lambda index: (points(evidence[index]), index))
    return Selection(
        study.series[best],
        tuple(_judge_chosen_or_not(index, best, evidence, against) for index in range(len(evidence))),
    )


def _judge_chosen_or_not(
    index: int, best: int, evidence: list[SeriesEvidence], against: list[tuple[str, ...]]
) -> SeriesJudgement:
    it = evidence[index]
    if index == best:
        return _judge(it.series, True, reasons_for(it))
    if against[index]:
        return _judge(it.series, False, against[index])
    better = [sentence for sentence in reasons_for(evidence[best]) if sentence not in reasons_for(it)]
    name = evidence[best].series.description or evidence[best].series.series_instance_uid
    why = " ".join(better) or "It was made later or has no disadvantage."
    return _judge(it.series, False, (f'It is suitable too, but "{name}" was preferred: {why}',))


def _overruled(study: Study, override: str, against: list[tuple[str, ...]]) -> Selection:
    named = matching_series(study, override)
    if len({item.series_instance_uid for item in named}) > 1:
        listed = ", ".join(f'"{item.description}" ({item.series_instance_uid})' for item in named)
        raise ConfigError(f'"{override}" fits {len(named)} series: {listed}.', next_step="Name one by its UID.")
    # Of several stacks under one UID the one with the fewest reasons against it, then the largest (they come first).
    chosen = min(named, key=lambda item: len(against[study.series.index(item)]), default=None)
    judgements = []
    for item, reasons in zip(study.series, against, strict=True):
        if item is chosen:
            reasons = ("Chosen by the user.", *(f"The rules speak against it: {reason}" for reason in reasons))
        else:
            reasons = (f'The user named "{override}", not this series.', *reasons)
        judgements.append(_judge(item, item is chosen, reasons))
    return Selection(chosen, tuple(judgements))


def _judge(series: Series, chosen: bool, reasons: tuple[str, ...]) -> SeriesJudgement:
    count = series.header.get("NumberOfFrames", 1) if series.file_format != "dicom" else len(series.instances)
    return SeriesJudgement(
        series_instance_uid=series.series_instance_uid,
        description=series.description,
        modality=series.modality,
        instance_count=count,
        chosen=chosen,
        reasons=reasons,
    )
