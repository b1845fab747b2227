"""What the hybrid mask R-CNN says about exams of the bank: exam scores, and the overlap of its masks with the truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..core.codes import ANY
from ..networks.detection.painting import highest_per_layer
from ..networks.hybrid_mask_rcnn import HybridMaskRcnn, SlabAnswer, paint
from ..preprocessing.patch_lattice import lattice_over
from ..systems.chang2018_config import BOX_MULTIPLE, REGION_CODES, Chang2018Config, slab_span, slices_of
from .calibration import area_under_curve
from .chang2018_sampler import TYPE_OF_TARGET
from .windowed_exam import OUTSIDE, WindowedExam

SLABS_AT_ONCE = 8  # ours


@dataclass(frozen=True, eq=False)
class ExamAnswer:
    """A network's answer on one exam beside the truth; the columns are any hemorrhage, then REGION_CODES.

    Args:
        score: (1 + N,) highest probability of any region.
        overlap, predicted, true: (1 + N,) pixel counts.
    """

    score: np.ndarray
    overlap: np.ndarray
    predicted: np.ndarray
    true: np.ndarray


@dataclass(frozen=True, eq=False)
class Validation:
    """Answers on a set of exams, and the figures made of them; figures leave the unanswered type out."""

    codes: tuple[str, ...]
    answers: tuple[ExamAnswer, ...]

    @property
    def scores(self) -> np.ndarray:
        """(exams, 1 + answered types)."""
        return self._stacked("score")

    @property
    def present(self) -> np.ndarray:
        """(exams, 1 + answered types) bool, from the pixels that are visible on the network's grid."""
        return self._stacked("true") > 0

    def dice(self) -> dict[str, float]:
        """Pixel Dice over all exams together, per code; NaN without any pixel."""
        overlap, total = (self._stacked(name).sum(axis=0).astype(float) for name in ("overlap", "predicted"))
        total = total + self._stacked("true").sum(axis=0)
        value = np.divide(2 * overlap, total, out=np.full(len(total), np.nan), where=total > 0)
        return dict(zip((ANY, *self.codes), map(float, value), strict=True))

    def auc(self) -> dict[str, float]:
        """Exam AUC of the highest confidence, per code."""
        scores, present = self.scores, self.present
        return {c: area_under_curve(scores[:, n], present[:, n]) for n, c in enumerate((ANY, *self.codes))}

    def merit(self) -> float:
        """One figure to keep the best weights by: mean Dice plus mean AUC (over what can be known)."""
        return float(np.nanmean(list(self.dice().values())) + np.nanmean(list(self.auc().values())))

    def summary(self) -> dict[str, Any]:
        """Plain values for curves and packs; None where a figure cannot be known."""

        def known(values: dict[str, float]) -> dict[str, float | None]:
            return {code: None if np.isnan(value) else round(value, 4) for code, value in values.items()}

        return {"exams": len(self.answers), "dice": known(self.dice()), "auc": known(self.auc())}

    def _stacked(self, name: str) -> np.ndarray:
        return np.stack([getattr(answer, name) for answer in self.answers])[:, : 1 + len(self.codes)]


def validate(
    network: HybridMaskRcnn, exams: Iterable[WindowedExam], config: Chang2018Config, *, bfloat16: bool
) -> Validation:
    """The network's answers on exams; the network is put in evaluation mode and back."""
    was_training = network.training
    network.eval()
    answers = tuple(answer_exam(network, exam, config, bfloat16=bfloat16) for exam in exams)
    network.train(was_training)
    return Validation(config.codes, answers)


@torch.no_grad()
def answer_exam(network: HybridMaskRcnn, exam: WindowedExam, config: Chang2018Config, *, bfloat16: bool) -> ExamAnswer:
    """One exam's scores and mask overlap, from the slices and the box that inference takes."""
    image, target = exam.whole()
    brain = target != OUTSIDE
    score, counts = np.zeros(1 + len(REGION_CODES)), np.zeros((3, 1 + len(REGION_CODES)), dtype=np.int64)
    if not brain.any():
        return ExamAnswer(score, *counts)
    lattice = lattice_over(brain, BOX_MULTIPLE, BOX_MULTIPLE)
    span = slab_span(brain.any(axis=(1, 2)))
    image, truth, brain = lattice.cut(image), lattice.cut(TYPE_OF_TARGET[target]), lattice.cut(brain)
    device = next(network.parameters()).device
    stack = torch.from_numpy(image[slices_of(span, len(image), config.slices)]).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        for first, answer in network.answers(stack, config.region_threshold, SLABS_AT_ONCE):
            for number in range(len(answer.masked)):
                s = span.start + first + number
                if brain[s].any():
                    score = np.maximum(score, answer.found.score[number].cpu().numpy())
                    counts += _counts(_label(answer, number, brain[s], config), truth[s])
    return ExamAnswer(score, *counts)


def _label(answer: SlabAnswer, number: int, brain_hw: np.ndarray, config: Chang2018Config) -> np.ndarray:
    """(h, w) types where a confident region's mask says so."""
    masks = paint(answer, number, *brain_hw.shape)
    kinds = answer.found.kind[number, answer.masked[number]] - 1
    layers = highest_per_layer(masks, kinds, len(REGION_CODES)).cpu().numpy()
    blood = (layers.max(axis=0) >= config.pixel_threshold) & brain_hw
    return np.where(blood, layers.argmax(axis=0) + 1, 0)


def _counts(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """(3, 1 + N) pixels in both, in ours, in theirs."""
    columns = [(ours > 0, theirs > 0)] + [(ours == n, theirs == n) for n in range(1, 1 + len(REGION_CODES))]
    return np.array([[(a & b).sum(), a.sum(), b.sum()] for a, b in columns]).T
