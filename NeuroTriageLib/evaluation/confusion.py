"""Right and wrong calls, and every figure that follows from them, for one sample or many bootstrap draws at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .metrics import Estimate, percentile_interval

Count = float | np.ndarray


@dataclass(frozen=True, eq=False)
class Confusion:
    """How many cases (or how much weight) fell into each cell; floats, or (R,) arrays with one value per draw.

    Every figure is NaN where its denominator is zero.
    """

    true_positive: Count
    false_negative: Count
    true_negative: Count
    false_positive: Count

    @classmethod
    def of(cls, called: np.ndarray, positive: np.ndarray, weight_rn: np.ndarray | None = None) -> Confusion:
        """Count (N,) calls against (N,) truth; with weights (R, N), one confusion per draw."""
        cells = confusion_cells(called, positive)
        if weight_rn is None:
            return cls(*(float(cell.sum()) for cell in cells))
        return cls(*(weight_rn @ cell.astype(np.float64) for cell in cells))

    def balanced(self) -> Confusion:
        """The same calls with positives and negatives weighing one half each, as in a balanced data set.

        This is what drawing as many negatives as positives gives on average, without its chance.
        """
        positives, negatives = self.true_positive + self.false_negative, self.true_negative + self.false_positive
        return Confusion(
            _ratio(self.true_positive, 2 * positives),
            _ratio(self.false_negative, 2 * positives),
            _ratio(self.true_negative, 2 * negatives),
            _ratio(self.false_positive, 2 * negatives),
        )

    @property
    def accuracy(self) -> Count:
        """Share of all cases that are called rightly."""
        right = self.true_positive + self.true_negative
        return _ratio(right, right + self.false_positive + self.false_negative)

    @property
    def sensitivity(self) -> Count:
        """Share of the positives that are called."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> Count:
        """Share of the negatives that are not called."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def ppv(self) -> Count:
        """Positive predictive value: share of the called that are positive."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def npv(self) -> Count:
        """Negative predictive value: share of the not called that are negative."""
        return _ratio(self.true_negative, self.true_negative + self.false_negative)

    @property
    def f1(self) -> Count:
        """Harmonic mean of sensitivity and PPV."""
        return _ratio(2 * self.true_positive, 2 * self.true_positive + self.false_positive + self.false_negative)


def confusion_cells(called: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, ...]:
    """(N,) bool each: true positive, false negative, true negative, false positive."""
    called, positive = np.asarray(called, dtype=bool), np.asarray(positive, dtype=bool)
    return called & positive, ~called & positive, ~called & ~positive, called & ~positive


CONFUSION_FIGURES = {
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "PPV": "ppv",
    "NPV": "npv",
    "F1": "f1",
}
"""A figure's name in the tables -> the property of Confusion."""


def estimates(confusion: Confusion, drawn: Confusion) -> dict[str, Estimate]:
    """Each figure of CONFUSION_FIGURES with the interval of its bootstrap draws."""
    return {
        name: percentile_interval(float(getattr(confusion, key)), np.atleast_1d(getattr(drawn, key)))
        for name, key in CONFUSION_FIGURES.items()
    }


def _ratio(part: Count, whole: Count) -> Count:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        result = np.where(whole > 0, part / whole, np.nan)
    return float(result) if result.ndim == 0 else result
