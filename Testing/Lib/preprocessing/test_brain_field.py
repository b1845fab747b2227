"""What Ye 2019's networks see: whole images, or the brain with its margin; and where that lies."""

from __future__ import annotations

import dataclasses

import numpy as np

from NeuroTriageLib.preprocessing.brain_field import BLANK_HU, BrainField
from NeuroTriageLib.systems.ye2019_config import COMPACT, PUBLISHED

ONE_PIXEL = dataclasses.replace(COMPACT, image_size=64, pixel_spacing_mm=2.0, margin_mm=2.0)


def exam() -> tuple[np.ndarray, np.ndarray]:
    hu = np.random.default_rng(0).normal(30, 5, (4, 64, 64)).astype(np.float32)
    brain = np.zeros(hu.shape, bool)
    brain[1:3, 20:31, 40:57] = True
    return hu, brain


def test_the_published_field_is_every_slice_whole_with_skull_and_face():
    hu, brain = exam()
    field = BrainField.of(hu, brain, PUBLISHED)
    np.testing.assert_array_equal(field.hu_shw, np.round(hu))
    assert field.slabs.tolist() == [0, 1, 2, 3]


def test_the_compact_field_is_the_brain_and_its_margin_in_the_slabs_with_brain():
    hu, brain = exam()
    field = BrainField.of(hu, brain, ONE_PIXEL)
    assert field.slabs.tolist() == [1, 2]
    assert field.hu_shw.shape == (2, 16, 32) and field.hu_shw.dtype == np.int16
    seen = field.paste(field.hu_shw.astype(np.int32) - BLANK_HU) > 0  # (S, H, W) bool
    grown = brain.copy()  # one pixel to the four sides
    grown[1:3, 19:32, 40:57] = True
    grown[1:3, 20:31, 39:58] = True
    np.testing.assert_array_equal(seen, grown)
    np.testing.assert_array_equal((field.paste(field.hu_shw))[grown], np.round(hu)[grown])


def test_a_brain_at_the_images_edge_is_kept_whole():
    hu, brain = exam()
    brain[1, 60:64, 0:3] = True
    field = BrainField.of(hu, brain, ONE_PIXEL)
    assert field.rows.stop == 64 and field.columns.start == 0
    assert (field.hu_shw > BLANK_HU).sum() >= brain.sum()
    assert all(length % 16 == 0 for length in field.hu_shw.shape[1:])


def test_no_brain_is_no_slab():
    hu, brain = exam()
    field = BrainField.of(hu, np.zeros_like(brain), ONE_PIXEL)
    assert len(field.slabs) == len(field.hu_shw) == 0
    assert not field.paste(field.hu_shw).any()
