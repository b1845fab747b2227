"""The running mean follows the weights, fast at first."""

import pytest
import torch
from torch import nn

from NeuroTriageLib.training.running_mean import update_running_mean


def network(value):
    norm = nn.BatchNorm1d(1)
    with torch.no_grad():
        norm.weight.fill_(value)
    return norm


def test_late_steps_keep_the_share_that_is_asked_for_and_early_ones_less():
    late, early = network(1.0), network(1.0)
    update_running_mean(late, network(0.0), 0.9, 10_000)
    update_running_mean(early, network(0.0), 0.9, 1)
    assert late.weight.item() == pytest.approx(0.9) and early.weight.item() == pytest.approx(2 / 11)


def test_counters_are_copied_and_without_decay_nothing_changes():
    average, latest = network(1.0), network(0.0)
    latest.num_batches_tracked.fill_(7)
    update_running_mean(average, latest, 0.0, 5)
    assert average.num_batches_tracked == 0 and average.weight.item() == 1.0
    update_running_mean(average, latest, 0.5, 5)
    assert average.num_batches_tracked == 7


def test_a_part_under_two_names_is_moved_once():
    average, latest = (nn.ModuleDict({"a": part, "b": part}) for part in (network(1.0), network(0.0)))
    update_running_mean(average, latest, 0.9, 10_000)
    assert average["b"].weight.item() == pytest.approx(0.9)
