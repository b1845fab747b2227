"""Volume of a mask in mL, slice by slice, on any SliceGrid; size classes; the slice to look at."""

from __future__ import annotations

import numpy as np

from ..core.findings import SizeClass
from ..core.geometry import SliceGrid

# Size classes in mL (Chang 2018, table 2: large > 25, medium 5-25, small 0.01-5, punctate < 0.01). Which class the
# bounds themselves belong to is not stated; ours.
LARGE_ABOVE_ML = 25.0
MEDIUM_FROM_ML = 5.0
SMALL_FROM_ML = 0.01


def slice_volumes_ml(mask_kji: np.ndarray, grid: SliceGrid) -> np.ndarray:
    """(K,) mL of a boolean mask (K, J, I) in each slice.

    Every slice stands for the distance half-way to its two neighbours, so that uneven stacks and gaps count with
    what they span, and a tilted stack with the distance across its planes.
    """
    return np.count_nonzero(mask_kji, axis=(1, 2)) * grid.voxel_volumes_ml


def mask_volume_ml(mask_kji: np.ndarray, grid: SliceGrid) -> float:
    """Volume in mL of a boolean mask (K, J, I)."""
    return float(slice_volumes_ml(mask_kji, grid).sum())


def size_class(volume_ml: float) -> SizeClass | None:
    """The class of a volume in mL; None for an empty mask."""
    if volume_ml <= 0:
        return None
    if volume_ml > LARGE_ABOVE_ML:
        return "large"
    if volume_ml >= MEDIUM_FROM_ML:
        return "medium"
    return "small" if volume_ml >= SMALL_FROM_ML else "punctate"


def largest_slice(mask_kji: np.ndarray) -> int | None:
    """Index k of the slice with the largest area, the middle one of several equal ones; None for an empty mask."""
    return slice_of_largest_area(np.count_nonzero(mask_kji, axis=(1, 2)))


def slice_of_largest_area(areas: np.ndarray) -> int | None:
    """The same from the areas of the slices (K,)."""
    if not areas.any():
        return None
    largest = np.flatnonzero(areas == areas.max())
    return int(largest[(len(largest) - 1) // 2])
