"""The box around a mask."""

from __future__ import annotations

import numpy as np

from NeuroTriageLib.measurements.bounding_box import bounding_box


def test_the_box_holds_every_voxel_and_touches_the_mask_on_each_side():
    mask = np.zeros((5, 7, 9), np.uint8)
    mask[1, 2, 8], mask[3, 4, 5] = 1, 7
    assert bounding_box(mask) == (slice(1, 4), slice(2, 5), slice(5, 9))


def test_an_empty_mask_has_no_box():
    assert bounding_box(np.zeros((2, 3, 4), bool)) is None
