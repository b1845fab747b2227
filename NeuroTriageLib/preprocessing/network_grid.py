"""From a head CT of any geometry to the network's slabs, and back to the voxels of the source, exactly.

One code for training and inference. Every step along an axis is a small matrix (slabs x slices, rows x rows, columns x
columns), so flips, spacing and centring are in the matrices and the way back is built from the same positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from ..core.geometry import SliceGrid
from ..core.volume import Volume
from .axis_matrices import area_matrix, interpolation_rows_any, linear_matrix, positions
from .intracranial import COARSE_SPACING_MM, dilate_in_plane, intracranial_mask, refine_mask
from .slab_layout import DisplayAxes, slab_layout
from .windows import apply_window

AIR_HU = -1024.0
MINIMUM_BRAIN_MM2 = 100.0  # a slab with less intracranial area than this holds nothing to look at; ours
FIELD_PERCENTILES = (1.0, 99.0)  # the field is centred between these of the brain's columns and rows; ours


class NetworkGridSettings(Protocol):
    """What prepare needs of a system's config."""

    @property
    def pixel_spacing_mm(self) -> float:
        """In-plane spacing of the network's image."""

    @property
    def image_size(self) -> int:
        """Rows and columns of the network's image."""

    @property
    def slab_mm(self) -> float:
        """Thickness up to which slices are averaged."""

    @property
    def window_hu(self) -> tuple[float, float]:
        """HU that become 0 and 1."""


@dataclass(frozen=True, eq=False)
class NetworkGrid:
    """Where the network's pixels lie on the source: positions in source index units along each axis.

    Args:
        source_shape_kji: shape of the source.
        axes: orientation of the source.
        slabs: for each slab, from below, the source slices k that it averages.
        slab_weights: (S, K) row-normalised weights of the slices in each slab.
        slice_from_slab: (K, S) linear interpolation between slab centres, nearest beyond the first and last.
        rows_at, columns_at: source index (j or i, whichever runs along it) of each display row and column.
        row_step, column_step: source pixels per network pixel along them, positive.
    """

    source_shape_kji: tuple[int, int, int]
    axes: DisplayAxes
    slabs: tuple[tuple[int, ...], ...]
    slab_weights: np.ndarray
    slice_from_slab: np.ndarray
    rows_at: np.ndarray
    columns_at: np.ndarray
    row_step: float
    column_step: float

    @property
    def slab_of_slice(self) -> np.ndarray:
        """(K,) the slab that each source slice went into."""
        return np.asarray(self.slab_weights.argmax(axis=0))

    def downsampling(self) -> tuple[np.ndarray, np.ndarray]:
        """Area-averaging matrices ((H or W) x J, (H or W) x I), in the source's axis order."""
        j_at, j_step, i_at, i_step = self._source_order()
        _, rows, columns = self.source_shape_kji
        return area_matrix(j_at, j_step, rows), area_matrix(i_at, i_step, columns)

    def upsampling(self) -> tuple[np.ndarray, np.ndarray]:
        """Linear interpolation matrices (J x (H or W), I x (H or W)); rows of zeros outside the network's field."""
        j_at, _, i_at, _ = self._source_order()
        _, rows, columns = self.source_shape_kji
        return linear_matrix(j_at, rows), linear_matrix(i_at, columns)

    def _source_order(self) -> tuple[np.ndarray, float, np.ndarray, float]:
        if self.axes.transposed:
            return self.columns_at, self.column_step, self.rows_at, self.row_step
        return self.rows_at, self.row_step, self.columns_at, self.column_step


