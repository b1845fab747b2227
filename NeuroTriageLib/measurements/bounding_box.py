"""The smallest box that holds a mask."""

from __future__ import annotations

import numpy as np

Box = tuple[slice, slice, slice]
"""Slices k, j, i."""


def bounding_box(mask_kji: np.ndarray) -> Box | None:
    """The smallest box that holds every voxel that is not 0; None for an empty mask (K, J, I)."""
    in_slice = np.asarray(mask_kji.any(axis=(1, 2)))
    if not in_slice.any():
        return None
    k = _span(in_slice)
    flat_ji = np.asarray(mask_kji[k].any(axis=0))
    return k, _span(np.asarray(flat_ji.any(axis=1))), _span(np.asarray(flat_ji.any(axis=0)))


def _span(is_inside: np.ndarray) -> slice:
    inside = np.flatnonzero(is_inside)
    return slice(int(inside[0]), int(inside[-1]) + 1)
