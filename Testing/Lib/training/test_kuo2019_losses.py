"""Losses against hand-made logits and labels."""

import pytest
import torch

from NeuroTriageLib.training.kuo2019_losses import NOT_KNOWN, patch_loss, patch_targets, pixel_loss
from NeuroTriageLib.training.windowed_exam import OUTSIDE, UNTYPED


def test_positive_pixels_weigh_three_times_as_much():
    logits = torch.zeros(1, 6, 1, 2)
    logits[0, 0, 0, 1] = 4.0  # the second pixel is called background but is blood
    target = torch.tensor([[[0, 3]]])
    each = torch.nn.functional.cross_entropy(logits, target, reduction="none")[0, 0]
    assert pixel_loss(logits, target, 3.0).mean().item() == pytest.approx(((each[0] + 3 * each[1]) / 4).item())


def test_pixels_beyond_the_brain_count_as_background():
    logits = torch.randn(2, 6, 4, 4)
    target = torch.full((2, 4, 4), OUTSIDE)
    assert torch.equal(pixel_loss(logits, target, 3.0), pixel_loss(logits, torch.zeros_like(target), 3.0))


def test_losses_of_half_precision_logits_are_single_precision():
    logits = torch.randn(2, 6, 8, 8).bfloat16()
    assert pixel_loss(logits, torch.zeros(2, 8, 8, dtype=torch.long), 3.0).dtype == torch.float32
    patch = torch.randn(2, 6, 2, 2, 2).bfloat16()
    assert patch_loss(patch, torch.zeros(2, 6, 1, 1, dtype=torch.long), 2, 1).dtype == torch.float32


def test_a_patch_shows_a_type_from_four_pixels_on():
    target = torch.zeros(2, 16, 16, dtype=torch.long)
    target[0, :1, :3] = 2
    target[1, :1, :4] = 2
    target[1, 5:7, 5] = 4
    shown = patch_targets(target, 5, 4, 16, 16)[:, :, 0, 0]
    assert shown.tolist() == [[0, 0, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0]]


def test_blood_of_unknown_type_asks_for_any_type():
    logits = torch.randn(1, 6, 1, 1)
    background = logits.softmax(dim=1)[0, 0, 0, 0]
    target = torch.full((1, 1, 1), UNTYPED)
    assert pixel_loss(logits, target, 3.0).item() == pytest.approx(-torch.log(1 - background).item(), rel=1e-4)


def test_a_window_with_blood_of_unknown_type_knows_that_it_bleeds_and_which_types_it_shows_beside():
    target = torch.zeros(2, 16, 16, dtype=torch.long)
    target[:, :4, :4] = UNTYPED
    target[1, 8:12, 8:12] = 3
    shown = patch_targets(target, 5, 4, 16, 16)[:, :, 0, 0]
    unknown = NOT_KNOWN
    assert shown.tolist() == [[1, *([unknown] * 5)], [1, unknown, unknown, 1, unknown, unknown]]
    patch = torch.randn(1, 6, 2, 1, 1)
    alone = torch.nn.functional.cross_entropy(patch[:, 0, :, 0, 0], torch.tensor([1])) / 6
    assert patch_loss(patch, shown[:1, :, None, None], 1, 1).item() == pytest.approx(alone.item(), rel=1e-5)


def test_every_window_of_a_whole_image_has_its_own_labels():
    target = torch.zeros(1, 32, 32, dtype=torch.long)
    target[0, 0:4, 28:32] = 5
    shown = patch_targets(target, 5, 4, 16, 8)
    assert shown.shape == (1, 6, 3, 3)
    assert shown[0, 5].tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert torch.equal(shown[0, 0], shown[0, 5])


def test_patch_classes_are_independent_of_each_other():
    patch = torch.randn(1, 6, 2, 3, 3)
    targets = torch.randint(0, 2, (1, 6, 1, 1))
    logits = patch.mean(dim=(-2, -1))[0]
    expected = torch.nn.functional.cross_entropy(logits, targets[0, :, 0, 0])
    assert patch_loss(patch, targets, 3, 1).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_pixel_losses_of_a_batch_average_to_the_mean_over_its_weights():
    torch.manual_seed(0)
    logits, target = torch.randn(3, 6, 4, 4), torch.randint(0, 6, (3, 4, 4))
    each = torch.nn.functional.cross_entropy(logits, target, reduction="none")
    weight = torch.where(target > 0, 3.0, 1.0)
    assert pixel_loss(logits, target, 3.0).mean().item() == pytest.approx(float((each * weight).sum() / weight.sum()))
