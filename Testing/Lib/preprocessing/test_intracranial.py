"""The intracranial space of an oval head: blood beside the table in, scalp and skull out, gaps and ends survived."""

import numpy as np
import pytest

from NeuroTriageLib.preprocessing.intracranial import fill_holes_2d, intracranial_mask, without_islands_2d
from Testing.Lib.preprocessing import oval_head

SPACING = (5.0, 2.0, 2.0)


@pytest.fixture(scope="module")
def coarse():
    grid = oval_head.axial_grid(pixel_mm=2.0, size=100)
    return oval_head.head_on(grid).array_kji.astype(np.float32), oval_head.depth_mm(oval_head.voxel_points(grid))


def test_the_brain_is_inside_and_skull_scalp_and_air_are_outside(coarse):
    hu, depth = coarse
    mask = intracranial_mask(hu, SPACING)
    assert mask[depth > 1].mean() > 0.99
    assert not mask[depth < -1].any()


def test_thin_blood_beside_the_inner_table_stays_inside(coarse):
    hu, depth = coarse
    subdural = (depth > 0) & (depth < 3)
    hu = np.where(subdural, 75, hu)
    assert intracranial_mask(hu, SPACING)[subdural].mean() > 0.97


def test_a_burr_hole_does_not_let_the_scalp_in(coarse):
    hu, depth = coarse
    hu = hu.copy()
    hole = (depth < 0) & (depth > -oval_head.SKULL_MM)
    hole[:, :, :48] = False
    hole[:, :, 53:] = False
    hole[:, 50:] = False
    hu[hole] = 40
    mask = intracranial_mask(hu, SPACING)
    scalp = (depth < -oval_head.SKULL_MM - 1) & (depth > -oval_head.SKULL_MM - oval_head.SCALP_MM)
    assert mask[depth > 1].mean() > 0.99
    assert mask[scalp].mean() < 0.01


def test_calcification_and_air_inside_the_brain_are_filled(coarse):
    hu = coarse[0].copy()
    hu[13, 40:44, 50:53] = 400
    hu[13, 60:64, 50:53] = -900
    mask = intracranial_mask(hu, SPACING)
    assert mask[13, 40:44, 50:53].all() and mask[13, 60:64, 50:53].all()


def test_a_stack_that_ends_inside_the_brain_keeps_its_last_slices(coarse):
    hu, depth = coarse
    mask = intracranial_mask(hu[8:18], SPACING)
    assert mask[[0, -1]][depth[[8, 17]] > 1].mean() > 0.99


@pytest.mark.parametrize("value", [-1000, 40, 1500])
def test_an_image_without_a_head_has_no_intracranial_space(value):
    assert not intracranial_mask(np.full((6, 40, 40), value, np.float32), SPACING).any()


def test_holes_are_filled_slice_by_slice_and_islands_are_left_out():
    mask = np.zeros((2, 12, 12), bool)
    mask[0, 2:9, 2:9] = True
    mask[0, 4:6, 4:6] = False
    mask[1, 0, 0] = True
    filled = fill_holes_2d(mask)
    assert filled[0, 4:6, 4:6].all() and filled.sum() == 49 + 1
    assert without_islands_2d(filled, 5).sum() == 49
