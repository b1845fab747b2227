"""Drawing patches from the bank: a stated share from positive images, the rest from anywhere in negative ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..systems.kuo2019_config import Kuo2019Config, neighbour_slabs
from .exam_bank import ExamBank
from .kuo2019_recipe import TrainingConfig
from .windowed_exam import OUTSIDE, WindowedExam

MARGIN = 1.5  # a crop is this much wider than its patch, so that rotation and zoom find pixels at the corners; ours


@dataclass(frozen=True, eq=False)
class PatchBatch:
    """Crops around the patches, before augmentation.

    Args:
        image: (b, slices, n, n) uint8, 0 outside the brain.
        target: (b, n, n) uint8, labels or OUTSIDE.
        from_positive: (b,) bool, which patches come from positive images.
    """

    image: np.ndarray
    target: np.ndarray
    from_positive: np.ndarray


@dataclass(frozen=True)
class _Slab:
    """One slab with brain: which exam, which slab of it, which types it shows."""

    exam: int
    slab: int
    types: tuple[int, ...]


class PatchSampler:
    """Draws batches from a bank that may grow; all chance comes from the generator that it is given.

    Args:
        bank: exams to draw from; call refresh() after it has grown.
        config: gives patch size, channels and types.
        training: gives the shares.
    """

    def __init__(self, bank: ExamBank[WindowedExam], config: Kuo2019Config, training: TrainingConfig) -> None:
        self.bank, self.config, self.training = bank, config, training
        self._negative: list[_Slab] = []
        self._positive: list[_Slab] = []
        self._of_type: dict[int, list[_Slab]] = {}
        self._indexed = 0
        self.refresh()

    @property
    def slabs(self) -> int:
        """Number of slabs with brain; as many patches are an epoch."""
        return len(self._negative) + len(self._positive)

    def refresh(self) -> None:
        """Take up the exams that the bank has gained."""
        for number in range(self._indexed, len(self.bank)):
            target = self.bank.exams[number].target_shw
            for slab in np.flatnonzero((target != OUTSIDE).any(axis=(1, 2))):
                counts = np.bincount(target[slab].ravel(), minlength=OUTSIDE + 1)[1:OUTSIDE]
                types = tuple(int(value) + 1 for value in np.flatnonzero(counts))
                self._add(_Slab(number, int(slab), types))
        self._indexed = len(self.bank)

    def _add(self, slab: _Slab) -> None:
        (self._positive if slab.types else self._negative).append(slab)
        for value in slab.types:
            self._of_type.setdefault(value, []).append(slab)

    def draw(self, rng: np.random.Generator) -> PatchBatch:
        """One batch of crops; exactly round(positive_share x batch_size) come from positive images."""
        size = self.training.batch_size
        positives = round(self.training.positive_share * size)
        from_positive = np.arange(size) < positives
        crops = [self._positive_crop(rng) if positive else self._negative_crop(rng) for positive in from_positive]
        return PatchBatch(np.stack([image for image, _ in crops]), np.stack([t for _, t in crops]), from_positive)

    def draw_whole(self, rng: np.random.Generator) -> PatchBatch:
        """Whole images around the brain's middle, as the dense pass sees them; about as many pixels as a batch."""
        area = (self.config.image_size / self.config.patch_size) ** 2
        size = max(2, round(self.training.batch_size / area))
        from_positive = np.arange(size) < round(self.training.positive_share * size)
        crops = []
        for positive in from_positive:
            slab = self._positive_slab(rng)[0] if positive else self._negative[rng.integers(len(self._negative))]
            exam = self.bank.exams[slab.exam]
            center = self.config.image_size // 2 - np.array(exam.corner)
            crops.append(self._crop(exam, slab.slab, int(center[0]), int(center[1]), self.config.image_size))
        return PatchBatch(np.stack([image for image, _ in crops]), np.stack([t for _, t in crops]), from_positive)

    def _positive_slab(self, rng: np.random.Generator) -> tuple[_Slab, int]:
        """A slab with blood, and the type that it is drawn for."""
        if self.training.balance_types:
            value = list(self._of_type)[rng.integers(len(self._of_type))]
            return self._of_type[value][rng.integers(len(self._of_type[value]))], value
        slab = self._positive[rng.integers(len(self._positive))]
        return slab, slab.types[rng.integers(len(slab.types))]

    def _positive_crop(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A patch from a positive slab, its centre near a blood pixel."""
        slab, value = self._positive_slab(rng)
        exam = self.bank.exams[slab.exam]
        rows, columns = np.nonzero(exam.target_shw[slab.slab] == value)
        chosen = rng.integers(len(rows))
        reach = self.training.jitter * self.config.patch_size
        row, column = np.array([rows[chosen], columns[chosen]]) + rng.uniform(-reach, reach, 2)
        return self._crop(exam, slab.slab, round(row), round(column), self.config.patch_size)

    def _negative_crop(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A patch from a slab without blood, its centre anywhere in the brain."""
        slab = self._negative[rng.integers(len(self._negative))]
        exam = self.bank.exams[slab.exam]
        inside = np.flatnonzero(exam.target_shw[slab.slab] != OUTSIDE)
        row, column = divmod(int(inside[rng.integers(len(inside))]), exam.target_shw.shape[2])
        return self._crop(exam, slab.slab, row, column, self.config.patch_size)

    def _crop(
        self, exam: WindowedExam, slab: int, row: int, column: int, patch_size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """(slices, n, n) image and (n, n) target around a pixel of the exam's own crop."""
        size = crop_size(patch_size)
        channels = neighbour_slabs(len(exam.image_shw), self.config.slices)[slab]
        image = np.zeros((len(channels), size, size), np.uint8)
        target = np.full((size, size), OUTSIDE, np.uint8)
        _, height, width = exam.image_shw.shape
        top, left = row - size // 2, column - size // 2
        here = slice(max(top, 0), min(top + size, height)), slice(max(left, 0), min(left + size, width))
        if here[0].start < here[0].stop and here[1].start < here[1].stop:
            there = tuple(slice(s.start - o, s.stop - o) for s, o in zip(here, (top, left), strict=True))
            image[:, there[0], there[1]] = exam.image_shw[channels][:, here[0], here[1]]
            target[there] = exam.target_shw[slab][here]
        return image, target


def crop_size(patch_size: int) -> int:
    """Rows and columns of the crop that a patch is cut from after augmentation."""
    return int(patch_size * MARGIN) // 2 * 2
