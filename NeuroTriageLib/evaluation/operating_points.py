"""The ROC curve and the thresholds that the papers choose on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Sensitivity and specificity at every threshold that changes a call, from strict to lenient.

    Args:
        threshold: (T,) falling; a case is called when its score is at least this. The first is above every score.
        sensitivity, specificity: (T,) 0-1.
    """

    threshold: np.ndarray
    sensitivity: np.ndarray
    specificity: np.ndarray


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it gives."""

    threshold: float
    sensitivity: float
    specificity: float


def roc_curve(score: np.ndarray, positive: np.ndarray) -> RocCurve | None:
    """The curve of (N,) scores against (N,) truth; None without both positives and negatives."""
    score, positive = np.asarray(score, dtype=np.float64), np.asarray(positive, dtype=bool)
    if positive.all() or not positive.any():
        return None
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    hits = np.cumsum(positive[order])[last_of_tie]
    called = last_of_tie + 1
    return RocCurve(
        threshold=np.append(np.inf, score[order][last_of_tie]),
        sensitivity=np.append(0.0, hits / positive.sum()),
        specificity=np.append(1.0, 1.0 - (called - hits) / (~positive).sum()),
    )


def highest_sum(curve: RocCurve) -> OperatingPoint:
    """The point with the highest sensitivity + specificity (Youden 1950; Nael 2021); the stricter of equals."""
    return _point(curve, int(np.argmax(curve.sensitivity + curve.specificity)))


def full_sensitivity(curve: RocCurve) -> OperatingPoint:
    """The point with the highest specificity at which no positive is missed (Kuo 2019, figure 1)."""
    return _point(curve, int(np.argmax(curve.sensitivity >= 1.0)))


def _point(curve: RocCurve, at: int) -> OperatingPoint:
    return OperatingPoint(float(curve.threshold[at]), float(curve.sensitivity[at]), float(curve.specificity[at]))
