"""Boxes around the bleeds of one slab: what a detector learns from, made of a label map."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

# All ours; Chang 2018 drew instances by hand. Blood of one type that is closer than two of these joins one instance, so
# that blood in neighbouring sulci is not twenty boxes.
JOIN_PIXELS = 2
MINIMUM_PIXELS = 3  # fewer are not a box; at 0.9 mm this is 2.4 mm2
MINIMUM_SIDE = 4.0  # pixels; smaller boxes are widened around their middle, for offsets that can be learned


def instance_boxes(types_hw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (g, 4) float32 at pixel edges (top, left, bottom, right) and types (g,) int64 of a slab.

    Args:
        types_hw: (h, w) uint8, 0 no blood, 1... the types.
    """
    boxes, kinds = [], []
    for kind in np.flatnonzero(np.bincount(types_hw.ravel(), minlength=2)[1:]) + 1:
        mask = types_hw == kind
        grown = sitk.BinaryDilate(sitk.GetImageFromArray(mask.astype(np.uint8)), (JOIN_PIXELS, JOIN_PIXELS))
        parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(grown, True)) * mask
        rows, columns = np.nonzero(parts)
        members = parts[rows, columns]
        for number in np.flatnonzero(np.bincount(members) >= MINIMUM_PIXELS):
            mine = members == number
            row, column = rows[mine], columns[mine]
            boxes.append(_at_least((row.min(), column.min(), row.max() + 1, column.max() + 1)))
            kinds.append(kind)
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(kinds, np.int64)


def _at_least(box: tuple[int, int, int, int]) -> tuple[float, float, float, float]:
    top, left, bottom, right = box
    rows, columns = max(0.0, MINIMUM_SIDE - (bottom - top)) / 2, max(0.0, MINIMUM_SIDE - (right - left)) / 2
    return top - rows, left - columns, bottom + rows, right + columns
