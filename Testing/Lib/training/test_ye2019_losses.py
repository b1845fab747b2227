"""Ye 2019's losses worked out by hand, and which cells of a crop count."""

from __future__ import annotations

import math

import pytest
import torch

from NeuroTriageLib.networks.cnn_rnn import CnnRnnOutput
from NeuroTriageLib.training.ye2019_losses import (
    cell_loss,
    cell_targets,
    cnn_rnn_losses,
    five_type_targets,
    two_type_targets,
    weighted,
)
from NeuroTriageLib.training.ye2019_recipe import COMPACT_TRAINING, PUBLISHED_TRAINING, SLI_LAB, SUB_LAB


def entropy(probability: float) -> float:
    return -math.log(probability)


def test_slice_and_subject_cross_entropy_are_means_over_slices_and_outputs():
    logit = math.log(3.0)  # probability 0.75
    output = CnnRnnOutput(torch.tensor([[-logit, logit], [-logit, logit]]), torch.tensor([[0.0, logit]]))
    losses = cnn_rnn_losses(output, torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    assert float(losses["slice_loss"]) == pytest.approx((2 * entropy(0.75) + 2 * entropy(0.25)) / 4)
    assert float(losses["subject_loss"]) == pytest.approx((entropy(0.5) + entropy(0.75)) / 2)


def test_sli_lab_weighs_both_alike_and_sub_lab_leaves_the_slices_out():
    losses = {"slice_loss": torch.tensor(2.0), "subject_loss": torch.tensor(3.0)}
    assert weighted(losses, SLI_LAB) == 5.0 and weighted(losses, SUB_LAB) == 3.0
    assert PUBLISHED_TRAINING.loss_weights == SLI_LAB == COMPACT_TRAINING.loss_weights


def test_targets_of_both_networks():
    labels = torch.tensor([[True, False, True, False, False, True], [False] * 6])
    assert two_type_targets(labels).tolist() == [[0, 1], [1, 0]]
    assert five_type_targets(labels).tolist() == [[0, 1, 0, 0, 1], [0, 0, 0, 0, 0]]


def test_a_cell_counts_from_its_fourth_blood_pixel_and_is_unknown_below():
    label = torch.zeros(1, 32, 32, dtype=torch.long)
    label[0, 0, :3] = 2  # three pixels of the second type in the first cell
    label[0, 20:22, 20:22] = 1  # four of the first type in the last
    target, known = cell_targets(label, 2, 4)
    assert target.shape == (1, 3, 2, 2)
    assert target[0, 0].tolist() == [[0, 0], [0, 1]] and target[0, 1].tolist() == [[0, 0], [0, 1]]
    assert not target[0, 2].any()
    assert known[0, 0].tolist() == [[False, True], [True, True]] == known[0, 2].tolist()
    assert known[0, 1].all()


def test_unknown_cells_do_not_count_and_those_with_blood_weigh_more():
    logits, target = torch.zeros(1, 1, 1, 3), torch.tensor([[[[1.0, 0.0, 0.0]]]])
    known = torch.tensor([[[[True, True, False]]]])
    assert float(cell_loss(logits, target, known, 3.0)) == pytest.approx((3 + 1) * math.log(2) / 2)


def test_the_published_recipe_is_the_papers():
    assert PUBLISHED_TRAINING.optimizer == "adam" and PUBLISHED_TRAINING.schedule == "constant"
    assert [(s.name, s.learning_rate) for s in PUBLISHED_TRAINING.stages] == [("two_type", 1e-5), ("five_type", 1e-5)]
    assert PUBLISHED_TRAINING.patience_epochs == 50
    changes = PUBLISHED_TRAINING.augmentation
    assert (changes.rotation_deg, changes.scale, changes.shift, changes.shear) == (180, (0.9, 1.1), 0.1, 0.1)
    assert changes.mirror == changes.flip == 0.5
    assert changes.noise_hu == changes.rim_hu == changes.offset_hu == changes.gain == changes.blur == 0
