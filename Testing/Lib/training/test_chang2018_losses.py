"""Losses of Chang 2018 by hand: their values, what they leave out, and their weights."""

import math

import pytest
import torch

from NeuroTriageLib.networks.detection.boxes import encode
from NeuroTriageLib.networks.detection.proposals import AnchorScores
from NeuroTriageLib.networks.detection.region_heads import RegionScores
from NeuroTriageLib.training.chang2018_losses import (
    mask_losses,
    objectness_loss,
    pixel_loss,
    proposal_box_loss,
    region_box_loss,
    type_loss,
)
from NeuroTriageLib.training.chang2018_targets import AnchorTargets, Regions

ANCHORS = torch.tensor([[0.0, 0, 10, 10], [10, 10, 30, 30], [0, 0, 8, 4], [5, 5, 9, 9]])


def test_objectness_counts_at_most_half_positive_anchors_and_none_between():
    torch.manual_seed(0)
    label = torch.tensor([[1] * 30 + [0] * 100 + [-1] * 20])
    logits = torch.zeros(1, 150)
    logits[label == 1], logits[label == 0], logits[label == -1] = 2.0, -1.0, 50.0
    scores = AnchorScores(torch.zeros(150, 4), logits, torch.zeros(1, 150, 4))
    loss = objectness_loss(scores, AnchorTargets(label, torch.zeros(1, 150, 4)), 20, 0.0)
    positive, negative = math.log1p(math.exp(-2.0)), math.log1p(math.exp(-1.0))
    assert loss.item() == pytest.approx((10 * positive + 10 * negative) / 20, rel=1e-5)


def test_few_positive_anchors_leave_their_place_to_negative_ones():
    label = torch.tensor([[1] * 3 + [0] * 100])
    logits = torch.where(label == 1, 2.0, -1.0)
    loss = objectness_loss(
        AnchorScores(torch.zeros(103, 4), logits, torch.zeros(1, 103, 4)),
        AnchorTargets(label, torch.zeros(1, 103, 4)),
        20,
        0.0,
    )
    positive, negative = math.log1p(math.exp(-2.0)), math.log1p(math.exp(-1.0))
    assert loss.item() == pytest.approx((3 * positive + 17 * negative) / 20, rel=1e-5)


def test_the_hardest_negative_anchors_are_their_share():
    label = torch.zeros(1, 200, dtype=torch.long)
    logits = torch.full((1, 200), -40.0)
    logits[0, 50:55] = 3.0  # five false alarms among easy ones
    scores, targets = AnchorScores(torch.zeros(200, 4), logits, torch.zeros(1, 200, 4)), torch.zeros(1, 200, 4)
    loss = objectness_loss(scores, AnchorTargets(label, targets), 20, 0.25)
    assert loss.item() == pytest.approx(5 * math.log1p(math.exp(3.0)) / 20, rel=1e-4)


def test_box_losses_are_zero_at_the_right_offsets_and_ignore_other_anchors():
    wanted = ANCHORS + 2.0
    label = torch.tensor([[1, 0, -1, 1]])
    right = encode(wanted, ANCHORS)[None].clone()
    right[0, 1:3] = 99.0
    scores = AnchorScores(ANCHORS, torch.zeros(1, 4), right)
    assert proposal_box_loss(scores, AnchorTargets(label, wanted[None])).item() == pytest.approx(0.0, abs=1e-6)
    right[0, 0, 0] += 1.0  # far beyond the squared part: |1| - beta / 2, over two positive anchors
    assert proposal_box_loss(scores, AnchorTargets(label, wanted[None])).item() == pytest.approx(
        (1 - 1 / 18) / 2, rel=1e-4
    )
    regions = Regions(ANCHORS[None], torch.tensor([[2, 0, -1, 1]]), wanted[None])
    assert region_box_loss(RegionScores(torch.zeros(1, 4, 5), encode(wanted, ANCHORS)[None]), regions).item() < 1e-6
    nothing = Regions(ANCHORS[None], torch.tensor([[0, 0, -1, 0]]), wanted[None])
    assert region_box_loss(RegionScores(torch.zeros(1, 4, 5), right), nothing).item() == 0.0


def test_the_type_loss_leaves_padding_out():
    logits = torch.zeros(1, 3, 5)
    logits[0, 2, 0] = 1e3
    regions = Regions(torch.zeros(1, 3, 4), torch.tensor([[0, 3, -1]]), torch.zeros(1, 3, 4))
    assert type_loss(RegionScores(logits, torch.zeros(1, 3, 4)), regions, 1.0).item() == pytest.approx(math.log(5))


def test_a_positive_region_weighs_what_the_recipe_says():
    logits = torch.zeros(1, 3, 5)
    logits[0, :, 0] = 2.0
    regions = Regions(torch.zeros(1, 3, 4), torch.tensor([[0, 0, 4]]), torch.zeros(1, 3, 4))
    none, some = math.log(1 + 4 * math.exp(-2.0)), math.log(math.exp(2.0) + 4)
    loss = type_loss(RegionScores(logits, torch.zeros(1, 3, 4)), regions, 3.0)
    assert loss.item() == pytest.approx((2 * none + 3 * some) / 5, rel=1e-5)


def test_mask_losses_of_a_right_a_wrong_and_no_mask():
    wanted = torch.zeros(1, 20, 20)
    wanted[0, 5:15, 5:15] = 1
    entropy, overlap = mask_losses((wanted - 0.5) * 60, wanted)
    assert entropy.item() < 1e-6 and overlap.item() < 1e-4
    entropy, overlap = mask_losses((0.5 - wanted) * 60, wanted)
    assert entropy.item() == pytest.approx(30.0, rel=1e-3) and overlap.item() == pytest.approx(1 - 1 / 401, rel=1e-3)
    assert [loss.item() for loss in mask_losses(torch.zeros(0, 20, 20), torch.zeros(0, 20, 20))] == [0.0, 0.0]


def test_a_cell_has_the_type_that_fills_half_of_it():
    types = torch.zeros(1, 4, 4, dtype=torch.long)
    types[0, 0, :2] = 2  # half of the first cell
    types[0, 2, 2] = 1  # a quarter of the last
    logits = torch.full((1, 5, 2, 2), -30.0)
    logits[0, 0], logits[0, 0, 0, 0], logits[0, 2, 0, 0] = 30.0, -30.0, 30.0
    assert pixel_loss(logits, types).item() < 1e-6
