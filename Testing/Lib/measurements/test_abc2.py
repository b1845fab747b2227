"""ABC/2 of bodies whose A, B and C are known, on every kind of grid."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.measurements.abc2 import graded_height_mm, measure_abc2
from NeuroTriageLib.measurements.components import find_components
from Testing.Lib.measurements.shapes import GRIDS, box, ellipsoid, make_grid, plane_axes, rasterise, shell

# Slices of an ellipsoid have 1 - z^2 of the largest area at height z (of its half height): above 75 % for |z| < 1/2,
# above 25 % for |z| < sqrt(3)/2. So C is (1 + (sqrt(3) - 1) / 2) / 2 of its height.
GRADED_SHARE = (1 + (np.sqrt(3) - 1) / 2) / 2
RADII_MM = (22.0, 14.0, 18.0)
CENTER = np.array([1.3, -2.4, 0.7])


def _measured(code, grid, inside, fine=1):
    return measure_abc2(code, find_components(rasterise(grid, inside, fine=fine), grid), grid)


@pytest.mark.parametrize("name", GRIDS)
def test_ellipsoid_standing_on_the_slices_has_its_axes(name):
    grid = GRIDS[name]
    axes = plane_axes(grid)
    abc2 = _measured("IPH", grid, ellipsoid(CENTER, axes, RADII_MM))
    pixel = max(grid.spacing_i_mm, grid.spacing_j_mm)
    assert abc2.a_mm == pytest.approx(44, abs=1.5 * pixel)
    assert abc2.b_mm == pytest.approx(28, abs=1.5 * pixel)
    assert abc2.c_mm == pytest.approx(36 * GRADED_SHARE, abs=1.1 * grid.slice_extents_mm.max())
    assert abc2.volume_ml == pytest.approx(abc2.a_mm * abc2.b_mm * abc2.c_mm / 2000)
    assert abc2.caveat == ""


@pytest.mark.parametrize("name", GRIDS)
def test_end_points_lie_within_a_voxel_of_the_true_ends(name):
    grid = GRIDS[name]
    axes = plane_axes(grid)

    def lozenge(points):  # an upright prism whose slices have sharp ends on both diagonals
        x, y, z = np.moveaxis((points - CENTER) @ axes, -1, 0)
        return (np.abs(x) / 30 + np.abs(y) / 14 <= 1) & (np.abs(z) <= 15)

    abc2 = _measured("IPH", grid, lozenge)
    depth = (grid.origins_lps_mm[abc2.key_slice] - CENTER) @ grid.normal
    middle = CENTER + depth * grid.normal  # the prism's axis in the key slice
    voxel = np.linalg.norm([grid.spacing_i_mm, grid.spacing_j_mm, grid.slice_extents_mm.max()])
    for ends, reach in ((abc2.a_ends_lps_mm, 30 * axes[:, 0]), (abc2.b_ends_lps_mm, 14 * axes[:, 1])):
        truth = np.array([middle + reach, middle - reach])
        gap = min(np.linalg.norm(np.array(ends) - order, axis=1).max() for order in (truth, truth[::-1]))
        assert gap <= voxel


@pytest.mark.parametrize("name", GRIDS)
def test_end_points_lie_in_the_plane_of_the_key_slice(name):
    grid = GRIDS[name]
    abc2 = _measured("IPH", grid, ellipsoid(CENTER, plane_axes(grid), RADII_MM))
    ends = grid.lps_to_voxel(np.array([*abc2.a_ends_lps_mm, *abc2.b_ends_lps_mm]))
    assert ends[:, 2] == pytest.approx(abc2.key_slice, abs=1e-6)


@pytest.mark.parametrize("name", GRIDS)
def test_abc2_is_off_by_what_geometry_says(name):
    grid = GRIDS[name]
    abc2 = _measured("IPH", grid, ellipsoid(CENTER, plane_axes(grid), RADII_MM))
    expected = 100 * (3 / np.pi * GRADED_SHARE - 1)  # A B C / 2 against pi / 6 x A B x height: -34.8 %
    assert abc2.percent_off == pytest.approx(expected, abs=7)
    assert abc2.percent_off == pytest.approx(100 * (abc2.volume_ml / abc2.voxel_volume_ml - 1))


def test_with_the_full_height_an_ellipsoid_is_within_five_percent():
    grid = make_grid(shape_kji=(60, 220, 220), spacing_mm=(0.5, 0.5), steps_mm=1.0)
    abc2 = _measured("IPH", grid, ellipsoid(np.zeros(3), np.eye(3), RADII_MM))
    full = abc2.a_mm * abc2.b_mm * 2 * RADII_MM[2] / 2000
    assert full == pytest.approx(4 / 3 * np.pi * np.prod(RADII_MM) / 1000, rel=0.05)


def test_c_counts_whole_half_and_no_slices_by_their_extents():
    grid = make_grid(shape_kji=(5, 40, 40), steps_mm=np.array([2.0, 4.0, 6.0, 2.0]))
    mask = np.zeros(grid.shape_kji, bool)
    for k, pixels in enumerate((100, 76, 75, 25, 24)):  # of 100: whole, whole, half, half, none
        mask[k].flat[:pixels] = True
    # extents 2, 3, 5, 4, 2 mm
    assert graded_height_mm(mask, grid) == pytest.approx(2 + 3 + 5 / 2 + 4 / 2)


def test_c_of_a_tilted_stack_is_measured_across_the_planes():
    straight, tilted = make_grid(), make_grid(tilt_deg=25)
    mask = rasterise(straight, box(np.zeros(3), np.eye(3), (10, 10, 12)))
    assert graded_height_mm(mask, tilted) == pytest.approx(graded_height_mm(mask, straight))


def test_a_single_voxel_has_its_own_volume():
    grid = make_grid(shape_kji=(5, 9, 9))
    mask = np.zeros(grid.shape_kji, bool)
    mask[0, 0, 0] = True  # also at the border
    abc2 = measure_abc2("IPH", find_components(mask, grid), grid)
    assert abc2.volume_ml == pytest.approx(abc2.voxel_volume_ml, rel=0.08)
    assert abc2.key_slice == 0


def test_two_hematomas_are_not_measured_as_one():
    grid = make_grid()

    def both(points):
        large = ellipsoid(np.array([-25.0, 0, 0]), np.eye(3), (14, 10, 14))(points)
        return large | ellipsoid(np.array([25.0, 0, 0]), np.eye(3), (10, 10, 10))(points)

    abc2 = _measured("IPH", grid, both)
    assert abc2.a_mm == pytest.approx(28, abs=1.5)
    assert abc2.voxel_volume_ml == pytest.approx(4 / 3 * np.pi * (14 * 10 * 14 + 1000) / 1000, rel=0.03)
    assert "Several parts" in abc2.caveat


def test_a_speck_beside_a_hematoma_changes_neither_a_nor_the_caveat():
    grid = make_grid()
    mask = rasterise(grid, ellipsoid(np.zeros(3), np.eye(3), RADII_MM))
    mask[5, 90, 90] = True
    abc2 = measure_abc2("IPH", find_components(mask, grid), grid)
    assert abc2.a_mm == pytest.approx(44, abs=1.5)
    assert abc2.caveat == ""


def test_lobed_outline_is_named():
    grid = make_grid()

    def cross(points):
        return box(np.zeros(3), np.eye(3), (25, 6, 10))(points) | box(np.zeros(3), np.eye(3), (6, 25, 10))(points)

    assert "Lobed" in _measured("IPH", grid, cross).caveat


def test_hematoma_above_40_ml_is_said_to_be_overestimated_by_the_formula():
    assert "40 mL" in _measured("IPH", make_grid(), ellipsoid(np.zeros(3), np.eye(3), (25, 22, 22))).caveat


@pytest.mark.parametrize(("code", "word"), [("SDH", "crescent"), ("EDH", "lens"), ("IVH", "ventricles")])
def test_types_for_which_the_formula_fails_say_so(code, word):
    crescent = shell(np.array([-20.0, 0, 0]), np.array([1.0, 0, 0]), (34, 40), 50)
    assert word in _measured(code, make_grid(), crescent, fine=3).caveat


def test_a_of_a_crescent_is_its_chord_and_b_its_thickness():
    center, direction = np.array([-20.0, 0, 0]), np.array([1.0, 0, 0])
    abc2 = _measured("SDH", make_grid(shape_kji=(49, 100, 100)), shell(center, direction, (34, 40), 50), fine=3)
    assert abc2.a_mm == pytest.approx(2 * 40 * np.sin(np.radians(50)), abs=2)
    assert abc2.b_mm < 12  # the sagitta is 40 - 34 cos 50 = 18
