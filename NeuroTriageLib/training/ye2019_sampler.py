"""What Ye 2019's training looks at next: whole exams for the networks, crops of single slabs for their convolutions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..preprocessing.brain_field import BLANK_HU
from .exam_bank import ExamBank
from .labelled_exam import LabelledExam
from .ye2019_recipe import SliceStage, StageName


class ExamSampler:
    """Draws exams of a bank that may still grow.

    Args:
        bank: the training exams.
    """

    def __init__(self, bank: ExamBank[LabelledExam]) -> None:
        self.bank = bank

    def draw(self, stage: StageName, positive_share: float | None, rng: np.random.Generator) -> LabelledExam:
        """One exam for a stage: the five-type network sees bleeding exams only (Ye 2019, supplementary table 2).

        positive_share: of bleeding exams, their types equally often; None draws exams as they are.
        """
        exams = self.bank.exams
        bleeding = [exam for exam in exams if exam.present[0]]
        if stage == "five_type" or (positive_share is not None and rng.random() < positive_share):
            if bleeding:
                return _balanced(bleeding, rng) if positive_share is not None else _any_of(bleeding, rng)
        elif positive_share is not None and len(bleeding) < len(exams):
            exams = [exam for exam in exams if not exam.present[0]]
        return _any_of(exams, rng)

    def epoch_length(self, stage: StageName) -> int:
        """Exams of one epoch (slabs in the convolutions' own stage)."""
        if stage == "slices":
            return max(1, sum(len(exam.field.slabs) for exam in self.bank.exams))
        return max(1, sum(bool(exam.present[0]) or stage == "two_type" for exam in self.bank.exams))


@dataclass(frozen=True, eq=False)
class SliceCrops:
    """Crops of slabs of several exams.

    Args:
        hu: (b, n, n) int16.
        label: (b, n, n) uint8.
    """

    hu: np.ndarray
    label: np.ndarray


class SliceSampler:
    """Draws crops of slabs around blood, its types equally often, and of slabs without blood.

    Args:
        bank: the training exams; refresh() after it has grown.
        settings: of the stage.
    """

    def __init__(self, bank: ExamBank[LabelledExam], settings: SliceStage) -> None:
        self.bank, self.settings = bank, settings
        self.refresh()

    def refresh(self) -> None:
        """List the slabs anew."""
        exams = self.bank.exams
        types = exams[0].pixels_sc.shape[1] if exams else 0
        minimum = self.settings.minimum_pixels
        positive: list[list[tuple[int, int]]] = [[] for _ in range(types)]
        self._empty: list[tuple[int, int]] = []
        for number, exam in enumerate(exams):
            without = np.flatnonzero(~exam.slab_labels(1)[:, 0])
            self._empty += [(number, int(s)) for s in without]
            for s, label in exam.blood.items():
                counts = np.bincount(label.ravel(), minlength=1 + types)[1:]
                for n in np.flatnonzero(counts >= minimum):
                    positive[n].append((number, s))
        self._positive = [places for places in positive if places]
        self._values = [1 + n for n, places in enumerate(positive) if places]

    @property
    def has_blood(self) -> bool:
        """True when an exam has a mask with blood; labels of slices and exams do not say where it lies."""
        return bool(self._positive)

    def draw(self, rng: np.random.Generator) -> SliceCrops:
        """A minibatch; each crop is wide enough to be turned and zoomed into the stage's own crop."""
        settings = self.settings
        reach = math.sqrt(2) if settings.augmentation.rotation_deg else 1.0
        size = 2 * math.ceil(settings.crop * reach / settings.augmentation.scale[0] / 2)
        hu = np.full((settings.batch_size, size, size), BLANK_HU, np.int16)
        label = np.zeros(hu.shape, np.uint8)
        for b in range(settings.batch_size):
            exam, slab, center = self._place(rng)
            _copy(exam.field.hu_shw[slab], center, hu[b])
            if slab in exam.blood:
                _copy(exam.blood[slab], center, label[b])
        return SliceCrops(hu, label)

    def _place(self, rng: np.random.Generator) -> tuple[LabelledExam, int, tuple[int, int]]:
        """Exam, slab, and the crop's centre: near a pixel with blood, or any pixel of the head."""
        positive = self._positive and (not self._empty or rng.random() < self.settings.positive_share)
        if positive:
            n = int(rng.integers(len(self._positive)))
            number, slab = self._positive[n][int(rng.integers(len(self._positive[n])))]
            exam = self.bank.exams[number]
            pixels = np.argwhere(exam.blood[slab] == self._values[n])
            jitter = self.settings.crop // 3  # so that blood lies anywhere but at the very edge; ours
        else:
            number, slab = self._empty[int(rng.integers(len(self._empty)))]
            exam = self.bank.exams[number]
            pixels = np.argwhere(exam.field.hu_shw[slab] > BLANK_HU)
            jitter = 0
        middle = pixels[int(rng.integers(len(pixels)))] if len(pixels) else np.array(exam.field.hu_shw.shape[1:]) // 2
        row, column = (int(value) for value in middle + rng.integers(-jitter, jitter + 1, 2))
        return exam, slab, (row, column)


def _balanced(exams: list[LabelledExam], rng: np.random.Generator) -> LabelledExam:
    """An exam that shows a type drawn first, each type equally often."""
    present = np.stack([exam.present[1:] for exam in exams])  # (exams, N)
    shown = np.flatnonzero(present.any(axis=0))
    members = np.flatnonzero(present[:, shown[int(rng.integers(len(shown)))]])
    return exams[int(members[int(rng.integers(len(members)))])]


def _any_of(exams: list[LabelledExam], rng: np.random.Generator) -> LabelledExam:
    return exams[int(rng.integers(len(exams)))]


def _copy(source: np.ndarray, center: tuple[int, int], target: np.ndarray) -> None:
    """The part of source around center into target; what lies beyond the source stays as it is."""
    half = len(target) // 2
    spans = []
    for middle, length in zip(center, source.shape, strict=True):
        first, last = max(0, middle - half), min(length, middle + half)
        spans.append((slice(first, max(first, last)), slice(first - middle + half, max(first, last) - middle + half)))
    (rows, to_rows), (columns, to_columns) = spans
    target[to_rows, to_columns] = source[rows, columns]
