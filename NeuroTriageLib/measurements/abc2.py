"""The ward's ABC/2 estimate (Kwak 1983, Kothari 1996) beside the voxel volume, and where it is known to fail."""

from __future__ import annotations

import numpy as np

from ..core.findings import Abc2
from ..core.geometry import SliceGrid
from .components import Components
from .diameters import Diameters, perpendicular_diameters
from .volume import largest_slice

ABC2_CODES = ("IPH", "IVH", "SDH", "EDH")
"""Types that are measured. SAH follows the sulci and cisterns: it has no diameters, and nobody measures it so."""

# Kothari 1996: a slice counts 1 when its area is above 75 % of the largest one, 1/2 from 25 to 75 %, 0 below 25 %.
WHOLE_SLICE_ABOVE = 0.75
HALF_SLICE_FROM = 0.25

# A second part of at least this share of the largest makes a hematoma multilobular (not stated; ours).
SECOND_PART_SHARE = 0.2
# Below this area / convex hull area the outline counts as lobed (not stated; ours: an ellipse has 1, a half ring 0.6).
LOBED_SOLIDITY = 0.85
# Below this many pixels the staircase of the pixels decides the solidity (ours).
SOLIDITY_FROM_PIXELS = 50
# Above this volume the mean overestimate was 37.1 % (Wang 2009, Acta Radiologica 50:306; 10 patients).
OVERESTIMATED_ABOVE_ML = 40.0

TYPE_CAVEATS = {
    "IVH": "Blood in the ventricles takes their shape, not an ellipsoid's: ABC/2 is not valid here.",
    "SDH": "A crescent is no ellipsoid: the formula is off by more than 10 % in most subdural hematomas.",
    # A thin spherical cap of base radius r and height h holds pi r^2 h / 2; its 2r x h x 2r / 2 is 4 / pi of that.
    "EDH": "A lens is no ellipsoid: with its full height as C, ABC/2 of a thin lens is 27 % too large.",
}


def measure_abc2(code: str, parts: Components, grid: SliceGrid) -> Abc2:
    """ABC/2 of the largest part of a type's non-empty mask, compared with the volume of the whole mask.

    A reader measures the one hematoma that matters; specks and a second hematoma elsewhere would make A a distance
    between lesions. When other parts hold a share worth knowing, the caveat says so.

    A is the largest diameter in the slice with the largest area, B the longest line perpendicular to A with both ends
    on the outline (in a crescent: its thickness), both in the plane of the slice, also when the stack is tilted. C is
    the sum over slices of weight x slice extent across the planes. Graded like this, C of a finely sliced ellipsoid
    is 68 % of its height and ABC/2 65 % of its volume; the formula was made for thick slices and irregular hematomas.
    """
    part = parts.largest_kji
    key_slice = largest_slice(part)
    assert key_slice is not None, "an empty mask has no ABC/2"
    diameters = perpendicular_diameters(part[key_slice], grid.spacing_i_mm, grid.spacing_j_mm)
    c_mm = graded_height_mm(part, grid)
    volume_ml = diameters.a_mm * diameters.b_mm * c_mm / 2 / 1000
    voxel_volume_ml = float(parts.volumes_ml.sum())
    return Abc2(
        code=code,
        a_mm=diameters.a_mm,
        b_mm=diameters.b_mm,
        c_mm=c_mm,
        volume_ml=volume_ml,
        voxel_volume_ml=voxel_volume_ml,
        percent_off=100 * (volume_ml - voxel_volume_ml) / voxel_volume_ml,
        key_slice=key_slice,
        a_ends_lps_mm=_to_lps(diameters.a_ends_ij, key_slice, grid),
        b_ends_lps_mm=_to_lps(diameters.b_ends_ij, key_slice, grid),
        caveat=" ".join(_caveats(code, parts, diameters, int(np.count_nonzero(part[key_slice])))),
    )


def graded_height_mm(mask_kji: np.ndarray, grid: SliceGrid) -> float:
    """C in mm: the extents of the slices across their planes, each weighted by its area's share of the largest."""
    areas = np.count_nonzero(mask_kji, axis=(1, 2))
    share = areas / areas.max()
    weight = np.where(share > WHOLE_SLICE_ABOVE, 1.0, np.where(share >= HALF_SLICE_FROM, 0.5, 0.0))
    return float(weight @ grid.slice_extents_mm)


def _to_lps(ends_ij: np.ndarray, k: int, grid: SliceGrid) -> tuple:
    points = grid.voxel_to_lps(np.column_stack([ends_ij, [k, k]]))
    return tuple(tuple(float(x) for x in point) for point in points)


def _caveats(code: str, parts: Components, diameters: Diameters, pixels: int) -> list[str]:
    """The sentences that a reader of this ABC/2 needs."""
    sentences = [TYPE_CAVEATS[code]] if code in TYPE_CAVEATS else []
    total, largest = float(parts.volumes_ml.sum()), float(parts.volumes_ml[0])
    if parts.count > 1 and parts.volumes_ml[1] >= SECOND_PART_SHARE * largest:
        sentences.append(
            f"Several parts: A, B and C are those of the largest of {parts.count}, {largest:.3g} of {total:.3g} mL."
        )
    elif code == "IPH" and pixels >= SOLIDITY_FROM_PIXELS and diameters.solidity < LOBED_SOLIDITY:
        sentences.append("Lobed outline: the formula assumes an ellipsoid.")
    if code == "IPH" and total > OVERESTIMATED_ABOVE_ML:
        sentences.append("Above 40 mL ABC/2 overestimated by 37 % on average (Wang 2009).")
    return sentences
