"""MR series on the grid of a reference series by scanner coordinates, and maps on that grid back on their source.

Nael 2021, Methods: images are resampled to the coordinate grid of a reference contrast and resized to 256 x 256 in
plane and 32 out of plane. The directions are made the same for every exam (ours), so that flipped and turned stacks
look alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..core.geometry import SliceGrid
from .axis_matrices import interpolation_rows

SHAPE_KJI = (32, 256, 256)
"""Out of plane, rows, columns (Nael 2021, Methods)."""

MAX_SAMPLES = 5
"""Samples across a thick slice when thinner slices are averaged into it (ours; the paper does not say)."""

_OUTSIDE = -3.0e38  # what the resampling gives beyond the source; no image has such values

# LPS directions of i (columns), j (rows) and k, by the axis of the slices' normal: sagittal, coronal, axial. Rows run
# down the displayed image, the stack from right to left, from front to back, and from foot to head.
_CANONICAL = {
    0: ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
    1: ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    2: ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}


@dataclass(frozen=True, eq=False)
class Resampled:
    """An image on another grid.

    Args:
        array_kji: (K, J, I) float32, 0 where the source does not reach.
        covered_kji: (K, J, I) bool, where the source reaches.
    """

    array_kji: np.ndarray
    covered_kji: np.ndarray

    @property
    def covered_share(self) -> float:
        """Share of the grid that the source covers."""
        return float(self.covered_kji.mean())


def reference_grid(source: SliceGrid, shape_kji: tuple[int, int, int] = SHAPE_KJI) -> SliceGrid:
    """The network's grid: the extent of a reference series in canonical directions and a fixed number of voxels.

    Args:
        source: grid of the reference series; uneven slices give the regular grid of the same extent.
        shape_kji: slices, rows, columns.
    """
    affine = _canonical(source)
    lengths = np.array([np.linalg.norm(affine[:3, axis]) for axis in range(3)])
    counts_ijk = np.array(shape_kji[::-1])
    edge = affine[:3, 3] - affine[:3, :3] @ np.full(3, 0.5)
    scaled = affine.copy()
    extent_voxels = np.array(_canonical_counts(source))
    scaled[:3, :3] = affine[:3, :3] * (extent_voxels / counts_ijk)
    scaled[:3, 3] = edge + scaled[:3, :3] @ np.full(3, 0.5)
    thickness = lengths[2] * extent_voxels[2] / counts_ijk[2]
    return SliceGrid.from_affine(shape_kji, scaled, float(thickness))


def _order(source: SliceGrid) -> tuple[list[int], list[bool]]:
    """Which source axis (0 i, 1 j, 2 k) each canonical axis takes, and whether it is reversed."""
    columns = source.affine_ijk_to_lps[:3, :3]
    wanted = np.array(_CANONICAL[int(np.abs(source.normal).argmax())], dtype=float)
    in_plane = [0, 1] if abs(columns[:, 0] @ wanted[0]) / np.linalg.norm(columns[:, 0]) >= 0.5**0.5 else [1, 0]
    axes = [*in_plane, 2]
    return axes, [bool(columns[:, axis] @ wanted[place] < 0) for place, axis in enumerate(axes)]


def _canonical_counts(source: SliceGrid) -> tuple[int, int, int]:
    counts = source.shape_kji[::-1]
    axes, _ = _order(source)
    return counts[axes[0]], counts[axes[1]], counts[axes[2]]


def _canonical(source: SliceGrid) -> np.ndarray:
    """(4, 4) the source's regular affine with its axes permuted and reversed into canonical order."""
    affine, counts = source.affine_ijk_to_lps, source.shape_kji[::-1]
    axes, reversed_ = _order(source)
    result = affine.copy()
    for place, (axis, flip) in enumerate(zip(axes, reversed_, strict=True)):
        result[:3, place] = -affine[:3, axis] if flip else affine[:3, axis]
        if flip:
            result[:3, 3] = result[:3, 3] + affine[:3, axis] * (counts[axis] - 1)
    return result


