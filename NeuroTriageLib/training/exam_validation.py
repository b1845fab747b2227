"""What the validations of all systems share: figures per finding, their names in curves and packs, evaluation mode."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import nn

from ..core.codes import answered_codes
from .calibration import area_under_curve


class ValidationFigures(ABC):
    """Figures of the answers on a set of exams; a system's own class has the answers.

    Attributes:
        codes: the types, without "any".
        answers: one per exam.
    """

    codes: tuple[str, ...]
    answers: tuple[Any, ...]

    @property
    @abstractmethod
    def scores(self) -> np.ndarray:
        """(exams, 1 + N) raw exam scores 0-1, any first."""

    @property
    @abstractmethod
    def present(self) -> np.ndarray:
        """(exams, 1 + N) bool."""

    @abstractmethod
    def figures(self) -> dict[str, dict[str, float]]:
        """Figure ("dice", "auc", ...) -> code -> value, NaN where it cannot be known."""

    def by_code(self, values: Iterable[float]) -> dict[str, float]:
        """One value per column (core.codes.answered_codes) -> code -> value."""
        return dict(zip(answered_codes(self.codes), map(float, values), strict=True))

    def auc(self) -> dict[str, float]:
        """Exam AUC per code."""
        return self.by_code(areas(self.scores, self.present))

    def merit(self) -> float:
        """One figure to keep the best weights by: the sum of each figure's mean over the codes (that can be known)."""
        return float(sum(np.nanmean(list(values.values())) for values in self.figures().values()))

    def summary(self) -> dict[str, Any]:
        """Plain values for packs: the number of exams, and every figure; None where one cannot be known."""
        known = {
            name: {code: None if np.isnan(value) else round(value, 4) for code, value in values.items()}
            for name, values in self.figures().items()
        }
        return {"exams": len(self.answers)} | known

    def curve_figures(self) -> dict[str, float | None]:
        """FIGURE_CODE -> value for the curves."""
        summary = self.summary()
        return {f"{name}_{code}": value for name in self.figures() for code, value in summary[name].items()}

    def stacked(self, name: str) -> np.ndarray:
        """An attribute of every answer, exams first."""
        return np.stack([getattr(answer, name) for answer in self.answers])


def areas(scores: np.ndarray, present: np.ndarray) -> list[float]:
    """The area under the ROC curve of every column of (n, 1 + N) scores and truth; NaN with one class only."""
    return [area_under_curve(score, truth) for score, truth in zip(scores.T, present.T, strict=True)]


def pixel_dice(overlap: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """2 x overlap / (predicted + true) of pixel counts; NaN where there is neither."""
    total = np.asarray(predicted + true, dtype=float)
    return np.divide(2.0 * overlap, total, out=np.full(total.shape, np.nan), where=total > 0)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode; afterwards every part of it is back in its own mode.

    Parts that a stage has frozen are in evaluation mode while the rest is trained, and must stay so: their batch norms
    would else follow the training images.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
