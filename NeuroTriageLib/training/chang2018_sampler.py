"""Drawing runs of neighbouring slabs from the bank, and changing them at random."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.codes import CT_HEMORRHAGE_CODES
from ..systems.chang2018_config import TYPE_OF_LABEL, Chang2018Config
from .chang2018_recipe import Chang2018Training
from .exam_bank import ExamBank
from .patch_augmentation import changed_intensity
from .windowed_exam import OUTSIDE, WindowedExam

MARGIN = 1.25  # a crop is this much wider than its result, so that rotation and zoom find pixels at the corners; ours
TYPE_OF_TARGET = np.zeros(OUTSIDE + 1, np.uint8)
TYPE_OF_TARGET[: len(TYPE_OF_LABEL)] = TYPE_OF_LABEL
"""The network's type of every target value of a WindowedExam; OUTSIDE holds no blood."""


@dataclass(frozen=True, eq=False)
class SlabRuns:
    """Crops before augmentation.

    Args:
        image: (b, n + 4, h, w) uint8, 0 outside the brain.
        types: (b, n, h, w) uint8, the network's types; slab m is slice m + 2 of the image.
    """

    image: np.ndarray
    types: np.ndarray


class SlabSampler:
    """Draws runs from a bank that may grow; all chance comes from the generator that it is given.

    Args:
        bank: exams to draw from; call refresh() after it has grown.
        config: how many slices a slab needs.
        training: gives shares and sizes.
    """

    def __init__(self, bank: ExamBank[WindowedExam], config: Chang2018Config, training: Chang2018Training) -> None:
        self.bank, self.training = bank, training
        self.context = config.slices // 2
        self._empty: list[tuple[int, int]] = []
        self._bleeding: list[tuple[int, int]] = []
        self._of_label: dict[int, list[tuple[int, int]]] = {}
        self._indexed = 0
        self.refresh()

    def refresh(self) -> None:
        """Take up the exams that the bank has gained."""
        for number in range(self._indexed, len(self.bank)):
            target = self.bank.exams[number].target_shw
            for slab in np.flatnonzero((target != OUTSIDE).any(axis=(1, 2))):
                counts = np.bincount(target[slab].ravel(), minlength=OUTSIDE + 1)[1 : 1 + len(CT_HEMORRHAGE_CODES)]
                place = (number, int(slab))
                (self._bleeding if counts.any() else self._empty).append(place)
                for label in np.flatnonzero(counts) + 1:
                    self._of_label.setdefault(int(label), []).append(place)
        self._indexed = len(self.bank)

    def draw(self, rng: np.random.Generator) -> SlabRuns:
        """One minibatch; round(positive_share x runs) of its runs hold a slab with blood."""
        runs = self.training.runs
        bleeding = round(self.training.positive_share * runs)
        places = [self._place(rng, number < bleeding) for number in range(runs)]
        cut = [self._cut(exam, slab, rng) for exam, slab in places]
        return SlabRuns(np.stack([image for image, _ in cut]), np.stack([types for _, types in cut]))

    def _place(self, rng: np.random.Generator, bleeding: bool) -> tuple[int, int]:
        """Exam and slab that a run is drawn around."""
        chosen = self._bleeding if bleeding else self._empty
        if bleeding and self.training.balance_types and self._of_label:
            chosen = list(self._of_label.values())[rng.integers(len(self._of_label))]
        chosen = chosen or self._empty or self._bleeding
        return chosen[rng.integers(len(chosen))]

    def _cut(self, number: int, slab: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        exam, length = self.bank.exams[number], self.training.run_slabs
        last = len(exam.image_shw) - 1
        first = slab - int(rng.integers(length))
        first = max(min(first, last - length + 1), 0)
        slices = np.clip(np.arange(first - self.context, first + length + self.context), 0, last)
        slabs = np.clip(np.arange(first, first + length), 0, last)
        size = tuple(int(side * MARGIN) for side in self.training.crop)
        return _centred(exam.image_shw[slices], size, 0), TYPE_OF_TARGET[
            _centred(exam.target_shw[slabs], size, OUTSIDE)
        ]


def _centred(array_shw: np.ndarray, size: tuple[int, ...], outside: int) -> np.ndarray:
    """The middle of an array, with a border of `outside` where it is smaller."""
    out = np.full((len(array_shw), *size), outside, array_shw.dtype)
    there, here = [], []
    for have, want in zip(array_shw.shape[1:], size, strict=True):
        length = min(have, want)
        there.append(slice((want - length) // 2, (want - length) // 2 + length))
        here.append(slice((have - length) // 2, (have - length) // 2 + length))
    out[:, there[0], there[1]] = array_shw[:, here[0], here[1]]
    return out


def augmented(
    runs: SlabRuns, training: Chang2018Training, window_hu: float, rng: np.random.Generator, device: str
) -> tuple[Tensor, Tensor]:
    """(b, n + 4, *crop) float32 image 0-1 and (b x n, *crop) int64 types; all slices of a run are changed alike.

    window_hu is how many HU the range 0-1 stands for.
    """
    image = torch.from_numpy(runs.image).to(device).float().div_(255.0)
    types = torch.from_numpy(runs.types).to(device).float()
    image = changed_intensity(image, training.augmentation, window_hu, rng)
    size = training.crop
    grid = F.affine_grid(_affine(image.shape, training, rng).to(device), [len(image), 1, *size], align_corners=False)
    turned = F.grid_sample(image, grid, padding_mode="zeros", align_corners=False)
    labels = F.grid_sample(types, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return turned, labels.flatten(0, 1).long()


def _affine(shape: tuple[int, ...], training: Chang2018Training, rng: np.random.Generator) -> Tensor:
    """(b, 2, 3) for affine_grid: rotation, zoom, mirroring and shift around the middle, in pixels."""
    count, settings = shape[0], training.augmentation
    angle = np.radians(rng.uniform(-settings.rotation_deg, settings.rotation_deg, count))
    zoom = np.exp(rng.uniform(math.log(settings.scale[0]), math.log(settings.scale[1]), count))
    mirror = np.where(rng.random(count) < settings.mirror, -1.0, 1.0)
    matrix = np.zeros((count, 2, 3))
    matrix[:, 0, 0], matrix[:, 0, 1] = np.cos(angle) * mirror / zoom, -np.sin(angle) / zoom
    matrix[:, 1, 0], matrix[:, 1, 1] = np.sin(angle) * mirror / zoom, np.cos(angle) / zoom
    matrix[:, :, 2] = rng.uniform(-training.shift, training.shift, (count, 2))
    # affine_grid counts in half images: x of the result in its half width, x of the crop in its own.
    half_after, half_before = np.array(training.crop[::-1]) / 2, np.array(shape[:-3:-1]) / 2
    matrix[:, :, :2] *= half_after
    return torch.from_numpy((matrix / half_before[:, None]).astype(np.float32))
