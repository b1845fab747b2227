"""Calibrated probabilities and operating points from the scores of validation exams."""

from __future__ import annotations

import numpy as np

from ..core.probability import log_odds, sigmoid
from ..io.model_packs import RAW_MARGIN, Calibration


def fit_platt(score: np.ndarray, present: np.ndarray) -> Calibration:
    """Slope and intercept on the logit of the score (Platt 1999, with his smoothed targets).

    The identity when only one class is there, or when higher scores do not go with more positives.
    """
    x, present = log_odds(score, RAW_MARGIN), np.asarray(present, dtype=bool)
    positives, negatives = int(present.sum()), int((~present).sum())
    if not positives or not negatives:
        return Calibration()
    target = np.where(present, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.stack([x, np.ones_like(x)], axis=1)
    weights = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
    for _ in range(100):
        p = sigmoid(design @ weights)
        gradient = design.T @ (p - target)
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        weights -= step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    slope, intercept = float(weights[0]), float(weights[1])
    return Calibration(slope, intercept) if slope > 0 and np.isfinite([slope, intercept]).all() else Calibration()


def operating_point(probability: np.ndarray, present: np.ndarray) -> float:
    """The threshold with the largest sensitivity + specificity; half-way between the scores that it separates.

    0.5 when only one class is there.
    """
    probability, present = np.asarray(probability, dtype=np.float64), np.asarray(present, dtype=bool)
    if present.all() or not present.any():
        return 0.5
    values = np.unique(probability)
    candidates = np.concatenate([[values[0] / 2], (values[1:] + values[:-1]) / 2, [(values[-1] + 1) / 2]])
    positive, negative = np.sort(probability[present]), np.sort(probability[~present])
    sensitivity = 1 - np.searchsorted(positive, candidates) / len(positive)
    specificity = np.searchsorted(negative, candidates) / len(negative)
    youden = sensitivity + specificity
    best = np.flatnonzero(youden >= youden.max() - 1e-12)
    return float(candidates[best[len(best) // 2]])


def area_under_curve(score: np.ndarray, present: np.ndarray) -> float:
    """Area under the ROC curve (ties count half); NaN when only one class is there."""
    score, present = np.asarray(score, dtype=np.float64), np.asarray(present, dtype=bool)
    positives, negatives = int(present.sum()), int((~present).sum())
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((rank[present].sum() - positives * (positives + 1) / 2) / (positives * negatives))