@dataclass(frozen=True, eq=False)
class PreparedExam:
    """What the network sees of one exam, and the way back.

    Args:
        image_shw: (S, H, W) float32 0-1, windowed HU inside the skull, 0 elsewhere; slabs from below.
        hu_shw: (S, H, W) float32, the same pixels in HU with skull and face, AIR_HU beyond the source.
        brain_shw: (S, H, W) bool, the intracranial space; empty in slabs that are not worth looking at.
        has_brain_s: (S,) bool, slabs worth looking at.
        grid: where the pixels lie.
    """

    image_shw: np.ndarray
    hu_shw: np.ndarray
    brain_shw: np.ndarray
    has_brain_s: np.ndarray
    grid: NetworkGrid

    @property
    def slab_of_slice(self) -> np.ndarray:
        """(K,) the slab that each source slice went into."""
        return self.grid.slab_of_slice

    def windowed(self, window_hu: tuple[float, float]) -> np.ndarray:
        """(S, H, W) float32 0-1: what image_shw is for a system with this window."""
        image = apply_window(self.hu_shw, window_hu)
        image[~self.brain_shw] = 0.0
        return image

    def labels_from_source(self, label_kji: np.ndarray) -> np.ndarray:
        """(S, H, W) uint8 of a label map on the source grid: the largest label where labels cover half a pixel."""
        grid = self.grid
        size = self.image_shw.shape[1:]
        covered = np.zeros((len(grid.slabs), *size), dtype=np.float32)
        largest, label = covered.copy(), np.zeros(covered.shape, dtype=np.uint8)
        for value in np.flatnonzero(np.bincount(label_kji.ravel(), minlength=2)[1:]) + 1:
            share = _downsample(_slab_mean((label_kji == value), grid), grid)
            covered += share
            label[share > largest] = value
            np.maximum(largest, share, out=largest)
        label[covered < 0.5] = 0
        return label

    def to_source(self, maps_cshw: np.ndarray, slices: slice = slice(None)) -> np.ndarray:
        """(C, S, H, W) maps -> (C, K, J, I) float32 on the source voxels: linear in plane and between slabs, 0 outside.

        slices: the source slices wanted, all by default; taking a long series in parts bounds the memory.
        """
        count, rows_j, columns_i = self.grid.source_shape_kji
        wanted = range(count)[slices]
        out = np.zeros((len(maps_cshw), len(wanted), rows_j, columns_i), dtype=np.float32)
        up_j, up_i = (torch.from_numpy(matrix) for matrix in self.grid.upsampling())
        for number, k in enumerate(wanted):
            weights = self.grid.slice_from_slab[k]
            used = np.flatnonzero(weights)
            plane = sum(  # (C, H, W)
                float(weights[s]) * torch.from_numpy(maps_cshw[:, s].astype(np.float32)) for s in used
            )
            if self.grid.axes.transposed:
                plane = plane.transpose(-1, -2)  # type: ignore[union-attr]
            _interpolate_used_part(plane, up_j, up_i, out[:, number])  # type: ignore[arg-type]
        return out


def prepare(volume: Volume, config: NetworkGridSettings) -> PreparedExam:
    """A head CT in HU to the network's slabs: displayed upright, slab-averaged, resampled, skull and face removed."""
    axes = DisplayAxes.of(volume.grid)
    slabs, weights, back = slab_layout(volume.grid, axes, config.slab_mm)
    whole = _whole_field(volume.grid, axes, slabs, weights, back)
    slab_hu = _slab_mean(volume.array_kji, whole)  # (S, J, I)
    coarse_hu = _downsample(slab_hu, whole, outside=AIR_HU)
    coarse = intracranial_mask(coarse_hu, (_slab_spacing_mm(volume.grid, whole), COARSE_SPACING_MM, COARSE_SPACING_MM))
    grid = _centred_field(volume.grid, whole, coarse, config)
    hu = _downsample(slab_hu, grid, outside=AIR_HU)
    brain = refine_mask(_resample_mask(dilate_in_plane(coarse), whole, grid), hu, config.pixel_spacing_mm**2)
    has_brain = brain.sum(axis=(1, 2)) * config.pixel_spacing_mm**2 >= MINIMUM_BRAIN_MM2
    brain[~has_brain] = False
    image = apply_window(hu, config.window_hu)
    image[~brain] = 0.0
    return PreparedExam(image, hu, brain, has_brain, grid)


def _whole_field(
    grid: SliceGrid,
    axes: DisplayAxes,
    slabs: tuple[tuple[int, ...], ...],
    weights: np.ndarray,
    back: np.ndarray,
) -> NetworkGrid:
    """The coarse grid over the whole image."""
    (rows, row_mm, row_flip), (columns, column_mm, column_flip) = _display_axes(grid, axes)
    row_step, column_step = COARSE_SPACING_MM / row_mm, COARSE_SPACING_MM / column_mm
    return NetworkGrid(
        source_shape_kji=grid.shape_kji,
        axes=axes,
        slabs=slabs,
        slab_weights=weights,
        slice_from_slab=back,
        rows_at=positions((rows - 1) / 2, row_step, int(np.ceil(rows / row_step)), row_flip),
        columns_at=positions((columns - 1) / 2, column_step, int(np.ceil(columns / column_step)), column_flip),
        row_step=row_step,
        column_step=column_step,
    )


