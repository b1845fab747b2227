"""An exam as PatchFCN sees it: windowed to 8 bits inside the skull, cropped to the brain, small enough for memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.codes import ANY
from ..preprocessing.windows import apply_window
from ..review.labels import SEGMENT_VALUES
from .exam_bank import BankExam, span

OUTSIDE = 255
"""Target value of pixels outside the intracranial space; blood that the skull removal lost counts as outside."""

UNTYPED = SEGMENT_VALUES[ANY]
"""Target value of blood whose type nobody said."""


@dataclass(frozen=True, eq=False)
class WindowedExam:
    """One exam, cropped to its intracranial space.

    Args:
        image_shw: (S, h, w) uint8, 255 times the network's 0-1 image; 0 outside the brain.
        target_shw: (S, h, w) uint8, 0 no blood, 1... the types in label order, UNTYPED, OUTSIDE.
        corner: row and column of the crop in the network's image.
        image_size: rows and columns of the network's image.
        truth: what the simulation knows.
    """

    image_shw: np.ndarray
    target_shw: np.ndarray
    corner: tuple[int, int]
    image_size: int
    truth: dict[str, Any]

    @classmethod
    def of(cls, exam: BankExam, window_hu: tuple[float, float]) -> WindowedExam:
        """The view of a bank's exam through a window."""
        rows, columns = (span(np.asarray(exam.brain_shw.any(axis=axes))) for axes in ((0, 2), (0, 1)))
        brain = exam.brain_shw[:, rows, columns]
        image = np.round(apply_window(exam.hu_shw[:, rows, columns], window_hu) * 255).astype(np.uint8)
        return cls(
            image_shw=np.where(brain, image, 0).astype(np.uint8),
            target_shw=np.where(brain, exam.label_shw[:, rows, columns], OUTSIDE).astype(np.uint8),
            corner=(exam.corner[0] + rows.start, exam.corner[1] + columns.start),
            image_size=exam.image_size,
            truth=exam.truth,
        )

    def whole(self) -> tuple[np.ndarray, np.ndarray]:
        """(S, H, W) float32 image 0-1 and uint8 target of the network's whole image, as inference sees it."""
        shape = (len(self.image_shw), self.image_size, self.image_size)
        image, target = np.zeros(shape, np.float32), np.full(shape, OUTSIDE, np.uint8)
        _, height, width = self.image_shw.shape
        rows = slice(self.corner[0], self.corner[0] + height)
        columns = slice(self.corner[1], self.corner[1] + width)
        image[:, rows, columns] = self.image_shw / np.float32(255)
        target[:, rows, columns] = self.target_shw
        return image, target
