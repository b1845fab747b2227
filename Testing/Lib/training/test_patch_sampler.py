"""Patches: their shares, channels and augmentation."""

import dataclasses

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.training.kuo2019_recipe import PUBLISHED_TRAINING, PatchAugmentation
from NeuroTriageLib.training.patch_augmentation import augmented
from NeuroTriageLib.training.patch_sampler import PatchBatch, PatchSampler, crop_size
from NeuroTriageLib.training.windowed_exam import OUTSIDE
from Testing.Lib.training.synthetic_bank import TINY, TINY_TRAINING, loaded, synthetic_exam, write_bank

UNCHANGED = PatchAugmentation(
    rotation_deg=0.0, scale=(1.0, 1.0), mirror=0.0, offset_hu=0.0, gain=0.0, noise_hu=0.0, blur=0.0, rim_hu=0.0
)

PATCH = (TINY.patch_size, TINY.patch_size)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return loaded(write_bank(tmp_path_factory.mktemp("bank"), 20) / "train")


def test_thirty_percent_of_the_patches_come_from_positive_images(bank):
    recipe = dataclasses.replace(PUBLISHED_TRAINING, batch_size=20)
    sampler, rng = PatchSampler(bank, TINY, recipe), np.random.default_rng(0)
    for _ in range(5):
        batch = sampler.draw(rng)
        assert batch.from_positive.sum() == 6
        shows = ((batch.target > 0) & (batch.target != OUTSIDE)).any(axis=(1, 2))
        assert not shows[~batch.from_positive].any() and shows[batch.from_positive].all()


def test_balanced_positive_patches_show_each_type_equally_often(tmp_path):
    folder = tmp_path / "train"
    for number in range(12):
        synthetic_exam(number, types=(5,) if number == 0 else (1,)).save(folder / f"{number:06d}.npz")
    recipe = dataclasses.replace(TINY_TRAINING, batch_size=40, positive_share=1.0)
    target = PatchSampler(loaded(folder), TINY, recipe).draw(np.random.default_rng(0)).target
    assert 10 <= (target == 5).any(axis=(1, 2)).sum() <= 30


@pytest.mark.parametrize("balanced", [True, False])
def test_exams_of_one_kind_alone_are_refused_in_words(balanced, tmp_path):
    recipe = dataclasses.replace(TINY_TRAINING, balance_types=balanced)
    synthetic_exam(0, types=()).save(tmp_path / "000000.npz")
    with pytest.raises(InputError, match="only one kind"):
        PatchSampler(loaded(tmp_path), TINY, recipe).draw(np.random.default_rng(0))


def test_neighbouring_slabs_are_the_channels_and_the_edge_is_repeated(bank):
    exam = bank.exams[0]
    sampler = PatchSampler(bank, TINY, TINY_TRAINING)
    first = next(slab for slab in sampler._negative if (slab.exam, slab.slab) == (0, 0))
    image, _ = sampler._crop(first, 24, 24, PATCH)
    edge = (crop_size(PATCH)[0] - 48) // 2
    inside = slice(edge, edge + 48)
    assert np.array_equal(image[:, inside, inside], exam.image_shw[[0, 0, 1]])


def test_an_epoch_has_a_patch_for_every_slab_and_a_grown_bank_is_taken_up(bank, tmp_path):
    grown = loaded(write_bank(tmp_path, 2) / "train")
    sampler = PatchSampler(grown, TINY, TINY_TRAINING)
    assert sampler.slabs == 10
    synthetic_exam(99, types=(2,)).save(tmp_path / "train" / "000099.npz")
    assert grown.refresh() == 1
    sampler.refresh()
    assert sampler.slabs == 15


def test_augmentation_without_change_is_the_centre_of_the_crop(bank):
    sampler = PatchSampler(bank, TINY, TINY_TRAINING)
    batch = sampler.draw(np.random.default_rng(1))
    plain = augmented(batch, PATCH, None, 140.0, np.random.default_rng(0), "cpu")
    same = augmented(batch, PATCH, UNCHANGED, 140.0, np.random.default_rng(0), "cpu")
    assert torch.allclose(plain[0], same[0], atol=1e-4) and torch.equal(plain[1], same[1])


def test_augmented_labels_move_with_the_image_and_the_outside_stays_black(bank):
    sampler = PatchSampler(bank, TINY, dataclasses.replace(TINY_TRAINING, positive_share=1.0, batch_size=16))
    rng = np.random.default_rng(2)
    image, target = augmented(sampler.draw(rng), PATCH, PatchAugmentation(), 140.0, rng, "cpu")
    blood, brain, outside = (target > 0) & (target != OUTSIDE), target == 0, target == OUTSIDE
    middle = image[:, 1]
    assert middle[blood].mean() > middle[brain].mean() + 0.15
    assert middle[outside].mean() < 0.02
    assert image.min() >= 0 and image.max() <= 1 and blood.any(dim=(1, 2)).sum() >= 14


def test_the_glow_brightens_tissue_beside_bone_and_not_the_middle():
    size = crop_size(PATCH)[0]
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    radius = np.hypot(rows, columns)
    image = np.where(radius < 30, 60, 0).astype(np.uint8)
    crops = np.tile(image, (24, 3, 1, 1))
    batch = PatchBatch(crops, np.zeros((24, size, size), np.uint8), np.zeros(24, bool), np.zeros(24, int))
    settings = dataclasses.replace(UNCHANGED, rim_hu=30.0)
    glowing, _ = augmented(batch, (size, size), settings, 140.0, np.random.default_rng(0), "cpu")
    mean = glowing.mean(dim=(0, 1)).numpy()
    assert mean[(radius > 26) & (radius < 29)].mean() > mean[radius < 8].mean() + 0.01
    assert mean[radius < 8].mean() == pytest.approx(60 / 255, abs=0.002)


def test_of_several_candidates_the_hardest_is_drawn_and_unseen_slabs_come_first(bank):
    recipe = dataclasses.replace(TINY_TRAINING, candidates=200, positive_share=0.0, batch_size=4)
    sampler, rng = PatchSampler(bank, TINY, recipe), np.random.default_rng(0)
    unseen = sampler._negative[3]
    numbers = np.array([slab.number for slab in sampler._negative if slab is not unseen])
    sampler.remember(numbers, np.linspace(0.1, 0.9, len(numbers)))
    assert set(sampler.draw(rng).slabs) == {unseen.number}
    sampler.remember(np.array([unseen.number]), np.array([0.2]))
    assert set(sampler.draw(rng).slabs) == {numbers[-1]}


def test_whole_images_may_be_cut_to_a_box_that_is_not_square(bank):
    recipe = dataclasses.replace(TINY_TRAINING, whole_size=(56, 40), batch_size=8)
    sampler, rng = PatchSampler(bank, TINY, recipe), np.random.default_rng(0)
    batch = sampler.draw_whole(rng)
    image, target = augmented(batch, sampler.whole_size, UNCHANGED, 140.0, rng, "cpu")
    plain, _ = augmented(batch, sampler.whole_size, None, 140.0, rng, "cpu")
    assert image.shape[2:] == target.shape[1:] == (56, 40)
    assert torch.allclose(image, plain, atol=1e-4)
    whole, _ = bank.exams[0].whole()
    number = int(np.flatnonzero(batch.slabs < 5)[0]) if (batch.slabs < 5).any() else None
    if number is not None:
        assert np.allclose(plain[number, 1], whole[batch.slabs[number], 4:60, 12:52], atol=1e-6)
