"""The head of an MR image, against a head drawn from geometry."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.preprocessing.mr_head import head_mask
from Testing.Lib.mr_phantom import SHAPE, grid, head


def inside(radius: float, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    k, j, i = (np.linspace(-1, 1, n) for n in shape)
    return np.asarray(k[:, None, None] ** 2 + j[:, None] ** 2 + i**2 <= radius**2)


@pytest.mark.parametrize("contrast", ["FLAIR", "TRACE"])
def test_the_whole_brain_with_its_dark_fluid_is_inside_and_the_air_is_not(contrast):
    mask = head_mask(head(contrast), grid())
    assert mask[inside(0.8)].all()
    assert not mask[~inside(1.2)].any()


def test_noise_and_a_faint_ghost_beside_the_head_are_outside():
    rng = np.random.default_rng(0)
    image = head("FLAIR") + np.abs(rng.normal(0.0, 12.0, SHAPE)).astype(np.float32)
    image[8:12, 1:4, 2:5] = 150.0  # bright, but small and apart
    mask = head_mask(image, grid())
    assert mask[inside(0.8)].all() and not mask[8:12, 1:4, 2:5].any()
    assert mask[~inside(1.25)].mean() < 0.01


def test_of_a_stripped_brain_the_mask_is_the_brain():
    brain = np.where(inside(0.82), head("TRACE"), 0.0)
    mask = head_mask(brain, grid())
    assert mask[inside(0.8)].all() and not mask[~inside(1.0)].any()


def test_an_intensity_unit_changes_nothing():
    image = head("FLAIR")
    assert np.array_equal(head_mask(image, grid()), head_mask(image * np.float32(1e-3), grid()))


def test_without_a_head_nothing_is_ruled_out():
    assert head_mask(np.zeros(SHAPE, np.float32), grid()).all()
