"""A brain-MRI study as Nael 2021's networks see it: every contrast on the grid of a reference contrast, as whole steps.

Training stores these views and inference makes them, both through this file; so both see the same tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np

from ..core.errors import GeometryError, InputError
from ..core.geometry import SliceGrid
from ..core.mr_images import AXIAL_CONTRASTS, CONTRASTS, MrImage
from ..systems.nael2021_config import FindingNetwork, Nael2021Config, Scaling
from .mr_grid import reference_grid, resample
from .mr_intensity import scale_adc, scale_min_max, scale_weighted

STEPS = 255
"""Intensities 0-1 are kept in so many steps: one is 1.6e-5 mm2/s of ADC, 0.016 brain medians of the others (ours)."""

MIN_COVERED = 0.3
"""A contrast that covers less of the reference grid does not show the same head (ours)."""


@dataclass(frozen=True, eq=False)
class ScaledImage:
    """One contrast with intensities 0-1 on its own voxels."""

    array_kji: np.ndarray
    grid: SliceGrid


@dataclass(frozen=True, eq=False)
class MrView:
    """A study on the grid of one reference contrast.

    Args:
        reference: that contrast.
        grid: the networks' voxels (d, h, w).
        axial: contrast -> (d, h, w) uint8, intensity x STEPS; absent contrasts are missing.
        sagittal: contrast -> (x, d', h') uint8 over the same box, slices from right to left, rows from foot to head,
            columns from front to back: d slices of h rows and h columns.
    """

    reference: str
    grid: SliceGrid
    axial: dict[str, np.ndarray]
    sagittal: dict[str, np.ndarray]

    @property
    def contrasts(self) -> tuple[str, ...]:
        """What is there."""
        return (*self.axial, *self.sagittal)

    def without(self, names: Set[str]) -> MrView:
        """The view as if these contrasts were not there."""
        axial = {name: array for name, array in self.axial.items() if name not in names}
        sagittal = {name: array for name, array in self.sagittal.items() if name not in names}
        return MrView(self.reference, self.grid, axial, sagittal)


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """What one network sees of a study.

    Args:
        axial: (axial contrasts, d, h, w) float32 0-1, zeros where a contrast is absent.
        axial_present: (axial contrasts,) bool.
        sagittal: (sagittal contrasts, x, z, y) float32, no channels when the network has none.
        sagittal_present: (sagittal contrasts,) bool.
    """

    axial: np.ndarray
    axial_present: np.ndarray
    sagittal: np.ndarray
    sagittal_present: np.ndarray


def scale_image(image: MrImage, scaling: Scaling) -> ScaledImage:
    """Intensities 0-1 on the image's own voxels.

    Raises:
        InputError: the image shows nothing, or is an ADC map of unknown unit.
    """
    array, grid = image.volume.array_kji, image.volume.grid
    if scaling == "min_max":
        return ScaledImage(scale_min_max(array), grid)
    if image.contrast != "ADC":
        return ScaledImage(scale_weighted(array, grid), grid)
    if image.mm2_per_s is None:
        raise InputError("The unit of the ADC map is not known.", next_step="Make the map again on the scanner.")
    return ScaledImage(scale_adc(array, image.mm2_per_s), grid)


def make_view(
    images: Mapping[str, ScaledImage], reference: str, config: Nael2021Config, on: str | None = None
) -> MrView:
    """All contrasts on the grid of the reference; one that hardly shows the same place is left out.

    Args:
        images: contrast -> image.
        reference: whose view it is.
        config: of the networks.
        on: the contrast whose grid is taken where the reference itself is not there.

    Raises:
        GeometryError: that contrast's slices are not axial, so that no axial grid can be made of it.
    """
    on = on or reference
    grid = axial_grid(images[on].grid, config)
    across = sagittal_grid(grid, config)
    axial: dict[str, np.ndarray] = {}
    sagittal: dict[str, np.ndarray] = {}
    for name in CONTRASTS:
        if name not in images:
            continue
        target = grid if name in AXIAL_CONTRASTS else across
        found = resample(images[name].array_kji, images[name].grid, target)
        if name != on and found.covered_share < MIN_COVERED:
            continue
        kept = np.rint(np.clip(found.array_kji, 0.0, 1.0) * STEPS).astype(np.uint8)
        (axial if name in AXIAL_CONTRASTS else sagittal)[name] = kept
    return MrView(reference, grid, axial, sagittal)


def axial_grid(source: SliceGrid, config: Nael2021Config) -> SliceGrid:
    """The networks' grid over a reference series; sagittal and coronal volumes are reformatted over the same box."""
    if abs(source.normal[2]) < max(abs(source.normal[0]), abs(source.normal[1])):
        source = _as_axial(source)
    return reference_grid(source, config.shape_dhw)


