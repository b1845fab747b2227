"""Drawing patches from the bank: a stated share from positive images, the rest from anywhere in negative ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.errors import InputError
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
        slabs: (b,) numbers of the slabs that they come from, for PatchSampler.remember.
    """

    image: np.ndarray
    target: np.ndarray
    from_positive: np.ndarray
    slabs: np.ndarray


@dataclass(frozen=True)
class _Slab:
    """One slab with brain: its number in the sampler, which exam, which slab of it, which types it shows."""

    number: int
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
        self.last_losses = np.zeros(0, np.float32)  # by slab number; infinite until a slab is seen
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
                self._add(_Slab(self.slabs, number, int(slab), types))
        self._indexed = len(self.bank)
        self.recall(self.last_losses)

    @property
    def whole_size(self) -> tuple[int, int]:
        """Rows and columns of what draw_whole draws, after augmentation."""
        return self.training.whole_size or (self.config.image_size, self.config.image_size)

    def remember(self, slabs: np.ndarray, losses: np.ndarray) -> None:
        """Keep the losses of slabs that were just trained on (both (b,))."""
        self.last_losses[slabs] = np.where(np.isfinite(losses), losses, 0.0)

    def recall(self, last_losses: np.ndarray) -> None:
        """Take over what another sampler remembered; slabs beyond that count as unseen."""
        known = np.full(self.slabs, np.inf, np.float32)
        known[: len(last_losses)] = last_losses[: self.slabs]
        self.last_losses = known

    def _add(self, slab: _Slab) -> None:
        (self._positive if slab.types else self._negative).append(slab)
        for value in slab.types:
            self._of_type.setdefault(value, []).append(slab)

    def draw(self, rng: np.random.Generator) -> PatchBatch:
        """One batch of crops; exactly round(positive_share x batch_size) come from positive images.

        Raises:
            InputError: no image of the bank, or every image, shows blood.
        """
        size = self.training.batch_size
        positives = round(self.training.positive_share * size)
        from_positive = np.arange(size) < positives
        picks = [self._positive_patch(rng) if positive else self._negative_patch(rng) for positive in from_positive]
        patch = (self.config.patch_size, self.config.patch_size)
        return self._batch([(slab, self._crop(slab, row, column, patch)) for slab, row, column in picks], from_positive)

    def draw_whole(self, rng: np.random.Generator) -> PatchBatch:
        """Whole images around the brain's middle, as the dense pass sees them; about as many pixels as a batch."""
        area = self.whole_size[0] * self.whole_size[1] / self.config.patch_size**2
        size = max(2, round(self.training.batch_size / area))
        from_positive = np.arange(size) < round(self.training.positive_share * size)
        crops = []
        for positive in from_positive:
            slab = self._positive_slab(rng)[0] if positive else self._pick(self._negative, rng)
            row, column = self.config.image_size // 2 - np.array(self.bank.exams[slab.exam].corner)
            crops.append((slab, self._crop(slab, int(row), int(column), self.whole_size)))
        return self._batch(crops, from_positive)

    @staticmethod
    def _batch(crops: list[tuple[_Slab, tuple[np.ndarray, np.ndarray]]], from_positive: np.ndarray) -> PatchBatch:
        return PatchBatch(
            image=np.stack([image for _, (image, _) in crops]),
            target=np.stack([target for _, (_, target) in crops]),
            from_positive=from_positive,
            slabs=np.array([slab.number for slab, _ in crops]),
        )

    def _pick(self, pool: list[_Slab], rng: np.random.Generator) -> _Slab:
        """Of some candidates the one that was hardest when it was last seen."""
        if not pool:
            raise InputError(
                "Training needs images with blood inside the skull and images without; the bank has only one kind.",
                where=str(self.bank.folder),
                next_step="Train with more exams, or with simulated ones beside them (--simulate).",
            )
        chosen = [pool[n] for n in rng.integers(len(pool), size=self.training.candidates)]
        return max(chosen, key=lambda slab: self.last_losses[slab.number])

    def _positive_slab(self, rng: np.random.Generator) -> tuple[_Slab, int]:
        """A slab with blood, and the type that it is drawn for."""
        if self.training.balance_types:
            value = list(self._of_type)[rng.integers(len(self._of_type))] if self._of_type else 0
            return self._pick(self._of_type.get(value, []), rng), value
        slab = self._pick(self._positive, rng)
        return slab, slab.types[rng.integers(len(slab.types))]

    def _positive_patch(self, rng: np.random.Generator) -> tuple[_Slab, int, int]:
        """A patch from a positive slab, its centre near a blood pixel: slab, row, column."""
        slab, value = self._positive_slab(rng)
        rows, columns = np.nonzero(self.bank.exams[slab.exam].target_shw[slab.slab] == value)
        chosen = rng.integers(len(rows))
        reach = self.training.jitter * self.config.patch_size
        row, column = np.array([rows[chosen], columns[chosen]]) + rng.uniform(-reach, reach, 2)
        return slab, round(row), round(column)

    def _negative_patch(self, rng: np.random.Generator) -> tuple[_Slab, int, int]:
        """A patch from a slab without blood, its centre anywhere in the brain: slab, row, column."""
        slab = self._pick(self._negative, rng)
        target = self.bank.exams[slab.exam].target_shw[slab.slab]
        inside = np.flatnonzero(target != OUTSIDE)
        row, column = divmod(int(inside[rng.integers(len(inside))]), target.shape[1])
        return slab, row, column

    def _crop(self, slab: _Slab, row: int, column: int, patch: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """(slices, n, m) image and (n, m) target around a pixel of the exam's own crop, wider than the patch."""
        exam = self.bank.exams[slab.exam]
        rows, columns = crop_size(patch)
        channels = neighbour_slabs(len(exam.image_shw), self.config.slices)[slab.slab]
        image = np.zeros((len(channels), rows, columns), np.uint8)
        target = np.full((rows, columns), OUTSIDE, np.uint8)
        _, height, width = exam.image_shw.shape
        top, left = row - rows // 2, column - columns // 2
        here = slice(max(top, 0), min(top + rows, height)), slice(max(left, 0), min(left + columns, width))
        if here[0].start < here[0].stop and here[1].start < here[1].stop:
            there = tuple(slice(s.start - o, s.stop - o) for s, o in zip(here, (top, left), strict=True))
            image[:, there[0], there[1]] = exam.image_shw[channels][:, here[0], here[1]]
            target[there] = exam.target_shw[slab.slab][here]
        return image, target


def crop_size(patch: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the crop that a patch is cut from after augmentation."""
    return int(patch[0] * MARGIN) // 2 * 2, int(patch[1] * MARGIN) // 2 * 2
