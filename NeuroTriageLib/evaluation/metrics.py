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


def weighted_auc(score: np.ndarray, positive: np.ndarray, weight_rn: np.ndarray) -> np.ndarray:
    """(R,) areas of the same (N,) scores and truth under R sets of weights (R, N), ties counting half; NaN as auc."""
    positive = np.asarray(positive, dtype=bool)
    _, place = np.unique(np.asarray(score, dtype=np.float64), return_inverse=True)
    order = np.argsort(place, kind="stable")
    first_of_tie = np.flatnonzero(np.diff(place[order], prepend=-1))
    sums = [np.add.reduceat(weight_rn[:, order] * kind[order], first_of_tie, axis=1) for kind in (positive, ~positive)]
    positives, negatives = sums  # (R, U) weight at each of the U scores, rising
    below = np.cumsum(negatives, axis=1) - negatives / 2.0
    pairs = positives.sum(1) * negatives.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, (positives * below).sum(1) / pairs, np.nan)


def midranks(values: np.ndarray) -> np.ndarray:
    """(N,) ranks from 1, equal values sharing the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


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


def percent_bias(measured: np.ndarray, truth: np.ndarray) -> float:
    """100 x the mean of measured - truth over the mean of the truth; NaN without exams."""
    truth = np.asarray(truth, dtype=np.float64)
    return 100.0 * bias(measured, truth) / float(truth.mean()) if truth.size and truth.mean() else float("nan")


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
    drawn = _draws(count, resamples, seed)
    return percentile_interval(value, np.array([statistic(*(sample[index] for sample in samples)) for index in drawn]))


def bootstrap_weights(count: int, *, resamples: int = BOOTSTRAP_RESAMPLES, seed: int = 0) -> np.ndarray:
    """(resamples, count) float: how often each exam is drawn; the draws are those of bootstrap with this seed.

    A figure that can be computed from weights takes all draws at once, a hundred times faster than one by one.
    """
    drawn = _draws(count, resamples, seed)
    at = drawn + count * np.arange(resamples)[:, None]
    return np.bincount(at.ravel(), minlength=resamples * count).reshape(resamples, count).astype(np.float64)


def percentile_interval(value: float, drawn: np.ndarray) -> Estimate:
    """A figure with the 95 % percentile interval of its bootstrap draws (R,), undefined ones left out."""
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < 2 or np.isnan(value):
        return Estimate(value)
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def _draws(count: int, resamples: int, seed: int) -> np.ndarray:
    """(resamples, count) indices, drawn with replacement."""
    return np.random.default_rng(seed).integers(0, count, size=(resamples, count))
