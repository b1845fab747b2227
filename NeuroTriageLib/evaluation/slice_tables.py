"""Slice by slice: on which slices is it? (Ye 2019, supplementary table 4.)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import metrics
from .columns import answered_groups, compared
from .confusion import Confusion, confusion_cells, estimates
from .exam_records import GROUPS, ExamRecord
from .metrics import Estimate
from .table import Cell, Table

SLICE_FIGURES = ("accuracy", "AUC", "sensitivity", "specificity", "F1")

# Draws for the interval of the slices' AUC, fewer than for exams because there are some fifty times as many (ours).
AUC_RESAMPLES = 200
VALUES_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
class SliceColumns:
    """Slices of the exams in which truth and answer are known slice by slice.

    Args:
        present, called: (S,) bool truth and call of each slice.
        score: (S,) score of each slice; None when an exam has none.
        exam: (S,) number of the slice's exam.
        exams: number of exams.
    """

    present: np.ndarray
    called: np.ndarray
    score: np.ndarray | None
    exam: np.ndarray
    exams: int

    @classmethod
    def of(cls, records: Sequence[ExamRecord], system: str, group: str, *, positive_only: bool) -> SliceColumns:
        """The slices of a system's answers; positive_only: of exams with hemorrhage, as Ye 2019 tells types apart."""
        used = [
            record
            for record in compared(records, system, group)
            if record.truth[group].slices is not None
            and record.answers[system].groups[group].called_slices is not None
            and (not positive_only or record.truth.get("any", record.truth[group]).present)
        ]
        answers = [record.answers[system].groups[group] for record in used]
        counts = [record.slice_count for record in used]
        scores = [answer.slice_scores for answer in answers if answer.slice_scores is not None]
        return cls(
            present=_marked([record.truth[group].slices or () for record in used], counts),
            called=_marked([answer.called_slices or () for answer in answers], counts),
            score=np.concatenate([np.asarray(s) for s in scores]) if used and len(scores) == len(used) else None,
            exam=np.repeat(np.arange(len(used)), counts),
            exams=len(used),
        )


def by_slice(records: Sequence[ExamRecord], system: str) -> Table:
    """Slice-level figures of each type; their intervals draw whole exams, since neighbouring slices are alike."""
    rows: list[tuple[Cell, ...]] = []
    for group in answered_groups(records, system, tuple(GROUPS)):
        c = SliceColumns.of(records, system, group, positive_only=group != "any")
        if c.exams:
            rows.append((group, c.exams, len(c.present), int(c.present.sum()), *slice_figures(c).values()))
    return Table(
        "On which slices?",
        ("finding", "exams", "slices", "with it", *SLICE_FIGURES),
        tuple(rows),
        "Slice level; types only in exams with hemorrhage, as Ye 2019 does (supplementary table 4). A slice is truly "
        "positive when the true mask has a voxel there. It is called when the answer's mask has one; by a system "
        "without masks from a slice score of 0.5 on, in exams that it calls. Intervals draw whole exams.",
    )


def slice_figures(c: SliceColumns) -> dict[str, Estimate]:
    """SLICE_FIGURES with their intervals."""
    weights = metrics.bootstrap_weights(c.exams)
    cells = confusion_cells(c.called, c.present)
    drawn = Confusion(*(weights @ np.bincount(c.exam[cell], minlength=c.exams) for cell in cells))
    result = estimates(Confusion.of(c.called, c.present), drawn)
    result["AUC"] = _area(c)
    return {name: result[name] for name in SLICE_FIGURES}


def _area(c: SliceColumns) -> Estimate:
    if c.score is None:
        return Estimate(float("nan"))
    value = metrics.auc(c.score, c.present)
    weights = metrics.bootstrap_weights(c.exams, resamples=AUC_RESAMPLES)
    at_once = max(1, VALUES_AT_ONCE // len(c.exam))
    drawn = [
        metrics.weighted_auc(c.score, c.present, weights[first : first + at_once][:, c.exam])
        for first in range(0, AUC_RESAMPLES, at_once)
    ]
    return metrics.percentile_interval(value, np.concatenate(drawn))


def _marked(indices: Sequence[tuple[int, ...]], counts: Sequence[int]) -> np.ndarray:
    """(S,) bool over the slices of all exams, True at the given indices of each."""
    parts = []
    for marked, count in zip(indices, counts, strict=True):
        part = np.zeros(count, dtype=bool)
        part[list(marked)] = True
        parts.append(part)
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)
