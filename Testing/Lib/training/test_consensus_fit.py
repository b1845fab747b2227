"""Fitting: known weights are found again, none is negative, few exams leave the average, masks take the best rule."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.training.consensus_fit import (
    THRESHOLDS,
    candidate_shares,
    fit_mask_rule,
    fit_weights,
    overlap_counts,
)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def exams(weights: tuple[float, ...], intercept: float, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Opinions whose log odds are independent, and truths drawn from their known combination."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0, 2, (count, len(weights)))
    truth = rng.random(count) < sigmoid(log_odds @ np.array(weights) + intercept)
    return sigmoid(log_odds), truth


def test_known_weights_are_found_again():
    probability, present = exams((0.9, 0.3, 0.0), -0.5, 20000)
    fit = fit_weights(probability, present)
    assert fit.weights == pytest.approx((0.9, 0.3, 0.0), abs=0.06)
    assert fit.intercept == pytest.approx(-0.5, abs=0.06)
    assert sum(fit.shares()) == pytest.approx(1.0)


def test_an_opinion_that_points_the_wrong_way_gets_no_weight_and_never_a_negative_one():
    probability, present = exams((1.0, -0.8), 0.0, 5000)
    fit = fit_weights(probability, present)
    assert fit.weights[1] == 0.0 and fit.shares() == (1.0, 0.0)


def test_few_exams_leave_the_plain_average():
    probability, present = exams((1.0, 0.0), 0.0, 6, seed=3)
    assert fit_weights(probability, present, penalty=1000.0).shares() == pytest.approx((0.5, 0.5), abs=0.02)
    assert fit_weights(probability, np.ones(6, bool)).shares() == (0.5, 0.5)


def test_the_fit_is_where_the_gradient_of_the_penalised_likelihood_vanishes():
    probability, present = exams((0.7, 0.5), 0.2, 400, seed=1)
    fit = fit_weights(probability, present, penalty=4.0)
    x = np.log(probability / (1 - probability))
    residual = sigmoid(x @ np.array(fit.weights) + fit.intercept) - present
    gradient = x.T @ residual + 4.0 * (np.array(fit.weights) - 0.5)
    assert np.abs(gradient).max() < 1e-3 and abs(residual.sum()) < 1e-3


def test_shares_are_tried_in_quarters_and_each_once():
    assert candidate_shares(1) == [(1.0,)]
    assert candidate_shares(2) == [(0.0, 1.0), (0.25, 0.75), (0.5, 0.5), (0.75, 0.25), (1.0, 0.0)]
    three = candidate_shares(3)
    assert len(set(three)) == len(three) and all(sum(shares) == pytest.approx(1.0) for shares in three)


def test_the_mask_rule_leaves_out_a_map_of_noise_and_cuts_between_blood_and_brain():
    rng = np.random.default_rng(2)
    counts = []
    for _ in range(4):
        blood = rng.random(4000) < 0.2
        good = np.where(blood, rng.uniform(0.5, 0.9, 4000), rng.uniform(0.0, 0.35, 4000))
        counts.append(overlap_counts(np.stack([rng.random(4000), good]).astype(np.float16), blood))
    rule = fit_mask_rule(counts, 2)
    assert rule.shares == (0.0, 1.0) and 0.35 <= rule.threshold <= 0.5 and rule.dice == pytest.approx(1.0)


def test_counts_are_those_of_the_voxels():
    heat, blood = np.array([[0.9, 0.4, 0.2, 0.7]]), np.array([True, True, False, False])
    counts = overlap_counts(heat, blood)[0]
    assert counts[THRESHOLDS.index(0.3)].tolist() == [2, 3, 2]
    assert counts[THRESHOLDS.index(0.8)].tolist() == [1, 1, 2]
