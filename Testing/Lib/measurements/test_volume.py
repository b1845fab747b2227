"""Volumes of bodies whose volume is known, on every kind of grid."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.measurements.volume import largest_slice, mask_volume_ml, size_class, slice_volumes_ml
from Testing.Lib.measurements.shapes import GRIDS, box, ellipsoid, make_grid, rasterise, rotation, shell

BODY_AXES = rotation((2, 1, -1), 25)


@pytest.mark.parametrize("name", GRIDS)
def test_sphere_has_its_volume_on_every_grid(name):
    mask = rasterise(GRIDS[name], ellipsoid(np.zeros(3), np.eye(3), (18, 18, 18)))
    assert mask_volume_ml(mask, GRIDS[name]) == pytest.approx(4 / 3 * np.pi * 18**3 / 1000, rel=0.02)


@pytest.mark.parametrize("name", GRIDS)
def test_turned_ellipsoid_has_its_volume_on_every_grid(name):
    mask = rasterise(GRIDS[name], ellipsoid(np.array([2.0, -3, 1]), BODY_AXES, (25, 15, 12)))
    assert mask_volume_ml(mask, GRIDS[name]) == pytest.approx(4 / 3 * np.pi * 25 * 15 * 12 / 1000, rel=0.02)


@pytest.mark.parametrize("name", GRIDS)
def test_turned_box_has_its_volume_on_every_grid(name):
    mask = rasterise(GRIDS[name], box(np.array([1.0, 2, -2]), BODY_AXES, (20, 12, 10)), fine=3)
    assert mask_volume_ml(mask, GRIDS[name]) == pytest.approx(8 * 20 * 12 * 10 / 1000, rel=0.02)


@pytest.mark.parametrize("name", GRIDS)
def test_thin_crescent_has_its_volume_on_every_grid(name):
    center, direction = np.array([-20.0, 0, 0]), np.array([1.0, 0, 0])
    mask = rasterise(GRIDS[name], shell(center, direction, (34, 40), 50), fine=3)
    truth_ml = 2 * np.pi / 3 * (40**3 - 34**3) * (1 - np.cos(np.radians(50))) / 1000
    assert mask_volume_ml(mask, GRIDS[name]) == pytest.approx(truth_ml, rel=0.03)


def test_body_aligned_with_the_voxels_is_exact():
    grid = make_grid(steps_mm=np.array([2.0, 2, 6, 2, 2]), shape_kji=(6, 20, 20), tilt_deg=12)
    mask = np.zeros(grid.shape_kji, bool)
    mask[1:5, 4:9, 3:13] = True  # slices stand for 2, 4, 4 and 2 mm
    assert mask_volume_ml(mask, grid) == pytest.approx(5 * 10 * 12 / 1000, rel=1e-9)


def test_tilt_does_not_change_the_volume_of_a_voxel():
    straight, tilted = make_grid(), make_grid(tilt_deg=30)
    mask = rasterise(straight, ellipsoid(np.zeros(3), np.eye(3), (10, 10, 10)))
    assert mask_volume_ml(mask, tilted) == pytest.approx(mask_volume_ml(mask, straight))


def test_slices_on_both_sides_of_a_gap_share_it():
    grid = make_grid(steps_mm=np.array([2.0, 10, 2]), shape_kji=(4, 10, 10))
    mask = np.zeros(grid.shape_kji, bool)
    mask[1:3, 0:10, 0:10] = True
    assert slice_volumes_ml(mask, grid) == pytest.approx([0, 0.6, 0.6, 0])


def test_single_slice_counts_its_own_thickness():
    grid = make_grid(shape_kji=(1, 10, 10), steps_mm=5.0)
    single = type(grid)(
        shape_kji=grid.shape_kji,
        origins_lps_mm=grid.origins_lps_mm,
        direction_i=grid.direction_i,
        direction_j=grid.direction_j,
        spacing_i_mm=1.0,
        spacing_j_mm=1.0,
        slice_thickness_mm=5.0,
    )
    assert mask_volume_ml(np.ones((1, 10, 10), bool), single) == pytest.approx(0.5)


def test_mask_that_fills_the_image_to_its_border_counts_every_voxel():
    grid = make_grid(shape_kji=(5, 8, 9), spacing_mm=(0.5, 2.0), steps_mm=3.0)
    assert mask_volume_ml(np.ones(grid.shape_kji, bool), grid) == pytest.approx(5 * 8 * 9 * 0.5 * 2.0 * 3.0 / 1000)


def test_empty_mask_has_no_volume_no_class_and_no_slice():
    empty = np.zeros(GRIDS["uneven"].shape_kji, bool)
    assert mask_volume_ml(empty, GRIDS["uneven"]) == 0.0
    assert size_class(0.0) is None
    assert largest_slice(empty) is None


@pytest.mark.parametrize(
    ("volume_ml", "name"),
    [(25.01, "large"), (25.0, "medium"), (5.0, "medium"), (4.99, "small"), (0.01, "small"), (0.0099, "punctate")],
)
def test_size_classes_are_those_of_chang_2018(volume_ml, name):
    assert size_class(volume_ml) == name


def test_largest_slice_is_the_one_with_most_area_and_the_middle_of_equals():
    mask = np.zeros((9, 6, 6), bool)
    mask[1:6, 2:4, 2:4] = True
    assert largest_slice(mask) == 3
    mask[7, 0:5, 0:5] = True
    assert largest_slice(mask) == 7
