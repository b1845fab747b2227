"""Quality flags with their figures, on a geometric head of known size; and a refusal of everything that is no head."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.core.errors import SeriesSelectionError
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.preprocessing.quality import assess

SIZE, PIXEL_MM = 120, 2.0
HEAD_MM = (70.0, 88.0, 75.0)  # half axes x, y, z of the outer skull
SKULL_MM = 7.0


def head_hu(points: np.ndarray, noise_hu: float = 4.0) -> np.ndarray:
    """HU of an ellipsoid head at LPS points (..., 3): brain, skull, scalp, air, with white noise."""
    depth = sum((points[..., axis] / HEAD_MM[axis]) ** 2 for axis in range(3)) ** 0.5
    inner = 1 - SKULL_MM / np.mean(HEAD_MM)
    hu = np.select([depth < inner, depth < 1, depth < 1.06], [32.0, 1100.0, 20.0], -1000.0)
    return hu + np.random.default_rng(0).normal(0, noise_hu, hu.shape)


def scan(heights: np.ndarray, *, noise_hu: float = 4.0, tilt_deg: float = 0.0, thickness: float = 5.0) -> Volume:
    """A scan of the head: slices whose middle lies at these heights (mm), tilted about the x axis."""
    angle = np.radians(tilt_deg)
    direction_j = np.array([0, np.cos(angle), -np.sin(angle)])
    half = (SIZE - 1) / 2 * PIXEL_MM
    origins = np.array([[-half, 0, z] for z in heights]) - half * direction_j
    grid = SliceGrid((len(heights), SIZE, SIZE), origins, (1, 0, 0), direction_j, PIXEL_MM, PIXEL_MM, thickness)
    k, j, i = np.indices(grid.shape_kji)
    points = grid.voxel_to_lps(np.stack([i, j, k], axis=-1))
    return Volume(head_hu(points, noise_hu).round().astype(np.int16), grid)


WHOLE = np.arange(-80.0, 81.0, 5.0)


def flags(volume: Volume) -> dict:
    return {flag.code: flag for flag in assess(volume)}


def test_a_good_scan_has_no_flags():
    assert flags(scan(WHOLE)) == {}


def test_tilt_is_flagged_with_its_angle():
    found = flags(scan(WHOLE, tilt_deg=18.5))
    assert found["tilt"].value == pytest.approx(18.5, abs=0.01) and "18.5" in found["tilt"].message


def test_thick_slices_are_flagged_with_their_thickness():
    found = flags(scan(np.arange(-80.0, 81.0, 8.0), thickness=8.0))
    assert found["thick_slices"].value == pytest.approx(8.0)


def test_a_missing_slice_is_flagged_with_its_place():
    found = flags(scan(np.delete(WHOLE, 12)))
    assert found["gap"].value == pytest.approx(10.0)
    assert "12 and 13" in found["gap"].message


def test_a_change_of_spacing_half_way_up_is_no_gap():
    heights = np.concatenate([np.arange(-80.0, 0.0, 4.0), np.arange(0.0, 81.0, 7.0)])
    found = flags(scan(heights))
    assert "gap" not in found
    assert found["uneven_spacing"].value == pytest.approx(3.0)


def test_slices_much_thinner_than_their_distance_leave_gaps():
    assert flags(scan(WHOLE, thickness=2.5))["gap"].value == pytest.approx(5.0)


def test_overlapping_slices_are_flagged_with_their_place():
    found = flags(scan(np.sort([*WHOLE, WHOLE[10] + 1.0])))
    assert found["overlap"].value == pytest.approx(1.0)
    assert "11 and 12" in found["overlap"].message


@pytest.mark.parametrize(
    ("heights", "missing"),
    [(np.arange(-80.0, 31.0, 5.0), "vertex"), (np.arange(-25.0, 81.0, 5.0), "skull base")],
)
def test_a_part_of_the_head_that_was_not_scanned_is_named(heights, missing):
    found = flags(scan(heights))
    assert missing in found["incomplete_coverage"].message
    assert found["incomplete_coverage"].value == pytest.approx(5.0 * len(heights))


@pytest.mark.parametrize(
    ("downwards", "missing"), [(False, "vertex"), (True, "vertex")], ids=["k upwards", "k downwards"]
)
def test_up_is_up_whatever_the_order_of_slices(downwards, missing):
    heights = np.arange(-80.0, 31.0, 5.0)
    found = flags(scan(heights[::-1] if downwards else heights))
    assert missing in found["incomplete_coverage"].message and "base" not in found["incomplete_coverage"].message


@pytest.mark.parametrize(("noise_hu", "flagged"), [(6.0, False), (12.0, False), (25.0, True)])
def test_heavy_noise_is_flagged_with_its_figure(noise_hu, flagged):
    found = flags(scan(WHOLE, noise_hu=noise_hu))
    assert ("noise" in found) is flagged
    if flagged:
        assert found["noise"].value == pytest.approx(noise_hu, rel=0.1)


def test_metal_is_flagged_with_its_volume_and_slices():
    volume = scan(WHOLE)
    volume.array_kji[14:17, 50:55, 60:65] = 3071
    found = flags(volume)
    assert found["metal"].value == pytest.approx(75 * 0.02, rel=1e-6)  # 75 voxels of 2 x 2 x 5 mm
    assert "15 to 17" in found["metal"].message


def test_the_most_important_flag_comes_first():
    codes = [flag.code for flag in assess(scan(np.arange(-80.0, 31.0, 8.0), tilt_deg=10, thickness=8))]
    assert codes == ["incomplete_coverage", "tilt", "thick_slices"]


def water_phantom(points: np.ndarray) -> np.ndarray:
    return np.where((points[..., 0] ** 2 + points[..., 1] ** 2) < 80**2, 0.0, -1000.0)


def abdomen(points: np.ndarray) -> np.ndarray:
    """A large oval of soft tissue with a spine behind."""
    body = (points[..., 0] / 110) ** 2 + (points[..., 1] / 95) ** 2 < 1
    spine = points[..., 0] ** 2 + (points[..., 1] - 55) ** 2 < 20**2
    return np.select([spine, body], [400.0, 45.0], -1000.0)


def chest(points: np.ndarray) -> np.ndarray:
    """Air-filled lungs within a closed bony cage."""
    radius = ((points[..., 0] / 105) ** 2 + (points[..., 1] / 90) ** 2) ** 0.5
    return np.select([radius < 0.88, radius < 1], [-800.0, 500.0], -1000.0)


def mr(points: np.ndarray) -> np.ndarray:
    return np.abs(head_hu(points)) / 2


@pytest.mark.parametrize("shape", [water_phantom, abdomen, chest, mr], ids=lambda shape: shape.__name__)
def test_what_is_clearly_no_head_is_refused(shape):
    volume = scan(WHOLE)
    k, j, i = np.indices(volume.grid.shape_kji)
    points = volume.grid.voxel_to_lps(np.stack([i, j, k], axis=-1))
    other = Volume(shape(points).astype(np.int16), volume.grid, source="the scan")
    with pytest.raises(SeriesSelectionError, match="no head CT") as caught:
        assess(other)
    assert caught.value.exit_code == 4 and caught.value.where == "the scan"


def test_another_modality_is_refused():
    volume = scan(WHOLE)
    with pytest.raises(SeriesSelectionError, match="MR, not CT"):
        assess(Volume(volume.array_kji, volume.grid, modality="MR"))


def test_a_large_skull_defect_is_still_a_head():
    """After hemicraniectomy a third of the skull is missing on the upper slices."""
    volume = scan(WHOLE)
    k, j, i = np.indices(volume.grid.shape_kji)
    x, y, z = np.moveaxis(volume.grid.voxel_to_lps(np.stack([i, j, k], axis=-1)), -1, 0)
    defect = (x > 30) & (np.abs(y) < 60) & (z > -20) & (volume.array_kji > 300)
    volume.array_kji[defect] = 25
    assess(volume)
