"""Augmentation against geometry: where a bright square goes, and what stays as it is."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from NeuroTriageLib.training.exam_augmentation import LIMITS_HU, augmented
from NeuroTriageLib.training.ye2019_recipe import COMPACT_TRAINING, ExamAugmentation

STILL = ExamAugmentation(rotation_deg=0.0, scale=(1.0, 1.0), shift=0.0, shear=0.0, mirror=0.0, flip=0.0)
SIZE = (48, 80)


def square(row: int = 8, column: int = 20) -> torch.Tensor:
    """(1, 48, 80) with a square of 8 x 8 around (row, column)."""
    hu = torch.zeros(1, *SIZE)
    hu[0, row - 4 : row + 4, column - 4 : column + 4] = 100.0
    return hu


def place(hu: torch.Tensor) -> tuple[float, float, float]:
    """Row and column of the middle of what is bright, from the image's middle, and its sum."""
    bright = hu[0].clamp_min(0)
    rows, columns = torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in hu.shape[1:]), indexing="ij")
    total = float(bright.sum())
    return float((bright * rows).sum()) / total, float((bright * columns).sum()) / total, total


def run(settings: ExamAugmentation, hu: torch.Tensor, size=SIZE, seed: int = 0, together: bool = True) -> torch.Tensor:
    return augmented(hu, None, size, settings, np.random.default_rng(seed), together=together)[0]


def test_nothing_to_change_changes_nothing():
    torch.testing.assert_close(run(STILL, square()), square(), atol=1e-3, rtol=0)


def test_mirroring_and_flipping_turn_the_axes_round():
    row, column, _ = place(square())
    assert place(run(dataclasses.replace(STILL, mirror=1.0), square()))[:2] == pytest.approx((row, -column), abs=0.01)
    assert place(run(dataclasses.replace(STILL, flip=1.0), square()))[:2] == pytest.approx((-row, column), abs=0.01)


def test_rotation_keeps_lengths_in_an_image_that_is_not_square():
    beside = square(24, 20)
    row, column, before = place(beside)
    radius, start = math.hypot(row, column), math.degrees(math.atan2(row, column))
    turned = []
    for seed in range(6):
        row, column, total = place(run(dataclasses.replace(STILL, rotation_deg=40.0), beside, seed=seed))
        assert math.hypot(row, column) == pytest.approx(radius, abs=0.3)
        assert total == pytest.approx(before, rel=0.03)
        turned.append(abs((math.degrees(math.atan2(row, column)) - start + 180) % 360 - 180))
    assert 10 < max(turned) < 40.5


def test_zoom_moves_away_from_the_middle_and_enlarges():
    zoomed = place(run(dataclasses.replace(STILL, scale=(1.1, 1.1)), square(12, 24)))
    before = place(square(12, 24))
    assert zoomed[:2] == pytest.approx((1.1 * before[0], 1.1 * before[1]), abs=0.1)
    assert zoomed[2] == pytest.approx(1.21 * before[2], rel=0.02)


def test_shifts_stay_within_their_share_of_the_image():
    middle = square(24, 40)
    moved = [place(run(dataclasses.replace(STILL, shift=0.1), middle, seed=seed))[:2] for seed in range(20)]
    rows, columns = np.abs(np.array(moved) - np.array(place(middle)[:2])).max(axis=0)
    assert 2.0 < rows <= 4.9 and 4.0 < columns <= 8.1


def test_a_smaller_result_is_the_middle_and_labels_go_with_the_image():
    label = (square(20, 30) > 0).to(torch.uint8)
    settings = dataclasses.replace(STILL, rotation_deg=30.0, mirror=0.5)
    hu, moved = augmented(square(20, 30), label, (32, 48), settings, np.random.default_rng(3), together=False)
    assert hu.shape == moved.shape == (1, 32, 48)
    agree = ((hu > 50) == (moved > 0)).float().mean()
    assert float(agree) > 0.99 and moved.max() == 1


def test_one_exams_slices_are_turned_alike_and_single_slices_each_by_itself():
    slices = square().repeat(4, 1, 1)
    settings = dataclasses.replace(STILL, rotation_deg=40.0)
    alike = run(settings, slices, together=True)
    assert all(torch.equal(alike[0], each) for each in alike)
    apart = run(settings, slices, together=False)
    assert not torch.equal(apart[0], apart[1])


def test_blank_pixels_stay_blank_through_every_change():
    hu = torch.full((2, 64, 64), -1024.0)
    hu[:, 16:48, 16:48] = 30.0
    settings = dataclasses.replace(COMPACT_TRAINING.augmentation, rotation_deg=0.0, scale=(1.0, 1.0), shear=0.0)
    for seed in range(5):
        changed = run(settings, hu, (64, 64), seed)
        assert (changed[:, :15] == LIMITS_HU[0]).all() and (changed[:, :, 50:] == LIMITS_HU[0]).all()
        assert changed[:, 18:46, 18:46].mean() > 10.0


def test_without_settings_only_the_middle_is_cut():
    hu = torch.arange(48.0 * 80).view(1, 48, 80).remainder(500)
    cut, _ = augmented(hu, None, (16, 16), None, np.random.default_rng(0), together=True)
    torch.testing.assert_close(cut, hu[:, 16:32, 32:48])
