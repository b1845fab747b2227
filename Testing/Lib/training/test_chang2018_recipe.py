"""The recipe of Chang 2018: what the paper and those that it cites say of losses, sampling and length."""

from __future__ import annotations

import pytest

from NeuroTriageLib.training.chang2018_recipe import COMPACT_TRAINING, PUBLISHED_TRAINING


def test_the_published_losses_weigh_the_same_and_nothing_is_added_to_them():
    weights = PUBLISHED_TRAINING.weights
    names = ("objectness", "proposal_box", "type", "region_box", "mask")
    assert [getattr(weights, name) for name in names] == [1.0] * 5
    assert weights.mask_overlap == weights.pixels == 0.0


def test_the_published_run_takes_100000_iterations_of_adam():
    assert (PUBLISHED_TRAINING.steps, PUBLISHED_TRAINING.optimizer, PUBLISHED_TRAINING.minutes) == (
        100_000,
        "adam",
        None,
    )


def test_the_published_sampling_is_that_of_the_detectors_that_the_paper_cites():
    recipe = PUBLISHED_TRAINING
    assert recipe.anchor_overlap == (0.3, 0.7) and recipe.anchors_sampled == 256  # Ren 2015, sections 3.1.2 and 3.1.3
    assert recipe.region_overlap == 0.5 and recipe.region_positive_share == 0.25  # He 2017, section 3.1: 1 to 3
    assert recipe.hard_share == recipe.jittered == 0 and recipe.positive_region_weight == 1.0
    assert not recipe.balance_types and recipe.average_decay == 0.0


def test_the_rates_of_both_recipes():
    assert [PUBLISHED_TRAINING.rate(f) for f in (0.0, 0.59, 0.61, 0.9)] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-5])
    rates = [COMPACT_TRAINING.rate(f) for f in (0.0, 0.08, 0.5, 1.0)]
    assert rates[1] == pytest.approx(3e-3) and rates[0] < rates[1] > rates[2] > rates[3] > 0
