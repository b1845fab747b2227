"""An exam as Ye 2019's training sees it: the networks' field in Hounsfield units, and what each slab shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..preprocessing.brain_field import BrainField
from ..systems.ye2019_config import Ye2019Config
from .exam_bank import BankExam


@dataclass(frozen=True, eq=False)
class LabelledExam:
    """One exam.

    Args:
        field: what the networks see.
        pixels_sc: (s, N) blood pixels of each type in each slab, inside the field or not.
        blood: index of a slab with blood in the field -> (h, w) uint8 labels of its pixels.
        present: (1 + N,) bool, what the exam holds, any first; also in slabs that are not seen.
        said: (s, 1 + N) bool, what each slab shows, of an exam without a mask; None with one.
        knows_slabs: False where only the whole exam has labels; then `said` repeats them for every slab.
    """

    field: BrainField
    pixels_sc: np.ndarray
    blood: dict[int, np.ndarray]
    present: np.ndarray
    said: np.ndarray | None = None
    knows_slabs: bool = True

    @classmethod
    def of(cls, exam: BankExam, config: Ye2019Config) -> LabelledExam:
        """The view of a bank's exam."""
        hu, brain, label = exam.whole()
        field = BrainField.of(hu, brain, config)
        if known := exam.truth.get("known"):  # see case_exams.py
            return cls._without_mask(field, np.array(known["exam"], bool), known["slabs"])
        types = np.arange(1, 1 + len(config.codes))
        pixels = np.stack([(label == value).sum(axis=(1, 2)) for value in types], axis=1)  # (S, N)
        shown = label[field.slabs][:, field.rows, field.columns]
        blood = {int(s): shown[s].copy() for s in np.flatnonzero(shown.any(axis=(1, 2)))}
        present = pixels.any(axis=0)
        return cls(field, pixels[field.slabs], blood, np.concatenate([[present.any()], present]))

    @classmethod
    def _without_mask(cls, field: BrainField, present: np.ndarray, slabs: list[list[bool]] | None) -> LabelledExam:
        count = len(field.slabs)
        said = np.tile(present, (count, 1)) if slabs is None else np.array(slabs, bool)[field.slabs]
        return cls(field, np.zeros((count, len(present) - 1), int), {}, present, said, slabs is not None)

    def slab_labels(self, minimum_pixels: int) -> np.ndarray:
        """(s, 1 + N) bool, any first: types with at least this many pixels in the slab, or that it is said to show."""
        if self.said is not None:
            return self.said
        shown = self.pixels_sc >= minimum_pixels
        return np.concatenate([shown.any(axis=1, keepdims=True), shown], axis=1)

    def label_of(self, slab: int) -> np.ndarray:
        """(h, w) uint8 labels of a slab of the field."""
        label = self.blood.get(slab)
        return label if label is not None else np.zeros(self.field.hu_shw.shape[1:], np.uint8)
