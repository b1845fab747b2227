"""Distances between surfaces: those of an exhaustive search, and those of bodies whose distance is known."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.measurements.surface_distance import hd95_mm, surface

from .shapes import GRIDS, ellipsoid, make_grid, rasterise, rotation


def exhaustive_hd95(a: np.ndarray, b: np.ndarray, grid: SliceGrid) -> float:
    """Every surface voxel against every other one, in three dimensions."""
    points = []
    for mask in (a, b):
        edge = []
        for k, j, i in np.argwhere(mask):
            near = [(k - 1, j, i), (k + 1, j, i), (k, j - 1, i), (k, j + 1, i), (k, j, i - 1), (k, j, i + 1)]
            inside = all(all(0 <= n < size for n, size in zip(at, mask.shape, strict=True)) and mask[at] for at in near)
            if not inside:
                edge.append((i, j, k))
        points.append(grid.voxel_to_lps(np.array(edge)))
    apart = np.linalg.norm(points[0][:, None] - points[1][None], axis=-1)
    return max(np.percentile(apart.min(axis=1), 95), np.percentile(apart.min(axis=0), 95))


@pytest.mark.parametrize("name", GRIDS)
def test_the_distance_is_that_of_an_exhaustive_search_on_every_grid(name):
    grid = GRIDS[name]
    a = rasterise(grid, ellipsoid(np.array([1.0, 2, 0]), rotation((1, 2, 3), 30), (9, 6, 8)))
    b = rasterise(grid, ellipsoid(np.array([5.0, -2, 3]), np.eye(3), (7, 8, 5)))
    assert hd95_mm(a, b, grid) == pytest.approx(exhaustive_hd95(a, b, grid), abs=1e-9)


def test_scattered_voxels_are_found_too():
    grid = make_grid(
        shape_kji=(9, 14, 12), spacing_mm=(0.7, 1.3), steps_mm=np.array([1, 1, 6, 2, 2, 5, 1, 3]), tilt_deg=20
    )
    rng = np.random.default_rng(3)
    for _ in range(10):
        a, b = rng.random(grid.shape_kji) < 0.02, rng.random(grid.shape_kji) < 0.05
        assert hd95_mm(a, b, grid) == pytest.approx(exhaustive_hd95(a, b, grid), abs=1e-9)


def test_parallel_plates_are_as_far_apart_as_their_planes_when_the_stack_is_tilted():
    grid = make_grid(shape_kji=(8, 30, 30), steps_mm=4.0, tilt_deg=25)
    a, b = np.zeros(grid.shape_kji, bool), np.zeros(grid.shape_kji, bool)
    a[2], b[4] = True, True
    near = hd95_mm(a, b, grid)
    assert 8.0 <= near < 9.5, "the planes are 8 mm apart; at the edge the plates are shifted against each other"


def test_a_mask_has_no_distance_to_itself_and_none_to_nothing():
    grid = make_grid(shape_kji=(4, 8, 8))
    mask = np.zeros(grid.shape_kji, bool)
    mask[1, 2:5, 2:5] = True
    assert hd95_mm(mask, mask, grid) == 0.0
    assert hd95_mm(mask, np.zeros_like(mask), grid) is None


def test_the_surface_of_a_block_is_its_shell_also_at_the_border():
    block = np.ones((4, 5, 6), bool)
    assert surface(block).sum() == 4 * 5 * 6 - 2 * 3 * 4
