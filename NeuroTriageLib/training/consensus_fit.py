"""Weights of several opinions from validation exams: logistic regression, regularised, never negative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.opinions import opinion_logit

SWEEPS = 500  # coordinate-wise Newton sweeps at most; a few dozen are usual
PENALTY = 4.0  # pull towards equal weights, in exams: with many more than this the data decide; ours


@dataclass(frozen=True)
class FittedWeights:
    """Log odds of a finding = intercept + sum of weight x log odds of each opinion.

    Args:
        weights: one per opinion, 0 or positive.
        intercept: of the log odds.
    """

    weights: tuple[float, ...]
    intercept: float

    def shares(self) -> tuple[float, ...]:
        """The weights scaled to sum 1; alike when all are 0."""
        total = sum(self.weights)
        if total <= 0:
            return tuple(1.0 / len(self.weights) for _ in self.weights)
        return tuple(weight / total for weight in self.weights)


def fit_weights(probability: np.ndarray, present: np.ndarray, penalty: float = PENALTY) -> FittedWeights:
    """The weights with the highest penalised likelihood.

    The penalty pulls them towards equal ones that sum to 1 (the plain average of the log odds): what few exams do not
    show is not believed. Equal weights when only one class is there.

    Args:
        probability: (exams, opinions) calibrated probabilities 0-1.
        present: (exams,) bool truth.
        penalty: half of it times the squared distance from equal weights is added to the summed logistic loss.
    """
    x, y = opinion_logit(probability), np.asarray(present, dtype=np.float64)
    opinions = x.shape[1]
    equal = np.full(opinions, 1.0 / opinions)
    if y.all() or not y.any():
        return FittedWeights(tuple(map(float, equal)), 0.0)
    design = np.hstack([x, np.ones((len(x), 1))])
    wanted = np.append(equal, 0.0)
    pull = np.append(np.full(opinions, penalty), 1e-6)  # the intercept is as good as free
    parameters = wanted.copy()
    for _ in range(SWEEPS):
        before = parameters.copy()
        for n in range(len(parameters)):
            p = 1.0 / (1.0 + np.exp(-np.clip(design @ parameters, -30, 30)))
            slope = design[:, n] @ (p - y) + pull[n] * (parameters[n] - wanted[n])
            curvature = (design[:, n] ** 2) @ np.maximum(p * (1 - p), 1e-6) + pull[n]
            step = np.clip(slope / curvature, -1.0, 1.0)
            parameters[n] -= step
            if n < opinions:
                parameters[n] = max(parameters[n], 0.0)
        if np.abs(parameters - before).max() < 1e-7:
            break
    return FittedWeights(tuple(map(float, parameters[:-1])), float(parameters[-1]))


@dataclass(frozen=True)
class MaskRule:
    """Weights of the probability maps, the threshold on their mean, and the Dice that they reach together."""

    shares: tuple[float, ...]
    threshold: float
    dice: float


THRESHOLDS = tuple(round(0.05 * n, 2) for n in range(2, 17))  # 0.10 to 0.80; ours
SHARE_STEPS = 4  # shares are tried in quarters; ours


def candidate_shares(systems: int) -> list[tuple[float, ...]]:
    """Every way to deal out SHARE_STEPS equal parts among the systems."""
    if systems == 1:
        return [(1.0,)]
    return [
        (first / SHARE_STEPS, *(rest * (SHARE_STEPS - first) / SHARE_STEPS for rest in others))
        for first in range(SHARE_STEPS + 1)
        for others in (candidate_shares(systems - 1) if first < SHARE_STEPS else [_only_first(systems - 1)])
    ]


def _only_first(systems: int) -> tuple[float, ...]:
    return (1.0, *(0.0 for _ in range(systems - 1)))


def overlap_counts(heat_nv: np.ndarray, blood_v: np.ndarray) -> np.ndarray:
    """(candidates, thresholds, 3) voxel counts (overlap, called, true) of one exam.

    Args:
        heat_nv: (systems, voxels) probability maps.
        blood_v: (voxels,) bool truth.
    """
    counts = []
    for shares in candidate_shares(len(heat_nv)):
        mean = np.asarray(shares, dtype=np.float32) @ heat_nv.astype(np.float32)
        of_blood = mean[blood_v]
        counts.append([[(of_blood >= t).sum(), (mean >= t).sum(), len(of_blood)] for t in THRESHOLDS])
    return np.array(counts, dtype=np.int64)


def fit_mask_rule(counts: Sequence[np.ndarray], systems: int) -> MaskRule:
    """The shares and threshold with the largest Dice over all exams together."""
    overlap, called, true = np.moveaxis(np.sum(counts, axis=0), -1, 0).astype(float)
    dice = 2 * overlap / np.maximum(called + true, 1)
    # Of equally good thresholds the middle one: the outermost of a plateau is next to a fall.
    best = np.argwhere(dice >= dice.max() - 1e-9)
    candidate, threshold = best[len(best) // 2]
    return MaskRule(candidate_shares(systems)[candidate], THRESHOLDS[threshold], float(dice.max()))
