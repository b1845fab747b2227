"""What a network says about prepared exams: pixel Dice and exam AUC per type, from one dense pass per slab."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..core.codes import ANY
from ..networks.patchfcn import OUTPUT_STRIDE, PatchFcn, window_logits
from ..preprocessing.patch_lattice import lattice_over
from ..systems.kuo2019_config import Kuo2019Config, neighbour_slabs
from .calibration import area_under_curve
from .windowed_exam import OUTSIDE, WindowedExam

BATCH = 8  # slabs per pass; ours


@dataclass(frozen=True, eq=False)
class ExamAnswer:
    """A network's answer on one exam beside the truth.

    Args:
        score: (1 + N,) largest patch score, any first.
        overlap, predicted, true: (1 + N,) pixel counts, any first.
    """

    score: np.ndarray
    overlap: np.ndarray
    predicted: np.ndarray
    true: np.ndarray


@dataclass(frozen=True, eq=False)
class Validation:
    """Answers on a set of exams, and the figures made of them."""

    codes: tuple[str, ...]
    answers: tuple[ExamAnswer, ...]

    @property
    def scores(self) -> np.ndarray:
        """(exams, 1 + N)."""
        return np.stack([answer.score for answer in self.answers])

    @property
    def present(self) -> np.ndarray:
        """(exams, 1 + N) bool, from the pixels that are visible on the network's grid."""
        return np.stack([answer.true for answer in self.answers]) > 0

    def dice(self) -> dict[str, float]:
        """Pixel Dice over all exams together, per code; NaN without any pixel."""
        overlap, predicted, true = (
            np.stack([getattr(answer, name) for answer in self.answers]).sum(axis=0).astype(float)
            for name in ("overlap", "predicted", "true")
        )
        total = predicted + true
        value = np.divide(2 * overlap, total, out=np.full(len(total), np.nan), where=total > 0)
        return dict(zip((ANY, *self.codes), map(float, value), strict=True))

    def auc(self) -> dict[str, float]:
        """Exam AUC of the largest patch score, per code."""
        names = (ANY, *self.codes)
        return {code: area_under_curve(self.scores[:, n], self.present[:, n]) for n, code in enumerate(names)}

    def merit(self) -> float:
        """One figure to keep the best weights by: mean Dice plus mean AUC (over what can be known)."""
        return float(np.nanmean(list(self.dice().values())) + np.nanmean(list(self.auc().values())))

    def summary(self) -> dict[str, Any]:
        """Plain values for curves and packs; None where a figure cannot be known."""
        known = lambda values: {code: None if np.isnan(v) else round(v, 4) for code, v in values.items()}  # noqa: E731
        return {"exams": len(self.answers), "dice": known(self.dice()), "auc": known(self.auc())}


def validate(network: PatchFcn, exams: Iterable[WindowedExam], config: Kuo2019Config, *, bfloat16: bool) -> Validation:
    """The network's answers on exams; the network is put in evaluation mode and back."""
    was_training = network.training
    network.eval()
    answers = tuple(answer_exam(network, exam, config, bfloat16=bfloat16) for exam in exams)
    network.train(was_training)
    return Validation(config.codes, answers)


@torch.no_grad()
def answer_exam(network: PatchFcn, exam: WindowedExam, config: Kuo2019Config, *, bfloat16: bool) -> ExamAnswer:
    """One exam's label overlap and its patch scores, from the windows that inference looks at."""
    image, target = exam.whole()
    types = len(config.codes)
    score = np.zeros(1 + types)
    counts = np.zeros((3, 1 + types), dtype=np.int64)
    brain = target != OUTSIDE
    slabs = np.flatnonzero(brain.any(axis=(1, 2)))
    if len(slabs) == 0:
        return ExamAnswer(score, *counts)
    channels = neighbour_slabs(len(image), config.slices)
    lattice = lattice_over(brain, config.patch_size, config.patch_stride)
    image, target, brain = lattice.cut(image), lattice.cut(target), lattice.cut(brain)
    for start in range(0, len(slabs), BATCH):
        chosen = slabs[start : start + BATCH]
        label, patches = predict_slabs(network, image[channels[chosen]], config, bfloat16=bfloat16)
        label[~brain[chosen]] = 0
        scored = np.asarray(lattice.windows(brain[chosen]).any(axis=(-2, -1)))  # (b, windows_j, windows_i)
        score = np.maximum(score, (patches * scored[:, None]).max(axis=(0, 2, 3)))
        true = np.where(brain[chosen], target[chosen], 0)
        for n in range(1 + types):
            ours, theirs = (label > 0, true > 0) if n == 0 else (label == n, true == n)
            counts[:, n] += [(ours & theirs).sum(), ours.sum(), theirs.sum()]
    return ExamAnswer(score, *counts)


@torch.no_grad()
def predict_slabs(
    network: PatchFcn, image_bchw: np.ndarray, config: Kuo2019Config, *, bfloat16: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(b, h, w) labels and (b, 1 + N, windows_j, windows_i) patch scores of (b, slices, h, w) images."""
    device = next(network.parameters()).device
    x = torch.from_numpy(np.ascontiguousarray(image_bchw)).to(device).to(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        output = network(x)
    pixel = output.pixel.float().softmax(dim=1)
    blood = 1 - pixel[:, 0] >= config.pixel_threshold
    label = (pixel[:, 1:].argmax(dim=1) + 1) * blood
    window, stride = config.patch_size // OUTPUT_STRIDE, config.patch_stride // OUTPUT_STRIDE
    score = window_logits(output.patch.float(), window, stride, config.patch_sharpness).softmax(dim=2)[:, :, 1]
    return label.cpu().numpy().astype(np.uint8), score.cpu().numpy()
