"""What the hybrid mask R-CNN says about exams of the bank: exam scores, and the overlap of its masks with the truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from ..networks.detection.painting import highest_per_layer
from ..networks.hybrid_mask_rcnn import HybridMaskRcnn, SlabAnswer, paint
from ..preprocessing.patch_lattice import lattice_over
from ..systems.chang2018_config import BOX_MULTIPLE, REGION_CODES, Chang2018Config, slab_span, slices_of
from .chang2018_sampler import TYPE_OF_TARGET
from .exam_validation import ValidationFigures, evaluating, pixel_dice
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
class Validation(ValidationFigures):
    """Answers on a set of exams, and the figures made of them; figures leave the unanswered type out."""

    codes: tuple[str, ...]
    answers: tuple[ExamAnswer, ...]

    @property
    def scores(self) -> np.ndarray:
        """(exams, 1 + answered types)."""
        return self._answered("score")

    @property
    def present(self) -> np.ndarray:
        """(exams, 1 + answered types) bool, from the pixels that are visible on the network's grid."""
        return self._answered("true") > 0

    def figures(self) -> dict[str, dict[str, float]]:
        """Pixel Dice over all exams together, and exam AUC of the highest confidence."""
        overlap, predicted, true = (self._answered(name).sum(axis=0) for name in ("overlap", "predicted", "true"))
        return {"dice": self.by_code(pixel_dice(overlap, predicted, true)), "auc": self.auc()}

    def _answered(self, name: str) -> np.ndarray:
        """Without the type that is not answered."""
        return self.stacked(name)[:, : 1 + len(self.codes)]


def validate(
    network: HybridMaskRcnn, exams: Iterable[WindowedExam], config: Chang2018Config, *, bfloat16: bool
) -> Validation:
    """The network's answers on exams; the network is put in evaluation mode and back."""
    with evaluating(network):
        answers = tuple(answer_exam(network, exam, config, bfloat16=bfloat16) for exam in exams)
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
