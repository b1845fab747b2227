"""What a reader must know about the images: geometry, coverage, noise, metal; and whether they show a head."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..core.errors import SeriesSelectionError
from ..core.findings import QualityFlag
from ..core.geometry import SliceGrid
from ..core.volume import Volume
from .skull_rings import SkullRings, find_skull_rings

# Limits, all ours; they were set on two real scans (a tilted thick-slice head, a neck up to the vertex) and on
# simulated heads.
TILT_DEG = 1.0
THICK_SLICES_MM = 5.5  # above the 5 mm that head CT is usually read in
UNEVEN_SHARE = 0.10  # of the median spacing
GAP_FACTOR = 1.5  # a missing slice doubles the spacing
OVERLAP_FACTOR = 0.6
ADULT_HEAD_MM = 120.0
OPEN_TOP_RADIUS_MM = 40.0  # a slice ends 11 mm below the vertex of a skull of 75 mm radius
OPEN_BASE_SOFT_SHARE = 0.75  # at the skull base bone and air fill more than a quarter
OPEN_BASE_RADIUS_MM = 55.0
HEAVY_NOISE_HU = 15.0  # twice the contrast of grey and white matter; 3-5 HU is usual at 5 mm, 8-12 at 1 mm
METAL_HU = 3000.0  # enamel and petrous bone stay below; 12-bit scanners end at 3071
METAL_ML = 0.1


def assess(volume: Volume) -> tuple[QualityFlag, ...]:
    """Flags that travel to the report, in the order of importance.

    Raises:
        SeriesSelectionError: the image is clearly no CT of a head.
    """
    rings = find_skull_rings(volume)
    _require_a_head(volume, rings)
    return (
        *_coverage(volume.grid, rings),
        *_gaps(volume.grid),
        *_metal(volume),
        *_noise(volume, rings),
        *_tilt(volume.grid),
        *_spacing(volume.grid),
    )


def _require_a_head(volume: Volume, rings: SkullRings) -> None:
    if volume.modality != "CT":
        raise SeriesSelectionError(
            f"The image is {volume.modality or 'of no known modality'}, not CT.", where=volume.source
        )
    if rings.head_like.sum() < min(3, len(rings.slices)):
        raise SeriesSelectionError(
            "The image shows no skull of a head's size around soft tissue: it is no head CT, or its values are no "
            "Hounsfield units.",
            where=volume.source,
            next_step="Choose another series.",
        )


def _coverage(grid: SliceGrid, rings: SkullRings) -> Iterator[QualityFlag]:
    missing = []
    if abs(grid.normal[2]) > 0.7:
        order = np.argsort(grid.origins_lps_mm[rings.slices, 2])
        bottom, top = order[0], order[-1]
        if rings.head_like[top] and rings.soft_radius_mm[top] > OPEN_TOP_RADIUS_MM:
            missing.append("the vertex")
        if (
            rings.head_like[bottom]
            and rings.soft_share[bottom] > OPEN_BASE_SOFT_SHARE
            and rings.radius_mm[bottom] > OPEN_BASE_RADIUS_MM
        ):
            missing.append("the skull base")
    extent = float(grid.slice_extents_mm.sum())
    if missing:
        message = f"The head is not covered whole: {' and '.join(missing)} cannot be seen ({extent:.0f} mm scanned)."
        yield QualityFlag("incomplete_coverage", message, extent)
    elif extent < ADULT_HEAD_MM:
        message = f"Only {extent:.0f} mm were scanned; an adult's brain needs about {ADULT_HEAD_MM:.0f} mm."
        yield QualityFlag("incomplete_coverage", message, extent)


def _neighbours(spacings: np.ndarray, index: int) -> list[float]:
    """Median of up to three spacings below and of up to three above, where there are any."""
    sides = (spacings[max(0, index - 3) : index], spacings[index + 1 : index + 4])
    return [float(np.median(side)) for side in sides if len(side)]


def _gaps(grid: SliceGrid) -> Iterator[QualityFlag]:
    """Single missing slices (a spacing out of line with both sides), or unscanned tissue between all slices."""
    spacings = grid.slice_spacings_mm
    found = []
    for index, spacing in enumerate(spacings):
        around = _neighbours(spacings, index)
        if around and spacing > GAP_FACTOR * max(around):
            found.append(index)
    if found:
        places = ", ".join(f"{k + 1} and {k + 2} ({spacings[k]:.1f} mm)" for k in found)
        yield QualityFlag("gap", f"Slices are missing between {places}.", float(spacings[found].max()))
    elif len(spacings) and np.median(spacings) > GAP_FACTOR * grid.slice_thickness_mm:
        median = float(np.median(spacings))
        thickness = grid.slice_thickness_mm
        message = f"Slices of {thickness:.1f} mm lie {median:.1f} mm apart: tissue between them was not scanned."
        yield QualityFlag("gap", message, median)


def _tilt(grid: SliceGrid) -> Iterator[QualityFlag]:
    if grid.tilt_deg > TILT_DEG:
        message = f"The gantry was tilted by {grid.tilt_deg:.1f} degrees; positions and volumes allow for it."
        yield QualityFlag("tilt", message, grid.tilt_deg)


def _spacing(grid: SliceGrid) -> Iterator[QualityFlag]:
    spacings = grid.slice_spacings_mm
    if not len(spacings):
        return
    low, high, median = float(spacings.min()), float(spacings.max()), float(np.median(spacings))
    if high - low > UNEVEN_SHARE * median:
        message = f"The distance between slices varies from {low:.1f} to {high:.1f} mm; volumes allow for it."
        yield QualityFlag("uneven_spacing", message, high - low)
    inner = range(1, len(spacings) - 1)
    close = [k for k in inner if spacings[k] < OVERLAP_FACTOR * min(_neighbours(spacings, k))]
    if close:
        places = ", ".join(f"{k + 1} and {k + 2} ({spacings[k]:.1f} mm)" for k in close)
        yield QualityFlag("overlap", f"Slices overlap: {places}.", float(spacings[close].min()))
    extent = float(np.percentile(grid.slice_extents_mm, 90))
    thickness = max(extent, grid.slice_thickness_mm)
    if thickness > THICK_SLICES_MM:
        message = f"The slices are thick (up to {thickness:.1f} mm): small bleeds may be missed, edges are blurred."
        yield QualityFlag("thick_slices", message, thickness)


def _noise(volume: Volume, rings: SkullRings) -> Iterator[QualityFlag]:
    noise = brain_noise_hu(volume, rings)
    if noise is not None and noise > HEAVY_NOISE_HU:
        message = f"The images are noisy: {noise:.0f} HU in the brain (up to {HEAVY_NOISE_HU:.0f} is usual)."
        yield QualityFlag("noise", message, noise)


def brain_noise_hu(volume: Volume, rings: SkullRings) -> float | None:
    """Robust standard deviation of the noise inside the skull, None when no slice shows enough brain.

    Half the variance of differences between voxels about 1.5 mm apart along a row: far enough for the noise of soft
    kernels to be independent, near enough for anatomy to cancel; the median absolute deviation ignores edges.
    """
    inside = np.flatnonzero(rings.head_like & (rings.soft_share > 0.7) & (rings.radius_mm > 50))
    lag = max(1, round(1.5 / volume.grid.spacing_i_mm))
    deviations = []
    for ring in inside[:: max(1, len(inside) // 7)]:
        j, i = rings.centre_ji[ring]
        half_j = int(0.4 * rings.radius_mm[ring] / volume.grid.spacing_j_mm)
        half_i = int(0.4 * rings.radius_mm[ring] / volume.grid.spacing_i_mm)
        rows = slice(max(0, int(j) - half_j), int(j) + half_j)
        columns = slice(max(0, int(i) - half_i), int(i) + half_i)
        part = volume.array_kji[rings.slices[ring], rows, columns].astype(np.float32)
        if part.shape[0] > 4 and part.shape[1] > 2 * lag:
            difference = part[:, lag:] - part[:, :-lag]
            deviations.append(1.4826 * np.median(np.abs(difference - np.median(difference))) / np.sqrt(2))
    return float(np.median(deviations)) if deviations else None


def _metal(volume: Volume) -> Iterator[QualityFlag]:
    counts = np.count_nonzero(volume.array_kji >= METAL_HU, axis=(1, 2))
    volume_ml = float(counts @ volume.grid.voxel_volumes_ml)
    if volume_ml >= METAL_ML:
        slices = np.flatnonzero(counts) + 1
        message = (
            f"Metal ({volume_ml:.1f} mL) in slices {slices[0]} to {slices[-1]}: streaks may hide or imitate blood."
        )
        yield QualityFlag("metal", message, volume_ml)
