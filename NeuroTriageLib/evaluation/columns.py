"""One system's answers about one group of types over the exams, as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ..core.codes import ANY
from ..measurements.overlap import dice
from .exam_records import ExamRecord
from .published_mr import BELOW_ML

# Chang 2018, table 1: large > 25 mL, medium 5-25, small 0.01-5, punctate < 0.01; each holds its lower bound (ours),
# only large begins above 25 mL.
SIZE_CLASSES = (
    ("large", math.nextafter(25.0, math.inf), math.inf),
    ("medium", 5.0, math.nextafter(25.0, math.inf)),
    ("small", 0.01, 5.0),
    ("punctate", 0.0, 0.01),
)


@dataclass(frozen=True, eq=False)
class Columns:
    """The exams in which both the truth and the system's answer are known; every array is (N,), NaN where unknown.

    Args:
        present, called: truth and call of the group.
        any_present: truth of any hemorrhage (as present, where it is not known).
        probability: of the group.
        truth_ml, predicted_ml, overlap_ml: volumes of the true mask, the answer's mask and what they share.
        truth_abc2_ml, predicted_abc2_ml: ABC/2 of either mask.
    """

    present: np.ndarray
    called: np.ndarray
    any_present: np.ndarray
    probability: np.ndarray
    truth_ml: np.ndarray
    predicted_ml: np.ndarray
    overlap_ml: np.ndarray
    truth_abc2_ml: np.ndarray
    predicted_abc2_ml: np.ndarray

    @classmethod
    def of(cls, records: Sequence[ExamRecord], system: str, group: str) -> Columns:
        """The columns of the exams that a system answered."""
        used = compared(records, system, group)
        truths = [record.truth[group] for record in used]
        answers = [record.answers[system].groups[group] for record in used]
        any_truths = [record.truth.get(ANY, record.truth[group]) for record in used]
        return cls(
            present=np.array([truth.present for truth in truths], dtype=bool),
            called=np.array([answer.called for answer in answers], dtype=bool),
            any_present=np.array([truth.present for truth in any_truths], dtype=bool),
            probability=_numbers([answer.probability for answer in answers]),
            truth_ml=_numbers([truth.volume_ml for truth in truths]),
            predicted_ml=_numbers([answer.volume_ml for answer in answers]),
            overlap_ml=_numbers([answer.overlap_ml for answer in answers]),
            truth_abc2_ml=_numbers([truth.abc2_ml for truth in truths]),
            predicted_abc2_ml=_numbers([answer.abc2_ml for answer in answers]),
        )

    def where(self, chosen: np.ndarray) -> Columns:
        """The exams for which `chosen` (N,) bool is True."""
        return Columns(**{item.name: getattr(self, item.name)[chosen] for item in fields(self)})

    def __len__(self) -> int:
        return len(self.present)

    @property
    def dice(self) -> np.ndarray:
        """(N,) Dice per exam; NaN where neither mask has a voxel or one is not known."""
        return np.asarray(dice(self.overlap_ml, self.truth_ml, self.predicted_ml))

    @property
    def has_masks(self) -> np.ndarray:
        """(N,) bool, both masks are known."""
        return ~np.isnan(self.overlap_ml)

    def of_size(self, name: str) -> np.ndarray:
        """(N,) bool, the group is truly there and its true volume is of this size class, or below a volume."""
        if name in BELOW_ML:
            with np.errstate(invalid="ignore"):
                return self.present & (self.truth_ml < BELOW_ML[name])
        low, high = next((low, high) for size, low, high in SIZE_CLASSES if size == name)
        with np.errstate(invalid="ignore"):
            return self.present & (self.truth_ml >= low) & (self.truth_ml < high)


def compared(records: Sequence[ExamRecord], system: str, group: str) -> list[ExamRecord]:
    """The exams in which the truth of a group is known and the system answers it."""
    return [
        record
        for record in records
        if group in record.truth and system in record.answers and group in record.answers[system].groups
    ]


def answered_groups(records: Sequence[ExamRecord], system: str, groups: Sequence[str]) -> tuple[str, ...]:
    """Those of the groups that the system answers in at least one exam with known truth."""
    return tuple(group for group in groups if compared(records, system, group))


def mean(values: np.ndarray) -> float:
    """The mean of an array without its NaNs; NaN when nothing is left."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else math.nan


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
