"""A head of ellipsoids with one ball in it, sampled on any grid: scalp, skull, brain, and a lesion of known place."""

from __future__ import annotations

import numpy as np

from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.volume import Volume

BRAIN_HU, LESION_HU = 34.0, 0.0  # the lesion is dark, so that partial volume at the skull never looks like it
LESION_CENTER_MM, LESION_RADIUS_MM = np.array([22.0, -18.0, 12.0]), 16.0


def head(grid: SliceGrid, lesion: bool = True) -> Volume:
    """The head, its middle at LPS (0, 0, 0)."""
    k, j, i = np.indices(grid.shape_kji)
    points = grid.voxel_to_lps(np.stack([i, j, k], axis=-1))  # (K, J, I, 3)
    hu = np.full(grid.shape_kji, -1000.0)
    for radii, value in (((82, 102, 92), 20.0), ((77, 97, 87), 900.0), ((70, 90, 80), BRAIN_HU)):
        hu[((points / radii) ** 2).sum(-1) <= 1.0] = value
    if lesion:
        hu[lesion_mask(grid)] = LESION_HU
    return Volume(hu.astype(np.int16), grid)


def lesion_mask(grid: SliceGrid) -> np.ndarray:
    """(K, J, I) bool: voxels whose centre lies in the lesion."""
    k, j, i = np.indices(grid.shape_kji)
    points = grid.voxel_to_lps(np.stack([i, j, k], axis=-1))
    return np.asarray(((points - LESION_CENTER_MM) ** 2).sum(-1) <= LESION_RADIUS_MM**2)


def stack(
    *,
    steps_mm: np.ndarray | None = None,
    tilt_deg: float = 0.0,
    turn_deg: float = 0.0,
    feet_last: bool = False,
    mirrored: bool = False,
    size: int = 128,
) -> SliceGrid:
    """Axial slices around the origin: tilted gantry, head turned in plane, stacked downwards, rows from the back."""
    steps = np.full(31, 5.0) if steps_mm is None else steps_mm
    heights = np.concatenate([[0.0], np.cumsum(steps)])
    heights -= heights[-1] / 2
    if feet_last:
        heights = heights[::-1]
    turn, tilt = np.radians(turn_deg), np.radians(tilt_deg)
    direction_i = np.array([np.cos(turn), np.sin(turn), 0.0])
    in_plane = np.cross([0.0, 0.0, 1.0], direction_i)
    direction_j = np.cos(tilt) * in_plane + np.sin(tilt) * np.array([0.0, 0.0, 1.0])  # rows climb: a tilted gantry
    if mirrored:
        direction_j = -direction_j
    spacing = 1.8
    corner = -(size - 1) / 2 * spacing * (direction_i + direction_j)
    origins = corner + heights[:, None] * np.array([0.0, 0.0, 1.0])
    return SliceGrid((len(heights), size, size), origins, direction_i, direction_j, spacing, spacing, 5.0)
