"""SliceGrid: places, volumes and regularity on tilted, uneven, flipped and oblique stacks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from NeuroTriageLib.core.errors import GeometryError
from NeuroTriageLib.core.geometry import SliceGrid, unit


def rotation(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    """(3, 3) rotation about an axis (Rodrigues' formula)."""
    x, y, z = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def grid(
    positions_mm: list[float], *, turn: np.ndarray | None = None, tilt_deg: float = 0.0, flip_i: bool = False
) -> SliceGrid:
    """Slices of 7 x 9 pixels along the table, turned in space, tilted (sheared), or flipped left to right."""
    turn = np.eye(3) if turn is None else turn
    angle = np.radians(tilt_deg)
    origins = np.array([-30.0, 40.0, -70.0]) + np.outer(positions_mm, [0, 0, 1.0])
    return SliceGrid(
        shape_kji=(len(positions_mm), 7, 9),
        origins_lps_mm=origins @ turn.T,
        direction_i=turn @ np.array([-1.0 if flip_i else 1.0, 0, 0]),
        direction_j=turn @ np.array([0, np.cos(angle), np.sin(angle)]),
        spacing_i_mm=0.5,
        spacing_j_mm=0.8,
        slice_thickness_mm=5.0,
    )


REGULAR = [0.0, 5.0, 10.0, 15.0, 20.0]
UNEVEN = [0.0, 2.5, 5.0, 12.0, 19.0]
OBLIQUE = rotation((1, 2, 3), 33.0)
GRIDS = {
    "axial": grid(REGULAR),
    "one slice": grid([3.0]),
    "downwards": grid([-p for p in REGULAR]),
    "flipped": grid(REGULAR, flip_i=True),
    "tilted": grid(REGULAR, tilt_deg=18.0),
    "uneven": grid(UNEVEN),
    "uneven and downwards": grid([-p for p in UNEVEN]),
    "uneven and tilted": grid(UNEVEN, tilt_deg=-21.0),
    "oblique": grid(REGULAR, turn=OBLIQUE),
    "oblique, uneven, tilted, flipped": grid(UNEVEN, turn=OBLIQUE, tilt_deg=12.0, flip_i=True),
}
every_grid = pytest.mark.parametrize("name", GRIDS)


@every_grid
def test_a_voxel_lies_at_its_slices_origin_plus_steps_along_its_row_and_column(name):
    g = GRIDS[name]
    for k in range(g.shape_kji[0]):
        expected = g.origins_lps_mm[k] + 4 * 0.5 * g.direction_i + 6 * 0.8 * g.direction_j
        np.testing.assert_allclose(g.voxel_to_lps(np.array([4, 6, k])), expected, atol=1e-9)


@every_grid
def test_lps_to_voxel_undoes_voxel_to_lps_inside_and_outside_the_stack(name):
    g = GRIDS[name]
    index = np.random.default_rng(3).uniform(-3, 12, size=(200, 3))
    np.testing.assert_allclose(g.lps_to_voxel(g.voxel_to_lps(index)), index, atol=1e-8)


@every_grid
def test_indices_of_any_leading_shape_are_taken(name):
    g = GRIDS[name]
    assert g.voxel_to_lps(np.zeros((2, 4, 3))).shape == (2, 4, 3)
    assert g.lps_to_voxel(np.zeros(3)).shape == (3,)


@every_grid
def test_a_grid_comes_back_from_json(name):
    g = GRIDS[name]
    assert SliceGrid.from_json(json.loads(json.dumps(g.to_json()))).same_as(g, tolerance_mm=1e-9)


@every_grid
def test_a_regular_grids_affine_places_every_voxel(name):
    g = GRIDS[name]
    index = np.array([[0, 0, 0], [8, 6, g.shape_kji[0] - 1], [3, 2, g.shape_kji[0] // 2]], dtype=float)
    placed = index @ g.affine_ijk_to_lps[:3, :3].T + g.affine_ijk_to_lps[:3, 3]
    agrees = np.allclose(placed, g.voxel_to_lps(index), atol=1e-6)
    assert g.is_regular == ("uneven" not in name)
    assert agrees or not g.is_regular


def test_a_tilted_stack_is_regular_and_knows_its_tilt():
    assert GRIDS["tilted"].is_regular
    assert GRIDS["tilted"].tilt_deg == pytest.approx(18.0)
    assert GRIDS["oblique"].tilt_deg == pytest.approx(0.0, abs=1e-5)
    assert GRIDS["one slice"].tilt_deg == 0.0


def test_the_distance_between_tilted_slices_is_measured_across_their_planes():
    np.testing.assert_allclose(GRIDS["tilted"].slice_spacings_mm, 5.0 * np.cos(np.radians(18.0)))


@pytest.mark.parametrize("name", ["axial", "downwards", "flipped", "oblique"])
def test_all_voxels_together_fill_the_scanned_box(name):
    g = GRIDS[name]
    total = g.voxel_volumes_ml.sum() * 7 * 9
    assert total == pytest.approx(9 * 0.5 * 7 * 0.8 * 25.0 / 1000)


def test_uneven_slices_reach_half_way_to_their_neighbours():
    np.testing.assert_allclose(GRIDS["uneven"].slice_extents_mm, [2.5, 2.5, 4.75, 7.0, 7.0])
    np.testing.assert_allclose(GRIDS["uneven and downwards"].slice_extents_mm, [2.5, 2.5, 4.75, 7.0, 7.0])


def test_a_single_slice_stands_for_its_own_thickness():
    np.testing.assert_allclose(GRIDS["one slice"].voxel_volumes_ml, [0.5 * 0.8 * 5.0 / 1000])


def test_the_volume_of_a_sphere_is_the_same_on_every_grid():
    radius_mm, edge = 20.0, 60
    for turn, tilt in ((np.eye(3), 0.0), (OBLIQUE, 0.0), (np.eye(3), 20.0), (OBLIQUE, -15.0)):
        coarse = grid([2.0 * n for n in range(edge // 2)], turn=turn, tilt_deg=tilt)
        g = SliceGrid(
            shape_kji=(edge // 2, edge, edge),
            origins_lps_mm=coarse.origins_lps_mm,
            direction_i=coarse.direction_i,
            direction_j=coarse.direction_j,
            spacing_i_mm=1.0,
            spacing_j_mm=1.0,
            slice_thickness_mm=2.0,
        )
        k, j, i = np.indices(g.shape_kji)
        points = g.voxel_to_lps(np.stack([i, j, k], axis=-1))
        center = g.voxel_to_lps(np.array([edge / 2, edge / 2, edge / 4]))
        mask = np.linalg.norm(points - center, axis=-1) <= radius_mm
        volume_ml = mask.sum(axis=(1, 2)) @ g.voxel_volumes_ml
        assert volume_ml == pytest.approx(4 / 3 * np.pi * 2.0**3, rel=0.01)


def test_positions_rounded_by_the_scanner_are_still_regular():
    noise = np.random.default_rng(0).uniform(-0.02, 0.02, size=(5, 3))
    g = GRIDS["axial"]
    rounded = SliceGrid(g.shape_kji, g.origins_lps_mm + noise, g.direction_i, g.direction_j, 0.5, 0.8, 5.0)
    assert rounded.is_regular


def test_grids_differ_by_shape_place_and_turn():
    g = GRIDS["axial"]
    assert g.same_as(grid(REGULAR))
    assert not g.same_as(GRIDS["flipped"])
    assert not g.same_as(grid(REGULAR[:4]))
    assert not g.same_as(grid([p + 0.01 for p in REGULAR]))
    assert g.same_as(grid([p + 0.01 for p in REGULAR]), tolerance_mm=0.02)


def test_an_affine_makes_the_same_grid_again_also_sheared():
    for name in ("axial", "flipped", "tilted", "oblique", "downwards"):
        g = GRIDS[name]
        assert SliceGrid.from_affine(g.shape_kji, g.affine_ijk_to_lps, 5.0).same_as(g, tolerance_mm=1e-6)


def wrong(**changes) -> None:
    """Try to make the axial grid with something changed."""
    g = GRIDS["axial"]
    values = {"shape_kji": g.shape_kji, "origins_lps_mm": g.origins_lps_mm, "direction_i": g.direction_i}
    values |= {"direction_j": g.direction_j, "spacing_i_mm": 0.5, "spacing_j_mm": 0.8, "slice_thickness_mm": 5.0}
    SliceGrid(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape_kji": (4, 7, 9)}, "number of slice positions"),
        ({"shape_kji": (5, 0, 9)}, "number of slice positions"),
        ({"direction_j": [1.0, 0.1, 0.0]}, "not perpendicular"),
        ({"direction_i": [0.0, 0.0, 0.0]}, "no length"),
        ({"direction_i": [np.nan, 0.0, 0.0]}, "no length"),
        ({"spacing_i_mm": 0.0}, "not positive"),
        ({"slice_thickness_mm": -1.0}, "not positive"),
        ({"origins_lps_mm": np.full((5, 3), np.nan)}, "not a number"),
        ({"origins_lps_mm": np.zeros((5, 3))}, "not in order"),
        ({"origins_lps_mm": np.outer([0, 5, 3, 8, 9], [0, 0, 1.0])}, "not in order"),
    ],
)
def test_an_impossible_geometry_is_refused_with_its_reason(changes, message):
    with pytest.raises(GeometryError, match=message):
        wrong(**changes)


def test_json_of_another_frame_or_with_a_missing_value_is_refused():
    values = GRIDS["axial"].to_json()
    with pytest.raises(GeometryError, match="not LPS"):
        SliceGrid.from_json(values | {"frame": "RAS"})
    del values["spacing_i_mm"]
    with pytest.raises(GeometryError, match="incomplete"):
        SliceGrid.from_json(values)


def test_unit_scales_to_length_one():
    np.testing.assert_allclose(unit([3.0, 0.0, 4.0]), [0.6, 0.0, 0.8])
