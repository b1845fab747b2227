"""Compares answers with the truth on the exam's own grid, and keeps what the tables need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.codes import ANY, CT_HEMORRHAGE_CODES
from ..core.findings import Reading
from ..core.geometry import SliceGrid
from ..measurements.abc2 import ABC2_CODES, measure_abc2
from ..measurements.components import find_components
from ..measurements.volume import mask_volume_ml
from .exam_records import GROUPS, ExamRecord, GroupAnswer, GroupTruth, SystemAnswer, answering_codes

SLICE_THRESHOLD = 0.5
"""A slice is called from this score on, by a system without masks (Ye 2019, Statistical analysis)."""

SCORE_DIGITS = 5  # of slice scores in a record (ours: ties beyond it mean nothing)


@dataclass(frozen=True, eq=False)
class Labels:
    """A label map and what its values mean.

    Args:
        label_kji: (K, J, I) uint8.
        codes: voxel value -> hemorrhage type, "SDH+EDH", or "any" where the type is not known.
    """

    label_kji: np.ndarray
    codes: Mapping[int, str]

    def mask(self, group: str) -> np.ndarray:
        """(K, J, I) bool, the voxels of a group; for any hemorrhage all that have a code."""
        values = [v for v, code in self.codes.items() if group == ANY or code == group or code in GROUPS[group]]
        wanted = np.zeros(256, dtype=bool)
        wanted[values] = True
        return wanted[self.label_kji]


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true about one exam.

    Args:
        labels: true mask; None when there is none.
        types: the types that the mask would hold if they were there; () when its types are not known.
        present: code -> present, where that is known without a mask or better than by it.
    """

    labels: Labels | None
    types: tuple[str, ...] = CT_HEMORRHAGE_CODES
    present: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Answer:
    """One system's answer in the terms that are compared.

    Args:
        system: catalog key, or "consensus".
        probability: code -> exam probability 0-1, for "any" and each type that it answers.
        called: the codes that it says are present.
        labels: its mask; None when the system draws none or it is not at hand.
        volume_ml: code -> mL, where there is no mask to measure.
        slice_scores: code -> (K,) score of each slice.
        slices: code -> indices k of the slices in which its mask has a voxel, where that is known without the mask.
        seconds: time that it took; None when unknown.
    """

    system: str
    probability: Mapping[str, float]
    called: frozenset[str]
    labels: Labels | None = None
    volume_ml: Mapping[str, float | None] = field(default_factory=dict)
    slice_scores: Mapping[str, np.ndarray] = field(default_factory=dict)
    slices: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    seconds: float | None = None

    @classmethod
    def of_reading(cls, reading: Reading) -> Answer:
        """The answer of a reading: in its mask only types that are present have a type (see Reading.is_untyped)."""
        codes = {
            number: code if reading.is_present(code) else ANY for number, code in enumerate(reading.codes, start=1)
        }
        scores = {code: np.asarray(score) for code, score in reading.slice_probability.items() if len(score)}
        return cls(
            system=reading.system,
            probability=reading.probability,
            called=frozenset(code for code in reading.probability if reading.is_present(code)),
            labels=Labels(reading.label_kji, codes) if reading.segments else None,
            slice_scores=scores,
            seconds=float(sum(reading.timings_s.values())),
        )


@dataclass(frozen=True)
class ExamSource:
    """Names of an exam: its own, the head that it was made from ("" when unknown), and whether it was simulated."""

    exam: str
    anatomy: str = ""
    simulated: bool | None = None
    conditions: dict = field(default_factory=dict)


def record_exam(source: ExamSource, grid: SliceGrid, truth: Truth, answers: Sequence[Answer]) -> ExamRecord:
    """Compare answers with the truth; every mask lies on the grid."""
    spacings = grid.slice_spacings_mm
    return ExamRecord(
        exam=source.exam,
        truth=_truth(truth, grid),
        answers={answer.system: _answer(answer, truth, grid) for answer in answers},
        anatomy=source.anatomy,
        simulated=source.simulated,
        slice_count=grid.shape_kji[0],
        slice_spacing_mm=float(np.median(spacings)) if len(spacings) else grid.slice_thickness_mm,
        tilt_deg=grid.tilt_deg,
        conditions=source.conditions,
    )


