"""Grids of every awkward kind, and bodies of known volume drawn on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from NeuroTriageLib.core.geometry import SliceGrid

Inside = Callable[[np.ndarray], np.ndarray]
"""Tells which LPS points (..., 3) lie inside a body."""


def rotation(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    """3x3 rotation about an axis (Rodrigues)."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def make_grid(
    *,
    shape_kji: tuple[int, int, int] = (48, 100, 100),
    spacing_mm: tuple[float, float] = (1.0, 1.0),
    steps_mm: np.ndarray | float = 2.0,
    orientation: np.ndarray | None = None,
    tilt_deg: float = 0.0,
) -> SliceGrid:
    """A stack whose middle lies near the LPS origin.

    Args:
        spacing_mm: pixel spacing along i and j.
        steps_mm: distance between neighbouring planes, one or (K - 1,).
        orientation: 3x3 whose columns are direction_i, direction_j and the way the stack grows.
        tilt_deg: gantry tilt; each slice is shifted along j by tan(tilt) x its height.
    """
    axes = np.eye(3) if orientation is None else orientation
    heights = np.concatenate([[0.0], np.cumsum(np.broadcast_to(steps_mm, shape_kji[0] - 1))])
    heights -= heights[-1] / 2
    half = -np.array([(shape_kji[2] - 1) * spacing_mm[0], (shape_kji[1] - 1) * spacing_mm[1]]) / 2
    corner = half[0] * axes[:, 0] + half[1] * axes[:, 1]
    shear = axes[:, 2] + np.tan(np.radians(tilt_deg)) * axes[:, 1]
    return SliceGrid(
        shape_kji=shape_kji,
        origins_lps_mm=corner + heights[:, None] * shear,
        direction_i=axes[:, 0],
        direction_j=axes[:, 1],
        spacing_i_mm=spacing_mm[0],
        spacing_j_mm=spacing_mm[1],
        slice_thickness_mm=float(np.median(steps_mm)),
    )


UNEVEN_STEPS_MM = np.where(np.arange(47) < 20, 1.2, 2.5)
GAP_STEPS_MM = np.where(np.arange(47) == 22, 5.0, 1.8)

GRIDS: dict[str, SliceGrid] = {
    "plain": make_grid(),
    "anisotropic pixels": make_grid(spacing_mm=(0.7, 1.1), shape_kji=(48, 90, 140)),
    "tilted": make_grid(tilt_deg=18.5),
    "tilted the other way": make_grid(tilt_deg=-25.0),
    "oblique": make_grid(orientation=rotation((1, 2, 3), 33)),
    "oblique and tilted": make_grid(orientation=rotation((3, -1, 2), 40), tilt_deg=15),
    "uneven": make_grid(steps_mm=UNEVEN_STEPS_MM),
    "with a gap": make_grid(steps_mm=GAP_STEPS_MM),
    "uneven and tilted": make_grid(steps_mm=UNEVEN_STEPS_MM, tilt_deg=20),
    "head first to feet": make_grid(orientation=np.diag([1.0, 1.0, -1.0])),
    "rows flipped": make_grid(orientation=np.diag([-1.0, 1.0, 1.0])),
    "all flipped": make_grid(orientation=np.diag([-1.0, -1.0, -1.0]), steps_mm=UNEVEN_STEPS_MM),
    "coronal": make_grid(orientation=np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])),
}


def rasterise(grid: SliceGrid, inside: Inside, *, fine: int = 1) -> np.ndarray:
    """(K, J, I) bool: voxels of which more than half of fine^3 sample points lie inside the body (fine is odd).

    Sample points fill the voxel: in plane the pixel, across it the extent that the slice stands for. Only voxels
    that differ from one of their 26 neighbours are sampled.
    """
    k, j, i = np.indices(grid.shape_kji)
    mask = inside(grid.voxel_to_lps(np.stack([i, j, k], axis=-1)))
    if fine == 1:
        return mask
    padded = np.pad(mask, 1, mode="edge")
    around = np.stack([padded[1:-1, 1:-1, n : n + mask.shape[2]] for n in range(3)])
    for axis in (0, 1):
        joined = np.pad(around, [(0, 0), *[(1, 1) if a == axis else (0, 0) for a in range(3)]], mode="edge")
        around = np.concatenate([joined.take(range(n, n + mask.shape[axis]), axis=axis + 1) for n in range(3)])
    edge = around.any(axis=0) & ~around.all(axis=0)
    ek, ej, ei = np.nonzero(edge)
    offsets = (np.arange(fine) + 0.5) / fine - 0.5
    hits = np.zeros(len(ek), np.int32)
    centers = grid.voxel_to_lps(np.stack([ei, ej, ek], axis=-1))
    across = grid.slice_extents_mm[ek, None] * grid.normal
    along_i, along_j = grid.direction_i * grid.spacing_i_mm, grid.direction_j * grid.spacing_j_mm
    for height in offsets:
        for shift_j in offsets:
            for shift_i in offsets:
                hits += inside(centers + height * across + shift_i * along_i + shift_j * along_j)
    mask[edge] = hits * 2 > fine**3
    return mask


def ellipsoid(center_lps_mm: np.ndarray, axes: np.ndarray, radii_mm: tuple[float, float, float]) -> Inside:
    """An ellipsoid whose half axes lie along the columns of axes."""

    def inside(points: np.ndarray) -> np.ndarray:
        return ((((points - center_lps_mm) @ axes) / np.asarray(radii_mm)) ** 2).sum(-1) <= 1

    return inside


def box(center_lps_mm: np.ndarray, axes: np.ndarray, halves_mm: tuple[float, float, float]) -> Inside:
    """A box whose edges lie along the columns of axes."""

    def inside(points: np.ndarray) -> np.ndarray:
        return (np.abs((points - center_lps_mm) @ axes) <= np.asarray(halves_mm)).all(-1)

    return inside


def shell(center_lps_mm: np.ndarray, direction: np.ndarray, radii_mm: tuple[float, float], half_deg: float) -> Inside:
    """A part of a spherical shell: between two radii, within half_deg of a direction (a crescent in every slice).

    Its volume is 2 pi / 3 x (outer^3 - inner^3) x (1 - cos half_deg).
    """

    def inside(points: np.ndarray) -> np.ndarray:
        offset = points - center_lps_mm
        distance = np.linalg.norm(offset, axis=-1)
        cosine = offset @ direction / np.maximum(distance, 1e-9)
        return (distance >= radii_mm[0]) & (distance <= radii_mm[1]) & (cosine >= np.cos(np.radians(half_deg)))

    return inside


def plane_axes(grid: SliceGrid) -> np.ndarray:
    """3x3 whose columns are direction_i, direction_j and the normal of the slices."""
    return np.column_stack([grid.direction_i, grid.direction_j, grid.normal])
