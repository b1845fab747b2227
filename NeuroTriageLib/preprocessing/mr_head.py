"""Where the head is in an MR image: what a network draws outside it, in noise, ghosts or air, is no finding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import SimpleITK as sitk

from ..core.geometry import SliceGrid
from ..core.inner_head import MIN_VOXELS, inner_head

# All ours. Tissue at the far end of a coil keeps half of the inner head's median, air at 3 T less than a tenth.
TISSUE_MEDIANS = 0.25
LEAST_PART = 0.05  # of the largest connected part: a brain within dark bone is a part of its own, a ghost is smaller
CLOSED_MM = 8.0  # sulci and dark bone up to this wide do not open the head
MARGIN_MM = 2.0  # partial volume, and EPI's distortion against a reference that has none


def head_mask(array_kji: np.ndarray, grid: SliceGrid) -> np.ndarray:
    """(K, J, I) bool: the head with everything inside it, skin and skull included; of a stripped image the brain.

    A place that is dark (ventricles on FLAIR, an old cavity) counts when the head surrounds it within its slice. Where
    the image shows no head everything is inside: there is nothing to judge by.

    Args:
        array_kji: magnitude values of a weighted image, in any unit; its slices as the networks see them.
        grid: where they lie.
    """
    values = inner_head(array_kji, grid)
    median = float(np.median(values)) if values.size >= MIN_VOXELS else 0.0
    if not median > 0:
        return np.ones(array_kji.shape, bool)
    tissue = _large_parts(np.asarray(array_kji) > TISSUE_MEDIANS * median)
    closed = _in_plane(sitk.BinaryMorphologicalClosing, tissue, CLOSED_MM / 2, grid)
    filled = np.stack([_filled(plane) for plane in closed])
    return _in_plane(sitk.BinaryDilate, filled, MARGIN_MM, grid)


def _large_parts(mask_kji: np.ndarray) -> np.ndarray:
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(_image(mask_kji)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= LEAST_PART * sizes.max())[parts] & mask_kji)


def _in_plane(
    morphology: Callable[..., sitk.Image], mask_kji: np.ndarray, radius_mm: float, grid: SliceGrid
) -> np.ndarray:
    """A disc of that radius moved over each slice."""
    radius = [max(1, round(radius_mm / spacing)) for spacing in (grid.spacing_i_mm, grid.spacing_j_mm)]
    method = morphology(_image(mask_kji), [*radius, 0], sitk.sitkBall)
    return np.asarray(sitk.GetArrayFromImage(method) > 0)


def _filled(plane_ji: np.ndarray) -> np.ndarray:
    return np.asarray(sitk.GetArrayFromImage(sitk.BinaryFillhole(_image(plane_ji))) > 0)


def _image(mask: np.ndarray) -> sitk.Image:
    return sitk.GetImageFromArray(mask.astype(np.uint8))
