"""Distances in millimetres between the surfaces of two masks, exact on tilted, uneven and oblique stacks."""

from __future__ import annotations

import numpy as np

from ..core.geometry import SliceGrid

HD_PERCENTILE = 95.0

PAIRS_AT_ONCE = 2_000_000
"""Distances computed together: bounds the memory (ours)."""


def hd95_mm(a_kji: np.ndarray, b_kji: np.ndarray, grid: SliceGrid) -> float | None:
    """The 95 % Hausdorff distance of two boolean masks (K, J, I); None when one of them is empty.

    The larger of the two directed distances: 95 of 100 surface voxels of the one lie no further than this from the
    nearest surface voxel of the other (Maier-Hein 2024, Nature Methods 21:195). Voxels are taken at their centres.
    """
    if not a_kji.any() or not b_kji.any():
        return None
    a, b = _Surface(a_kji, grid), _Surface(b_kji, grid)
    return float(max(np.percentile(a.distances_to(b), HD_PERCENTILE), np.percentile(b.distances_to(a), HD_PERCENTILE)))


def surface(mask_kji: np.ndarray) -> np.ndarray:
    """(K, J, I) bool: the voxels of a mask with a face that is not shared with it; the image's border is outside."""
    inner = np.pad(mask_kji, 1)
    core = mask_kji.copy()
    for axis in range(3):
        for shift in (-1, 1):
            core &= np.roll(inner, shift, axis)[1:-1, 1:-1, 1:-1]
    return np.asarray(mask_kji & ~core)


class _Surface:
    """The surface voxels of a mask slice by slice: in-plane places in mm, and the height of each slice."""

    def __init__(self, mask_kji: np.ndarray, grid: SliceGrid) -> None:
        filled = [np.flatnonzero(mask_kji.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
        box = tuple(slice(int(f[0]), int(f[-1]) + 1) for f in filled)
        k, j, i = np.nonzero(surface(mask_kji[box]))
        start_k, start_j, start_i = (part.start for part in box)
        points = grid.voxel_to_lps(np.stack([i + start_i, j + start_j, k + start_k], axis=-1))
        in_plane = np.stack([points @ grid.direction_i, points @ grid.direction_j], axis=-1)
        slices = np.unique(k)
        self.points_mm = [in_plane[k == one] for one in slices]
        self.heights_mm = grid.slice_positions_mm[slices + start_k]

    def distances_to(self, other: _Surface) -> np.ndarray:
        """(N,) distance of each surface voxel to the nearest one of the other surface."""
        return np.concatenate([self._of_slice(n, other) for n in range(len(self.heights_mm))])

    def _of_slice(self, number: int, other: _Surface) -> np.ndarray:
        """Nearest slices first; a slice further away than what is already reached changes nothing."""
        points = self.points_mm[number]
        apart_mm = np.abs(other.heights_mm - self.heights_mm[number])
        nearest = np.full(len(points), np.inf)  # squared
        for m in np.argsort(apart_mm, kind="stable"):
            open_ = np.flatnonzero(nearest > apart_mm[m] ** 2)
            if not len(open_):
                break
            in_plane = _nearest_squared(points[open_], other.points_mm[m])
            nearest[open_] = np.minimum(nearest[open_], in_plane + apart_mm[m] ** 2)
        return np.sqrt(nearest)


def _nearest_squared(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(N,) squared distance of points (N, 2) to the nearest of targets (M, 2)."""
    at_once = max(1, PAIRS_AT_ONCE // len(targets))
    parts = []
    for first in range(0, len(points), at_once):
        part = points[first : first + at_once]
        squared = (part[:, :1] - targets[:, 0]) ** 2
        squared += (part[:, 1:] - targets[:, 1]) ** 2
        parts.append(squared.min(axis=1))
    return np.concatenate(parts)