def _truth(truth: Truth, grid: SliceGrid) -> dict[str, GroupTruth]:
    known = {}
    for group in GROUPS:
        said = _said(truth.present, group)
        if truth.labels is not None and _mask_covers(truth, group):
            mask = truth.labels.mask(group)
            known[group] = GroupTruth(
                present=bool(mask.any()) if said is None else said,
                volume_ml=mask_volume_ml(mask, grid),
                abc2_ml=_abc2_ml(mask, group, grid),
                slices=_slices(mask),
            )
        elif said is not None:
            known[group] = GroupTruth(present=said)
    return known


def _mask_covers(truth: Truth, group: str) -> bool:
    """True when the true mask says of every voxel whether the group is there."""
    return group == ANY or bool(answering_codes(truth.types, group))


def _said(present: Mapping[str, bool], group: str) -> bool | None:
    """Presence of a group from that of codes; None when it does not follow."""
    if group in present:
        return present[group]
    if present.get(ANY) is False:
        return False
    said = [present.get(code) for code in GROUPS[group]]
    if any(said):
        return True
    return None if None in said else False


def _answer(answer: Answer, truth: Truth, grid: SliceGrid) -> SystemAnswer:
    groups = {}
    for group in GROUPS:
        codes = answering_codes(answer.probability, group)
        if codes:
            groups[group] = _group_answer(answer, group, codes, truth, grid)
    return SystemAnswer(groups, answer.seconds)


def _group_answer(answer: Answer, group: str, codes: tuple[str, ...], truth: Truth, grid: SliceGrid) -> GroupAnswer:
    called = not answer.called.isdisjoint(codes)
    scores = _slice_scores(answer, codes)
    values = {
        "probability": max(answer.probability[code] for code in codes),
        "called": called,
        "slice_scores": None if scores is None else tuple(round(float(score), SCORE_DIGITS) for score in scores),
    }
    if answer.labels is None:
        volumes = [answer.volume_ml.get(code) for code in codes]
        slices = _called_slices(answer, codes, scores, called)
        volume_ml = None if None in volumes else float(sum(v for v in volumes if v is not None))
        return GroupAnswer(volume_ml=volume_ml, called_slices=slices, **values)  # type: ignore[arg-type]
    mask = answer.labels.mask(group)
    overlap_ml = None
    if truth.labels is not None and _mask_covers(truth, group):
        overlap_ml = mask_volume_ml(mask & truth.labels.mask(group), grid)
    return GroupAnswer(
        volume_ml=mask_volume_ml(mask, grid),
        overlap_ml=overlap_ml,
        abc2_ml=_abc2_ml(mask, group, grid),
        called_slices=_slices(mask),
        **values,  # type: ignore[arg-type]
    )


def _slice_scores(answer: Answer, codes: Iterable[str]) -> np.ndarray | None:
    scores = [answer.slice_scores.get(code) for code in codes]
    return None if any(score is None for score in scores) else np.max([s for s in scores if s is not None], axis=0)


def _called_slices(
    answer: Answer, codes: tuple[str, ...], scores: np.ndarray | None, called: bool
) -> tuple[int, ...] | None:
    """Without a mask at hand: the slices that it is known to hold, else those with a high score."""
    if all(code in answer.slices for code in codes):
        return tuple(sorted({k for code in codes for k in answer.slices[code]}))
    if scores is None:
        return None
    return tuple(int(k) for k in np.flatnonzero(scores >= SLICE_THRESHOLD)) if called else ()


def _slices(mask_kji: np.ndarray) -> tuple[int, ...]:
    return tuple(int(k) for k in np.flatnonzero(mask_kji.any(axis=(1, 2))))


def _abc2_ml(mask_kji: np.ndarray, group: str, grid: SliceGrid) -> float | None:
    if group not in ABC2_CODES or not mask_kji.any():
        return None
    return measure_abc2(group, find_components(mask_kji, grid), grid).volume_ml
