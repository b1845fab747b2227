"""Overlap of masks: Dice and shared volumes of known bodies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from NeuroTriageLib.measurements.overlap import dice, joint_volumes_ml
from NeuroTriageLib.measurements.volume import mask_volume_ml

from .shapes import GRIDS


def test_dice_of_known_overlaps():
    assert dice(2.0, 4.0, 4.0) == 0.5
    assert dice(0.0, 4.0, 0.0) == 0.0
    assert math.isnan(dice(0.0, 0.0, 0.0))
    np.testing.assert_allclose(dice(np.array([1.0, 3.0]), np.array([1.0, 3.0]), np.array([1.0, 3.0])), 1.0)


@pytest.mark.parametrize("name", GRIDS)
def test_joint_volumes_add_up_to_those_of_each_mask(name):
    grid = GRIDS[name]
    rng = np.random.default_rng(1)
    a, b = (rng.integers(0, 3, grid.shape_kji).astype(np.uint8) for _ in range(2))
    joint = joint_volumes_ml(a, b, grid, 3)
    for value in range(3):
        assert joint[value].sum() == pytest.approx(mask_volume_ml(a == value, grid))
        assert joint[:, value].sum() == pytest.approx(mask_volume_ml(b == value, grid))
        assert joint[value, 2] == pytest.approx(mask_volume_ml((a == value) & (b == 2), grid))
