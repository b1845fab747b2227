"""What a network says about prepared exams: pixel Dice and exam AUC per type, from one dense pass per slab."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from ..networks.patchfcn import OUTPUT_STRIDE, PatchFcn, window_logits
from ..preprocessing.patch_lattice import lattice_over
from ..systems.kuo2019_config import Kuo2019Config, neighbour_slabs
from .exam_validation import ValidationFigures, evaluating, pixel_dice
from .windowed_exam import OUTSIDE, WindowedExam

BATCH = 8  # slabs per pass; ours
THRESHOLDS = np.linspace(0.2, 0.9, 15)
"""Probabilities of any hemorrhage from which a pixel may be called (ours); a pack takes the one with the best Dice."""


@dataclass(frozen=True, eq=False)
class ExamAnswer:
    """A network's answer on one exam beside the truth.

    Args:
        score: (1 + N,) largest patch score, any first.
        overlap, predicted: (1 + N, thresholds) pixel counts, any first, at each of THRESHOLDS.
        true: (1 + N,) pixel counts.
    """

    score: np.ndarray
    overlap: np.ndarray
    predicted: np.ndarray
    true: np.ndarray

    @classmethod
    def empty(cls, types: int) -> ExamAnswer:
        """No slab seen yet."""
        counts = np.zeros((2, 1 + types, len(THRESHOLDS)), dtype=np.int64)
        return cls(np.zeros(1 + types), counts[0], counts[1], np.zeros(1 + types, dtype=np.int64))

    def add(self, probability: np.ndarray, label: np.ndarray, true: np.ndarray) -> None:
        """Count pixels: probability of any hemorrhage, most probable type and true label (0: none), all (pixels,)."""
        below = np.searchsorted(THRESHOLDS, probability, side="right")  # thresholds that each pixel reaches
        for n in range(len(self.true)):
            ours = label > 0 if n == 0 else label == n
            theirs = true > 0 if n == 0 else true == n
            self.predicted[n] += _reached(below[ours])
            self.overlap[n] += _reached(below[ours & theirs])
            self.true[n] += np.count_nonzero(theirs)


@dataclass(frozen=True, eq=False)
class Validation(ValidationFigures):
    """Answers on a set of exams, and the figures made of them."""

    codes: tuple[str, ...]
    answers: tuple[ExamAnswer, ...]
    pixel_threshold: float

    @property
    def scores(self) -> np.ndarray:
        """(exams, 1 + N)."""
        return self.stacked("score")

    @property
    def present(self) -> np.ndarray:
        """(exams, 1 + N) bool, from the pixels that are visible on the network's grid."""
        return self.stacked("true") > 0

    def dice(self, threshold: float | None = None) -> dict[str, float]:
        """Pixel Dice over all exams together, per code; NaN without any pixel.

        threshold: the nearest of THRESHOLDS is taken; that of the settings unless named.
        """
        at = int(np.abs(THRESHOLDS - (self.pixel_threshold if threshold is None else threshold)).argmin())
        overlap, predicted = (self.stacked(name)[..., at].sum(axis=0) for name in ("overlap", "predicted"))
        return self.by_code(pixel_dice(overlap, predicted, self.stacked("true").sum(axis=0)))

    def best_pixel_threshold(self) -> float:
        """The threshold with the largest mean Dice of any hemorrhage over positive exams; the settings' without one."""
        positive = [answer for answer in self.answers if answer.true[0]]
        if not positive:
            return self.pixel_threshold
        dice = np.mean(
            [pixel_dice(answer.overlap[0], answer.predicted[0], answer.true[0]) for answer in positive], axis=0
        )
        return round(float(THRESHOLDS[int(dice.argmax())]), 2)

    def figures(self) -> dict[str, dict[str, float]]:
        """Pixel Dice, and exam AUC of the largest patch score."""
        return {"dice": self.dice(), "auc": self.auc()}


def validate(network: PatchFcn, exams: Iterable[WindowedExam], config: Kuo2019Config, *, bfloat16: bool) -> Validation:
    """The network's answers on exams; the network is put in evaluation mode and back."""
    with evaluating(network):
        answers = tuple(answer_exam(network, exam, config, bfloat16=bfloat16) for exam in exams)
    return Validation(config.codes, answers, config.pixel_threshold)


@torch.no_grad()
def answer_exam(network: PatchFcn, exam: WindowedExam, config: Kuo2019Config, *, bfloat16: bool) -> ExamAnswer:
    """One exam's label overlap and its patch scores, from the windows that inference looks at."""
    image, target = exam.whole()
    answer = ExamAnswer.empty(len(config.codes))
    brain = target != OUTSIDE
    slabs = np.flatnonzero(brain.any(axis=(1, 2)))
    if len(slabs) == 0:
        return answer
    channels = neighbour_slabs(len(image), config.slices)
    lattice = lattice_over(brain, config.patch_size, config.patch_stride)
    image, target, brain = lattice.cut(image), lattice.cut(target), lattice.cut(brain)
    for start in range(0, len(slabs), BATCH):
        chosen = slabs[start : start + BATCH]
        pixel, patches = predict_slabs(network, image[channels[chosen]], config, bfloat16=bfloat16)
        scored = np.asarray(lattice.windows(brain[chosen]).any(axis=(-2, -1)))  # (b, windows_j, windows_i)
        np.maximum(answer.score, (patches * scored[:, None]).max(axis=(0, 2, 3)), out=answer.score)
        inside, label = brain[chosen], pixel[:, 1:].argmax(axis=1) + 1
        answer.add(1 - pixel[:, 0][inside], label[inside], target[chosen][inside])
    return answer


@torch.no_grad()
def predict_slabs(
    network: PatchFcn, image_bchw: np.ndarray, config: Kuo2019Config, *, bfloat16: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(b, 1 + N, h, w) probabilities and (b, 1 + N, windows_j, windows_i) patch scores of (b, slices, h, w) images."""
    device = next(network.parameters()).device
    x = torch.from_numpy(np.ascontiguousarray(image_bchw)).to(device).to(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        output = network(x)
    pixel = output.pixel.float().softmax(dim=1)
    window, stride = config.patch_size // OUTPUT_STRIDE, config.patch_stride // OUTPUT_STRIDE
    score = window_logits(output.patch.float(), window, stride, config.patch_sharpness).softmax(dim=2)[:, :, 1]
    return pixel.cpu().numpy(), score.cpu().numpy()


def _reached(below: np.ndarray) -> np.ndarray:
    """(thresholds,) how many pixels reach each threshold, from the number of thresholds that each pixel reaches."""
    return np.asarray(len(below) - np.cumsum(np.bincount(below, minlength=len(THRESHOLDS) + 1))[:-1])