def _centred_field(
    grid: SliceGrid, whole: NetworkGrid, coarse_shw: np.ndarray, config: NetworkGridSettings
) -> NetworkGrid:
    """The network's grid, centred on the intracranial space (on the image when there is none)."""
    (rows, row_mm, row_flip), (columns, column_mm, column_flip) = _display_axes(grid, whole.axes)
    row_center, column_center = (rows - 1) / 2, (columns - 1) / 2
    if coarse_shw.any():
        row_center = _middle(coarse_shw.sum(axis=(0, 2)), whole.rows_at)
        column_center = _middle(coarse_shw.sum(axis=(0, 1)), whole.columns_at)
    row_step, column_step = config.pixel_spacing_mm / row_mm, config.pixel_spacing_mm / column_mm
    return NetworkGrid(
        source_shape_kji=whole.source_shape_kji,
        axes=whole.axes,
        slabs=whole.slabs,
        slab_weights=whole.slab_weights,
        slice_from_slab=whole.slice_from_slab,
        rows_at=positions(row_center, row_step, config.image_size, row_flip),
        columns_at=positions(column_center, column_step, config.image_size, column_flip),
        row_step=row_step,
        column_step=column_step,
    )


def _display_axes(grid: SliceGrid, axes: DisplayAxes) -> tuple[tuple[int, float, bool], tuple[int, float, bool]]:
    """(pixels, spacing in mm, flipped) of the display's rows and columns."""
    along_j = (grid.shape_kji[1], grid.spacing_j_mm, axes.flip_j)
    along_i = (grid.shape_kji[2], grid.spacing_i_mm, axes.flip_i)
    return (along_i, along_j) if axes.transposed else (along_j, along_i)


def _middle(counts: np.ndarray, at: np.ndarray) -> float:
    """Source position in the middle of the mask along one axis."""
    share = np.cumsum(counts) / counts.sum() * 100.0
    low, high = (int(np.searchsorted(share, percentile)) for percentile in FIELD_PERCENTILES)
    return float(at[low] + at[high]) / 2


def _slab_spacing_mm(grid: SliceGrid, layout: NetworkGrid) -> float:
    centers = layout.slab_weights @ grid.slice_positions_mm
    return float(np.median(np.abs(np.diff(centers)))) if len(centers) > 1 else grid.slice_thickness_mm


def _slab_mean(array_kji: np.ndarray, grid: NetworkGrid) -> np.ndarray:
    """(S, J, I) float32, from below."""
    out = np.empty((len(grid.slabs), *array_kji.shape[1:]), dtype=np.float32)
    for s, members in enumerate(grid.slabs):
        if len(members) == 1:
            out[s] = array_kji[members[0]]
        else:
            weights = grid.slab_weights[s, list(members)]
            np.copyto(out[s], sum(w * array_kji[k] for w, k in zip(weights, members, strict=True)))
    return out


def _downsample(slab_sji: np.ndarray, grid: NetworkGrid, outside: float = 0.0) -> np.ndarray:
    """(S, J, I) -> (S, H, W) by area averaging; pixels beyond the source count as ``outside``."""
    down_j, down_i = (torch.from_numpy(matrix) for matrix in grid.downsampling())
    out = down_j @ (torch.from_numpy(slab_sji) - outside) @ down_i.T + outside
    if grid.axes.transposed:
        out = out.transpose(-1, -2)
    return out.contiguous().numpy()


def _resample_mask(mask_shw: np.ndarray, source: NetworkGrid, target: NetworkGrid) -> np.ndarray:
    """A mask from one network grid to another of the same slabs, by linear interpolation at one half."""
    rows = interpolation_rows_any(source.rows_at, target.rows_at)
    columns = interpolation_rows_any(source.columns_at, target.columns_at)
    mask = torch.from_numpy(mask_shw.astype(np.float32))
    return ((torch.from_numpy(rows) @ mask @ torch.from_numpy(columns).T) >= 0.5).numpy()


def _interpolate_used_part(
    plane_chw: torch.Tensor, up_j: torch.Tensor, up_i: torch.Tensor, out_cji: np.ndarray
) -> None:
    """Write up_j @ plane @ up_i.T into out, working only on the box in which the plane is not zero."""
    not_zero = (plane_chw != 0).any(dim=0)
    from_rows, from_columns = _span(not_zero), _span(not_zero.T)
    up_j, up_i = up_j[:, from_rows], up_i[:, from_columns]
    rows, columns = _span(up_j), _span(up_i)
    part = up_j[rows] @ plane_chw[:, from_rows, from_columns] @ up_i[columns].T
    out_cji[:, rows, columns] = part.numpy()


def _span(matrix: torch.Tensor) -> slice:
    """The rows of a matrix from the first to the last that is not all zero."""
    used = torch.nonzero(matrix.any(dim=1))
    return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)
