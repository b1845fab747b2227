"""Runs of slabs: which are drawn, what surrounds them, and labels that move with the image."""

import dataclasses

import numpy as np
import pytest
import torch

from NeuroTriageLib.training.chang2018_sampler import SlabSampler, augmented
from Testing.Lib.training.chang2018_tiny import TINY, TINY_TRAINING, loaded
from Testing.Lib.training.synthetic_bank import write_bank

STILL = dataclasses.replace(TINY_TRAINING.augmentation, rotation_deg=0.0, scale=(1.0, 1.0), mirror=0.0)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return loaded(write_bank(tmp_path_factory.mktemp("bank"), 12) / "train")


def test_half_of_the_runs_hold_blood_and_all_types_come(bank):
    sampler, rng, seen = SlabSampler(bank, TINY, TINY_TRAINING), np.random.default_rng(0), set()
    for _ in range(40):
        runs = sampler.draw(rng)
        assert runs.image.shape == (4, 2 + 4, 80, 80) and runs.types.shape == (4, 2, 80, 80)
        assert runs.types[:2].any(axis=(1, 2, 3)).all(), "the first half is drawn around a slab with blood"
        seen |= set(np.unique(runs.types).tolist())
    assert seen == {0, 1, 2, 3, 4}


def test_a_slab_is_in_the_middle_of_its_five_slices(bank):
    training = dataclasses.replace(TINY_TRAINING, runs=2, run_slabs=1)
    sampler, rng = SlabSampler(bank, TINY, training), np.random.default_rng(1)
    for _ in range(20):
        runs = sampler.draw(rng)
        blood = runs.types[0, 0] > 0
        bright = runs.image[0][:, blood].mean(axis=1)
        assert bright[2] > 90 and bright[[0, 1, 3, 4]].max() < 80  # the banks' squares are on one slab only


def test_the_outermost_slab_stands_in_for_what_is_beyond_the_ends(bank):
    training = dataclasses.replace(TINY_TRAINING, runs=2, run_slabs=5)
    runs = SlabSampler(bank, TINY, training).draw(np.random.default_rng(0))  # all five slabs of an exam
    for image in runs.image:
        for copy, original in ((0, 2), (1, 2), (7, 6), (8, 6)):
            np.testing.assert_array_equal(image[copy], image[original])


def test_without_changes_the_middle_is_cut_out(bank):
    training = dataclasses.replace(TINY_TRAINING, augmentation=STILL, shift=0.0, crop=(64, 32))
    rng = np.random.default_rng(3)
    runs = SlabSampler(bank, TINY, training).draw(rng)
    assert runs.types.shape[2:] == (80, 40)
    image, types = augmented(runs, training, 140.0, rng, "cpu")
    torch.testing.assert_close(image, torch.from_numpy(runs.image[..., 8:72, 4:36]) / 255.0, atol=1e-5, rtol=0)
    assert torch.equal(types, torch.from_numpy(runs.types[..., 8:72, 4:36]).flatten(0, 1).long())


def test_labels_move_with_the_image(bank):
    training = dataclasses.replace(TINY_TRAINING, shift=6.0)
    sampler, rng = SlabSampler(bank, TINY, training), np.random.default_rng(5)
    compared = 0
    for _ in range(20):
        image, types = augmented(sampler.draw(rng), training, 140.0, rng, "cpu")
        for slab, labels in zip(image[:, 2:-2].flatten(0, 1), types, strict=True):
            if (labels > 0).sum() > 30:
                bright = slab > 0.36  # tissue lies at 13 HU = 0.24, the faintest square at 54 HU = 0.53
                shared = (bright & (labels > 0)).sum() * 2 / (bright.sum() + (labels > 0).sum())
                assert shared > 0.8
                compared += 1
    assert compared > 20


def test_types_are_drawn_equally_often_however_rare(bank):
    sampler = SlabSampler(bank, TINY, TINY_TRAINING)
    sampler._of_label[4] = sampler._of_label[4] * 50  # epidural slabs are now fifty times as many
    rng = np.random.default_rng(0)
    drawn = [sampler._place(rng, True) for _ in range(600)]
    epidural = sum(place in set(sampler._of_label[4]) for place in drawn)
    assert 80 < epidural < 165  # one in five
