"""The intracranial space on non-contrast head CT: skull, face and scalp removed (Kuo 2019, Methods).

Kuo thresholds, closes, opens and fills, and keeps what lies inside the skull. The same here, in three dimensions on a
coarse grid: soft tissue is eroded until foramina and gaps in the bone no longer connect it to face and scalp, the part
that the skull encloses is kept and grown back to the bone. Blood beside the inner table stays inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

COARSE_SPACING_MM = 2.0  # in plane; ours: fine enough for the inner table, small enough for speed


@dataclass(frozen=True)
class IntracranialSettings:
    """Thresholds in HU and radii in mm; none is stated in Kuo 2019, all are ours.

    Args:
        tissue_hu: soft tissue, blood and CSF on the coarse grid; fat and air lie below, bone above.
        erosion_mm: wider openings than twice this would join brain and face (orbital fissures and burr holes are less).
        growth_mm: how far from the eroded core the space reaches back; more than erosion_mm, to reach into corners,
            less than erosion_mm plus the thinnest skull, to stay out of the scalp.
        enclosed_directions: of the four in-plane directions, how many must meet bone (three: craniectomy).
        bone_hu: above this a fine pixel is bone; acute blood stays below 100 HU.
        fluid_hu: below this a fine pixel at the rim is fat or air.
        minimum_ml: less than this is not an intracranial space.
        minimum_part_mm2: smaller islands of a slice (marrow, air cells, muscle at the orbit's roof) are left out.
    """

    tissue_hu: tuple[float, float] = (-30.0, 150.0)
    erosion_mm: float = 6.0
    growth_mm: float = 8.5
    enclosed_directions: int = 3
    bone_hu: float = 120.0
    fluid_hu: float = -40.0
    minimum_ml: float = 20.0
    minimum_part_mm2: float = 80.0


def intracranial_mask(
    hu_shw: np.ndarray, spacing_shw_mm: tuple[float, float, float], settings: IntracranialSettings | None = None
) -> np.ndarray:
    """(S, h, w) bool: the intracranial space on a coarse axial grid (about 2 mm in plane).

    All False when nothing that a skull encloses is large enough (no head).
    """
    settings = settings or IntracranialSettings()
    low, high = settings.tissue_hu
    tissue = (hu_shw > low) & (hu_shw < high)
    core = _distance_inside_mm(tissue, spacing_shw_mm) > settings.erosion_mm
    enclosed = _directions_to_bone(hu_shw >= high) >= settings.enclosed_directions
    core = _most_enclosed_part(core, enclosed)
    voxel_ml = float(np.prod(spacing_shw_mm)) / 1000.0
    if core.sum() * voxel_ml < settings.minimum_ml:
        return np.zeros(hu_shw.shape, dtype=bool)
    near = _distance_inside_mm(~core, spacing_shw_mm) <= settings.growth_mm
    space = tissue & near & enclosed | core
    return fill_holes_2d(_parts_touching(space, core))


def refine_mask(
    coarse_shw: np.ndarray, hu_shw: np.ndarray, pixel_mm2: float, settings: IntracranialSettings | None = None
) -> np.ndarray:
    """(S, H, W) bool: a generously resampled mask cut back to the inner table on the fine image, holes filled."""
    settings = settings or IntracranialSettings()
    kept = coarse_shw & (hu_shw < settings.bone_hu) & (hu_shw > settings.fluid_hu)
    return without_islands_2d(fill_holes_2d(kept) & coarse_shw, settings.minimum_part_mm2 / pixel_mm2)


def without_islands_2d(mask_shw: np.ndarray, minimum_pixels: float) -> np.ndarray:
    """The mask without the 4-connected parts of each slice that are smaller than minimum_pixels."""
    kept = np.zeros_like(mask_shw)
    for s in np.flatnonzero(mask_shw.any(axis=(1, 2))):
        parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask_shw[s].astype(np.uint8))))
        large = np.bincount(parts.ravel()) >= minimum_pixels
        large[0] = False
        kept[s] = large[parts]
    return kept


def dilate_in_plane(mask_shw: np.ndarray) -> np.ndarray:
    """The mask grown by one pixel to the four in-plane sides."""
    grown = mask_shw.copy()
    grown[:, 1:] |= mask_shw[:, :-1]
    grown[:, :-1] |= mask_shw[:, 1:]
    grown[:, :, 1:] |= mask_shw[:, :, :-1]
    grown[:, :, :-1] |= mask_shw[:, :, 1:]
    return grown


def fill_holes_2d(mask_shw: np.ndarray) -> np.ndarray:
    """The mask with the holes of each slice filled (calcification, metal, dark streaks)."""
    filled = mask_shw.copy()
    for s in np.flatnonzero(mask_shw.any(axis=(1, 2))):
        image = sitk.GetImageFromArray(mask_shw[s].astype(np.uint8))
        filled[s] = sitk.GetArrayFromImage(sitk.BinaryFillhole(image)) > 0
    return filled


def _image(mask_shw: np.ndarray, spacing_shw_mm: tuple[float, float, float]) -> sitk.Image:
    image = sitk.GetImageFromArray(mask_shw.astype(np.uint8))
    image.SetSpacing([float(mm) for mm in reversed(spacing_shw_mm)])
    return image


def _distance_inside_mm(mask_shw: np.ndarray, spacing_shw_mm: tuple[float, float, float]) -> np.ndarray:
    """Distance in mm from each voxel of the mask to the nearest voxel outside it; 0 outside. Large if all inside."""
    if mask_shw.all():
        return np.full(mask_shw.shape, np.inf, dtype=np.float32)
    outside = _image(~mask_shw, spacing_shw_mm)
    distance = sitk.SignedMaurerDistanceMap(
        outside, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    return np.maximum(sitk.GetArrayFromImage(distance), 0.0)


def _directions_to_bone(bone_shw: np.ndarray) -> np.ndarray:
    """(S, h, w) how many of left, right, front and back meet bone on the way out of the image."""
    count = np.zeros(bone_shw.shape, dtype=np.uint8)
    for axis in (1, 2):
        count += np.maximum.accumulate(bone_shw, axis=axis)
        count += np.flip(np.maximum.accumulate(np.flip(bone_shw, axis), axis=axis), axis)
    return count


def _most_enclosed_part(core_shw: np.ndarray, enclosed_shw: np.ndarray) -> np.ndarray:
    """The connected part of the core with the most enclosed voxels, and only those of them that are enclosed."""
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(core_shw.astype(np.uint8))))
    sizes = np.bincount(parts[enclosed_shw], minlength=2)
    sizes[0] = 0
    best = int(sizes.argmax())
    if sizes[best] == 0:
        return np.zeros(core_shw.shape, dtype=bool)
    return (parts == best) & enclosed_shw


def _parts_touching(space_shw: np.ndarray, core_shw: np.ndarray) -> np.ndarray:
    """The connected parts of the space that hold a voxel of the core."""
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(space_shw.astype(np.uint8))))
    wanted = np.bincount(parts[core_shw], minlength=int(parts.max()) + 1) > 0
    wanted[0] = False
    return wanted[parts]
