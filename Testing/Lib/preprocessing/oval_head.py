"""A head made of ovals, evaluated at any voxel of any grid, so that every orientation shows the same patient."""

from __future__ import annotations

import numpy as np

from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.volume import Volume

BRAIN_RADII_MM = np.array([65.0, 80.0, 60.0])
CENTER_LPS_MM = np.array([4.0, -7.0, 30.0])
SKULL_MM, SCALP_MM = 5.0, 6.0
AIR, SCALP, BONE, BRAIN, BLOOD = -1000, 45, 900, 32, 70


def depth_mm(points_lps_mm: np.ndarray) -> np.ndarray:
    """About how deep points (..., 3) lie below the inner table; negative outside."""
    scaled = np.linalg.norm((points_lps_mm - CENTER_LPS_MM) / BRAIN_RADII_MM, axis=-1)
    return (1 - scaled) * BRAIN_RADII_MM.mean()


def voxel_points(grid: SliceGrid) -> np.ndarray:
    """(K, J, I, 3) LPS centres of all voxels."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape_kji), indexing="ij")
    return grid.voxel_to_lps(np.stack([i, j, k], axis=-1))


def head_on(grid: SliceGrid, blood: np.ndarray | None = None, noise_hu: float = 3.0) -> Volume:
    """The head in HU on a grid; blood (K, J, I) bool replaces brain."""
    depth = depth_mm(voxel_points(grid))
    hu = np.select(
        [depth > 0, depth > -SKULL_MM, depth > -SKULL_MM - SCALP_MM], [BRAIN, BONE, SCALP], default=AIR
    ).astype(np.float32)
    if blood is not None:
        hu[blood] = BLOOD
    hu += np.random.default_rng(0).normal(0, noise_hu, hu.shape)
    return Volume(hu.round().astype(np.int16), grid)


def axial_grid(
    *,
    count: int = 26,
    spacing_k_mm: float = 5.0,
    pixel_mm: float = 1.0,
    size: int = 200,
    direction_i: tuple[float, float, float] = (1.0, 0.0, 0.0),
    direction_j: tuple[float, float, float] = (0.0, 1.0, 0.0),
    heights_mm: np.ndarray | None = None,
    shear_j: float = 0.0,
) -> SliceGrid:
    """A grid around the head; slices are stacked along their normal (plus shear_j x height along direction_j)."""
    di, dj = np.asarray(direction_i), np.asarray(direction_j)
    normal = np.cross(di, dj)
    heights = (np.arange(count) - (count - 1) / 2) * spacing_k_mm if heights_mm is None else heights_mm
    middle = CENTER_LPS_MM - (size - 1) / 2 * pixel_mm * (di + dj)
    origins = middle + heights[:, None] * (normal + shear_j * dj)
    return SliceGrid((len(heights), size, size), origins, di, dj, pixel_mm, pixel_mm, spacing_k_mm)
