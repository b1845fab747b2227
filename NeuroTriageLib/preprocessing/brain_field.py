"""The part of a prepared exam that Ye 2019's networks see: whole images, or the brain with a margin around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..systems.ye2019_config import Ye2019Config
from .intracranial import dilate_in_plane

BLANK_HU = -1024
"""What stands beyond the margin: air, 0 in every window."""
STEP = 16
"""Rows and columns of a box are multiples of this: four poolings before the last convolution."""


@dataclass(frozen=True, eq=False)
class BrainField:
    """What the networks see of an exam, and where it lies on the network's grid.

    Args:
        hu_shw: (s, h, w) int16; whole Hounsfield units, so that the training bank and a fresh exam give the same.
        slabs: (s,) index of each seen slab.
        rows, columns: the box in the (H, W) image; h and w are multiples of 16.
        whole_shape: (S, H, W) of the network's grid.
    """

    hu_shw: np.ndarray
    slabs: np.ndarray
    rows: slice
    columns: slice
    whole_shape: tuple[int, int, int]

    @classmethod
    def of(cls, hu_shw: np.ndarray, brain_shw: np.ndarray, config: Ye2019Config) -> BrainField:
        """The field of an exam on the network's grid; no slabs when the field is the brain and there is none.

        Args:
            hu_shw: (S, H, W) Hounsfield units with skull and face.
            brain_shw: (S, H, W) bool, empty in slabs that are not worth looking at.
        """
        slabs, height, width = hu_shw.shape
        if config.field == "image":
            whole = np.round(hu_shw).astype(np.int16)
            return cls(whole, np.arange(slabs), slice(0, height), slice(0, width), hu_shw.shape)
        seen = np.flatnonzero(brain_shw.any(axis=(1, 2)))
        brain = brain_shw[seen]
        for _ in range(config.margin_pixels):
            brain = dilate_in_plane(brain)
        rows = _box(np.asarray(brain.any(axis=(0, 2))), height)
        columns = _box(np.asarray(brain.any(axis=(0, 1))), width)
        hu = np.round(hu_shw[seen][:, rows, columns]).astype(np.int16)
        hu[~brain[:, rows, columns]] = BLANK_HU
        return cls(hu, seen, rows, columns, hu_shw.shape)

    def paste(self, values_shw: np.ndarray) -> np.ndarray:
        """(s, h, w) values of the field -> (S, H, W), 0 elsewhere."""
        whole = np.zeros(self.whole_shape, dtype=values_shw.dtype)
        whole[self.slabs, self.rows, self.columns] = values_shw
        return whole


def _box(used: np.ndarray, size: int) -> slice:
    """A stretch of a multiple of STEP pixels around the used ones, within the image."""
    index = np.flatnonzero(used)
    first, last = (int(index[0]), int(index[-1])) if len(index) else (size // 2, size // 2)
    length = min(size, -(-(last - first + 1) // STEP) * STEP)
    start = min(max(0, (first + last + 1 - length) // 2), size - length)
    return slice(start, start + length)