def _as_axial(source: SliceGrid) -> SliceGrid:
    """The regular grid of a sagittal or coronal stack with its axes in the order of axial slices."""
    affine, counts = source.affine_ijk_to_lps, source.shape_kji[::-1]
    columns = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    k = int(np.abs(columns[2]).argmax())
    i = max((axis for axis in range(3) if axis != k), key=lambda axis: abs(columns[0, axis]))
    axes = [i, 3 - i - k, k]
    if abs(float(columns[:, axes[0]] @ columns[:, axes[1]])) > 1e-3:
        raise GeometryError("The series is sheared and cannot be reformatted to axial slices.")
    turned = affine.copy()
    turned[:3, :3] = affine[:3, axes]
    shape = (counts[axes[2]], counts[axes[1]], counts[axes[0]])
    return SliceGrid.from_affine(shape, turned)


def sagittal_grid(axial: SliceGrid, config: Nael2021Config) -> SliceGrid:
    """Sagittal slices over the box of the axial grid: (x, z, y) of (d, h, h) voxels.

    Nael 2021 takes the grid of sagittal T1; over the axial box the two orientations' features meet at the same places
    (ours).
    """
    depth, rows, columns = axial.shape_kji
    count, side = config.depth, config.in_plane
    along_k = axial.origins_lps_mm[-1] - axial.origins_lps_mm[0]
    length_k = float(np.linalg.norm(along_k)) * depth / max(depth - 1, 1)
    axes = (axial.direction_j, along_k / np.linalg.norm(along_k), axial.direction_i)  # of i, j, k: y, z, x
    lengths = (axial.spacing_j_mm * rows, length_k, axial.spacing_i_mm * columns)
    center = axial.voxel_to_lps(np.array([(columns - 1) / 2, (rows - 1) / 2, (depth - 1) / 2]))
    affine = np.eye(4)
    for n, (axis, length, voxels) in enumerate(zip(axes, lengths, (side, side, count), strict=True)):
        affine[:3, n] = axis * length / voxels
    affine[:3, 3] = center - affine[:3, :3] @ ((np.array([side, side, count]) - 1) / 2)
    return SliceGrid.from_affine((count, side, side), affine)


def network_input(view: MrView, network: FindingNetwork, config: Nael2021Config) -> NetworkInput:
    """The channels of one network, in the order of its contrasts."""
    shape, side = config.shape_dhw, config.in_plane
    axial, axial_present = _channels(view.axial, network.axial, shape)
    sagittal, sagittal_present = _channels(view.sagittal, network.sagittal, (config.depth, side, side))
    return NetworkInput(axial, axial_present, sagittal, sagittal_present)


def _channels(
    there: Mapping[str, np.ndarray], names: tuple[str, ...], shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    array = np.zeros((len(names), *shape), np.float32)
    present = np.array([name in there for name in names], dtype=bool)
    for n, name in enumerate(names):
        if present[n]:
            array[n] = there[name].astype(np.float32) / STEPS
    return array, present
