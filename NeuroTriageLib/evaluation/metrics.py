"""Figures of merit over exams, in numpy, with bootstrap intervals: each undefined one is NaN, never a guess."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BOOTSTRAP_RESAMPLES = 1000
INTERVAL_LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval; NaN bounds when it has none."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve: how often a positive exam scores above a negative one, ties counting half.

    Args:
        score: (N,) any monotone score.
        positive: (N,) bool truth.

    Returns:
        0-1, NaN without both positives and negatives.
    """
    positive = np.asarray(positive, dtype=bool)
    count_positive, count_negative = int(positive.sum()), int((~positive).sum())
    if not count_positive or not count_negative:
        return float("nan")
    rank_sum = midranks(np.asarray(score, dtype=np.float64))[positive].sum()
    return float((rank_sum - count_positive * (count_positive + 1) / 2) / (count_positive * count_negative))


def midranks(values: np.ndarray) -> np.ndarray:
    """(N,) ranks from 1, equal values sharing the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def share(selected: np.ndarray, of: np.ndarray) -> float:
    """Share of the exams `of` that are `selected` too (both (N,) bool); NaN when `of` is empty."""
    of = np.asarray(of, dtype=bool)
    return float(np.asarray(selected, dtype=bool)[of].mean()) if of.any() else float("nan")


def sensitivity(called: np.ndarray, positive: np.ndarray) -> float:
    """Share of the positive exams that are called."""
    return share(called, positive)


def specificity(called: np.ndarray, positive: np.ndarray) -> float:
    """Share of the negative exams that are not called."""
    return share(~np.asarray(called, dtype=bool), ~np.asarray(positive, dtype=bool))


def accuracy(called: np.ndarray, positive: np.ndarray) -> float:
    """Share of all exams that are called rightly."""
    right = np.asarray(called, dtype=bool) == np.asarray(positive, dtype=bool)
    return float(right.mean()) if right.size else float("nan")


def dice(overlap: np.ndarray | float, truth: np.ndarray | float, predicted: np.ndarray | float) -> np.ndarray | float:
    """2 |A and B| / (|A| + |B|) from sizes in any one unit; NaN where both are empty."""
    total = np.asarray(truth, dtype=np.float64) + predicted
    with np.errstate(invalid="ignore", divide="ignore"):
        result = np.where(total > 0, 2.0 * np.asarray(overlap, dtype=np.float64) / total, np.nan)
    return float(result) if result.ndim == 0 else result


def pearson_r(x: np.ndarray, y: np.ndarray) -> float:
    """Correlation of two samples; NaN for fewer than three pairs or a constant sample."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def bias(measured: np.ndarray, truth: np.ndarray) -> float:
    """Mean of measured - truth (Bland and Altman 1986); NaN without exams."""
    difference = np.asarray(measured, dtype=np.float64) - truth
    return float(difference.mean()) if difference.size else float("nan")


def limits_of_agreement(measured: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Bias -/+ 1.96 standard deviations of measured - truth (Bland and Altman 1986); NaN for fewer than two exams."""
    difference = np.asarray(measured, dtype=np.float64) - truth
    if difference.size < 2:
        return float("nan"), float("nan")
    reach = 1.96 * float(difference.std(ddof=1))
    return float(difference.mean()) - reach, float(difference.mean()) + reach


def bootstrap(
    statistic: Callable[..., float], *samples: np.ndarray, resamples: int = BOOTSTRAP_RESAMPLES, seed: int = 0
) -> Estimate:
    """The statistic and its 95 % percentile interval, exams drawn with replacement (Efron 1979).

    Args:
        statistic: takes as many (N,) arrays as there are samples.
        samples: (N,) arrays, one value per exam; an exam's values are drawn together.
        resamples: number of draws; those in which the statistic is undefined are left out.
        seed: makes the interval repeatable.
    """
    value = float(statistic(*samples))
    count = len(samples[0])
    if count < 2 or np.isnan(value):
        return Estimate(value)
    drawn = np.random.default_rng(seed).integers(0, count, size=(resamples, count))
    values = np.array([statistic(*(sample[index] for sample in samples)) for index in drawn])
    values = values[~np.isnan(values)]
    if not len(values):
        return Estimate(value)
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))
