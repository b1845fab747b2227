"""Is an exam like those that the models learned from? A Mahalanobis distance on plain figures, with reasons in words.

Lee 2018 (NeurIPS, arXiv 1807.03888) takes this distance on a network's features. Here it is taken on figures that a
radiologist can check, so that a refusal can be explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..core.findings import Familiarity
from .exam_features import EXAM_FEATURES, ExamFeature

SMALLEST_AMOUNT = 0.1  # relative figures are kept above this (in their unit) before their logarithm is taken; ours
WORTH_A_WORD = 2.5  # standard deviations from the mean at which a figure is named as a reason; ours
MOST_REASONS = 3  # ours
ARRAYS = ("mean", "scale", "precision", "low", "high")


@dataclass(frozen=True, eq=False)
class FamiliarityModel:
    """The training exams' figures, as far as they are needed to compare another exam with them.

    F is the number of EXAM_FEATURES; relative ones are compared by the logarithm.

    Args:
        mean, scale: (F,) mean and standard deviation, the features' tolerances included.
        precision: (F, F) inverse of the correlation matrix, tolerances included.
        low, high: (F,) the usual range in the features' own units, for the reasons.
    """

    mean: np.ndarray
    scale: np.ndarray
    precision: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def fitted(cls, features_nf: np.ndarray, usual: float = 0.99) -> FamiliarityModel:
        """The model of (N, F) figures of training exams; usual is the share of them inside the named range."""
        values = compared(features_nf)
        tolerance = np.array([feature.tolerance for feature in EXAM_FEATURES])
        covariance = np.cov(values.T) + np.diag(tolerance**2)
        scale = np.sqrt(np.diag(covariance))
        low, high = np.quantile(features_nf, ((1 - usual) / 2, (1 + usual) / 2), axis=0)
        return cls(values.mean(axis=0), scale, np.linalg.inv(covariance / np.outer(scale, scale)), low, high)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> FamiliarityModel:
        """The inverse of arrays(). Raises KeyError or ValueError for what is not such a model."""
        model = cls(*(np.asarray(arrays[f"familiarity.{name}"], dtype=np.float64) for name in ARRAYS))
        count = len(EXAM_FEATURES)
        shapes = [getattr(model, name).shape for name in ARRAYS]
        if shapes != [(count,), (count,), (count, count), (count,), (count,)]:
            raise ValueError(f"a familiarity model needs {count} figures")
        return model

    def arrays(self) -> dict[str, np.ndarray]:
        """Names and values for a model pack."""
        return {f"familiarity.{name}": getattr(self, name) for name in ARRAYS}

    def score(self, features: np.ndarray) -> float:
        """Mahalanobis distance of one exam from the training exams; about 2 is usual.

        Without the tolerances the usual distance would be the root of F, 4.
        """
        z = self._deviations(features)
        return float(np.sqrt(max(z @ self.precision @ z, 0.0)))

    def judge(self, features: np.ndarray, threshold: float, *, accepted: bool = False) -> Familiarity:
        """The score beside its threshold, with reasons when it is exceeded."""
        score = self.score(features)
        reasons = self._reasons(features) if score > threshold else ()
        return Familiarity(score, threshold, reasons, accepted and score > threshold)

    def _deviations(self, features: np.ndarray) -> np.ndarray:
        return np.asarray((compared(features) - self.mean) / self.scale)

    def _reasons(self, features: np.ndarray) -> tuple[str, ...]:
        """The figures that are furthest off; when none is by itself, the two that contribute most."""
        z = self._deviations(features)
        order = [int(n) for n in np.argsort(-np.abs(z)) if abs(z[n]) >= WORTH_A_WORD]
        if order:
            return tuple(self._reason(EXAM_FEATURES[n], features[n], n) for n in order[:MOST_REASONS])
        first, second = (EXAM_FEATURES[int(n)].words for n in np.argsort(-z * (self.precision @ z))[:2])
        return (f"an unusual combination of figures, above all of {first} and {second}",)

    def _reason(self, feature: ExamFeature, value: float, n: int) -> str:
        digits = 1 if max(abs(value), abs(self.high[n])) < 10 else 0
        usual = f"{self.low[n]:.{digits}f} to {self.high[n]:.{digits}f}"
        return f"{feature.words} is {value:.{digits}f} {feature.unit} (usually {usual})"


def compared(features: np.ndarray) -> np.ndarray:
    """(..., F) figures as they are compared: relative ones as logarithms."""
    relative = np.array([feature.relative for feature in EXAM_FEATURES])
    return np.where(relative, np.log(np.maximum(features, SMALLEST_AMOUNT)), features)
