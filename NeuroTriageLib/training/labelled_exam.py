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
    """

    field: BrainField
    pixels_sc: np.ndarray
    blood: dict[int, np.ndarray]
    present: np.ndarray

    @classmethod
    def of(cls, exam: BankExam, config: Ye2019Config) -> LabelledExam:
        """The view of a bank's exam."""
        hu, brain, label = exam.whole()
        field = BrainField.of(hu, brain, config)
        types = np.arange(1, 1 + len(config.codes))
        pixels = np.stack([(label == value).sum(axis=(1, 2)) for value in types], axis=1)  # (S, N)
        shown = label[field.slabs][:, field.rows, field.columns]
        blood = {int(s): shown[s].copy() for s in np.flatnonzero(shown.any(axis=(1, 2)))}
        present = pixels.any(axis=0)
        return cls(field, pixels[field.slabs], blood, np.concatenate([[present.any()], present]))

    def slab_labels(self, minimum_pixels: int) -> np.ndarray:
        """(s, 1 + N) bool, any first: types with at least this many pixels in the slab."""
        shown = self.pixels_sc >= minimum_pixels
        return np.concatenate([shown.any(axis=1, keepdims=True), shown], axis=1)

    def label_of(self, slab: int) -> np.ndarray:
        """(h, w) uint8 labels of a slab of the field."""
        label = self.blood.get(slab)
        return label if label is not None else np.zeros(self.field.hu_shw.shape[1:], np.uint8)
