"""Parts of a mask."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.measurements.components import find_components
from Testing.Lib.measurements.shapes import make_grid


def test_voxels_that_touch_by_a_corner_are_one_part():
    grid = make_grid(shape_kji=(4, 6, 6))
    mask = np.zeros(grid.shape_kji, bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 2, 0] = True
    assert find_components(mask, grid).count == 1


def test_voxels_one_apart_are_two_parts():
    grid = make_grid(shape_kji=(4, 6, 6))
    mask = np.zeros(grid.shape_kji, bool)
    mask[0, 0, 0] = mask[2, 0, 0] = True
    assert find_components(mask, grid).count == 2


def test_parts_are_ordered_by_millilitres_not_by_voxels():
    grid = make_grid(shape_kji=(5, 6, 6), steps_mm=np.array([1.0, 1.0, 1.0, 10.0]))
    mask = np.zeros(grid.shape_kji, bool)
    mask[0, 0, 0:5] = True  # 5 voxels of 1 mm
    mask[4, 0, 0:3] = True  # 3 voxels of 10 mm
    parts = find_components(mask, grid)
    assert parts.volumes_ml == pytest.approx([0.030, 0.005])
    assert np.argwhere(parts.largest_kji).tolist() == [[4, 0, 0], [4, 0, 1], [4, 0, 2]]


def test_a_lesion_across_a_gap_stays_one_part():
    grid = make_grid(shape_kji=(4, 6, 6), steps_mm=np.array([2.0, 15.0, 2.0]))
    mask = np.zeros(grid.shape_kji, bool)
    mask[:, 2:4, 2:4] = True
    assert find_components(mask, grid).count == 1


def test_parts_at_the_border_keep_their_place():
    grid = make_grid(shape_kji=(3, 6, 6))
    mask = np.zeros(grid.shape_kji, bool)
    mask[0, 0, 0] = mask[2, 5, 5] = True
    parts = find_components(mask, grid)
    assert parts.count == 2
    assert np.argwhere(parts.largest_kji).tolist() == [[0, 0, 0]]
    assert np.array_equal(parts.part_in_box > 0, mask[parts.box])


def test_an_empty_mask_has_no_parts():
    grid = make_grid(shape_kji=(3, 6, 6))
    parts = find_components(np.zeros(grid.shape_kji, bool), grid)
    assert parts.count == 0
    assert not parts.largest_kji.any()