def resample(array_kji: np.ndarray, source: SliceGrid, target: SliceGrid) -> Resampled:
    """Linear interpolation by scanner coordinates; thin slices are averaged over the thickness of the target's.

    Args:
        array_kji: values on the source's grid.
        source, target: any geometry: oblique, flipped, tilted, uneven. Nothing is registered.
    """
    image, index_of_lps = _index_space(np.asarray(array_kji, dtype=np.float32), source)
    offsets = _slice_offsets(target, index_of_lps)
    count, rows, columns = target.shape_kji
    array = np.zeros((count, rows, columns), np.float32)
    covered = np.zeros((count, rows, columns), bool)
    for k in range(count):
        planes = [
            _plane(image, index_of_lps, target, target.origins_lps_mm[k] + offset * target.normal) for offset in offsets
        ]
        seen = np.array([plane > _OUTSIDE / 2 for plane in planes])
        hits = seen.sum(0)
        total = np.where(seen, planes, 0.0).sum(0)
        array[k] = total / np.maximum(hits, 1)
        covered[k] = hits > 0
    return Resampled(array, covered)


def _index_space(array: np.ndarray, source: SliceGrid) -> tuple[sitk.Image, np.ndarray]:
    """The image in its own index space, and the (4, 4) from LPS to it; uneven slices are made even first."""
    if source.shape_kji[0] > 1 and not source.is_regular:
        array, source = _evened(array, source)
    # One slice has no neighbours to interpolate with: it is repeated, and stands for its thickness.
    affine = source.affine_ijk_to_lps
    if source.shape_kji[0] == 1:
        array = np.concatenate([array, array])
        affine = affine.copy()
        affine[:3, 3] -= affine[:3, 2] / 2
    return sitk.GetImageFromArray(array), np.linalg.inv(affine)


def _evened(array: np.ndarray, source: SliceGrid) -> tuple[np.ndarray, SliceGrid]:
    """Uneven slices interpolated along the stack onto even ones at their smallest distance."""
    places = np.asarray(source.slice_positions_mm, dtype=float)
    places = np.abs(places - places[0])
    step = float(np.diff(places).min())
    even = np.linspace(0.0, places[-1], max(2, round(places[-1] / step) + 1))
    rows = interpolation_rows(places, even)
    k = np.interp(even, places, np.arange(len(places)))
    origins = source.voxel_to_lps(np.stack([np.zeros_like(k), np.zeros_like(k), k], axis=-1))
    grid = SliceGrid(
        shape_kji=(len(even), *source.shape_kji[1:]),
        origins_lps_mm=origins,
        direction_i=source.direction_i,
        direction_j=source.direction_j,
        spacing_i_mm=source.spacing_i_mm,
        spacing_j_mm=source.spacing_j_mm,
        slice_thickness_mm=source.slice_thickness_mm,
    )
    return np.tensordot(rows, array, axes=1).astype(np.float32), grid


def _slice_offsets(target: SliceGrid, index_of_lps: np.ndarray) -> np.ndarray:
    """(N,) mm along the target's normal at which each of its slices is sampled; (0,) unless the source is finer."""
    step = float(np.median(target.slice_spacings_mm)) if target.shape_kji[0] > 1 else target.slice_thickness_mm
    crossed = np.abs(index_of_lps[:3, :3] @ target.normal).max() * step
    count = int(np.clip(np.ceil(crossed - 0.5), 1, MAX_SAMPLES))
    return ((np.arange(count) + 0.5) / count - 0.5) * step


def _plane(image: sitk.Image, index_of_lps: np.ndarray, target: SliceGrid, origin: np.ndarray) -> np.ndarray:
    """(J, I) the image on one plane of the target; _OUTSIDE beyond it."""
    in_plane = np.stack([target.direction_i * target.spacing_i_mm, target.direction_j * target.spacing_j_mm], axis=1)
    matrix = np.zeros((3, 3))
    matrix[:, :2] = index_of_lps[:3, :3] @ in_plane
    matrix[:, 2] = index_of_lps[:3, :3] @ target.normal
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix.ravel().tolist())
    transform.SetTranslation((index_of_lps[:3, :3] @ origin + index_of_lps[:3, 3]).tolist())
    _, rows, columns = target.shape_kji
    plane = sitk.Resample(
        image, (columns, rows, 1), transform, sitk.sitkLinear, (0.0,) * 3, (1.0,) * 3, (), _OUTSIDE, sitk.sitkFloat32
    )
    return np.asarray(sitk.GetArrayFromImage(plane)[0])
