"""Figures of merit against hand-made cases, textbook definitions and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from NeuroTriageLib.evaluation import metrics


def test_auc_is_the_share_of_pairs_that_are_ordered_rightly():
    score = np.array([0.9, 0.4, 0.5, 0.1])
    positive = np.array([True, True, False, False])
    assert metrics.auc(score, positive) == 3 / 4


def test_auc_counts_ties_half():
    assert metrics.auc(np.array([0.5, 0.5]), np.array([True, False])) == 0.5


def test_auc_is_undefined_with_one_class_only():
    assert math.isnan(metrics.auc(np.array([0.1, 0.2]), np.array([True, True])))


def scored(seed: int = 5, count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties, and truth."""
    random = np.random.default_rng(seed)
    positive = random.random(count) < 0.4
    return np.round(positive * 0.3 + random.random(count), 1), positive


def test_auc_and_midranks_agree_with_independent_programs():
    roc_auc_score = pytest.importorskip("sklearn.metrics").roc_auc_score
    score, positive = scored()
    assert metrics.auc(score, positive) == pytest.approx(roc_auc_score(positive, score), abs=1e-12)


def test_the_weighted_auc_agrees_with_scikit_learn_for_every_set_of_weights():
    roc_auc_score = pytest.importorskip("sklearn.metrics").roc_auc_score
    score, positive = scored()
    weights = np.random.default_rng(2).integers(0, 4, size=(5, len(score))).astype(float)
    expected = [roc_auc_score(positive, score, sample_weight=weight) for weight in weights]
    np.testing.assert_allclose(metrics.weighted_auc(score, positive, weights), expected, atol=1e-12)


def test_the_weighted_auc_of_a_draw_without_positives_is_undefined():
    score, positive = scored()
    assert np.isnan(metrics.weighted_auc(score, positive, (~positive)[None].astype(float))).all()


def test_pearson_r_of_a_straight_line_is_one_and_of_a_constant_undefined():
    x = np.array([1.0, 2.0, 5.0])
    assert metrics.pearson_r(x, 3 * x - 4) == pytest.approx(1.0)
    assert math.isnan(metrics.pearson_r(x, np.ones(3)))


def test_bias_and_limits_of_agreement_of_a_known_sample():
    truth = np.array([10.0, 20.0, 30.0])
    measured = truth + np.array([1.0, 2.0, 3.0])
    assert metrics.bias(measured, truth) == 2.0
    assert metrics.percent_bias(measured, truth) == pytest.approx(10.0)
    assert metrics.limits_of_agreement(measured, truth) == pytest.approx((2 - 1.96, 2 + 1.96))


def test_the_bootstrap_interval_of_a_mean_agrees_with_its_standard_error():
    sample = np.random.default_rng(1).normal(10.0, 2.0, size=400)
    estimate = metrics.bootstrap(lambda values: float(values.mean()), sample)
    reach = 1.96 * sample.std(ddof=1) / math.sqrt(400)
    assert estimate.value == pytest.approx(sample.mean())
    assert estimate.low == pytest.approx(sample.mean() - reach, abs=0.04)
    assert estimate.high == pytest.approx(sample.mean() + reach, abs=0.04)


def test_the_bootstrap_is_repeatable_and_draws_an_exams_values_together():
    x = np.arange(20.0)
    first = metrics.bootstrap(metrics.pearson_r, x, 2 * x)
    assert first == metrics.bootstrap(metrics.pearson_r, x, 2 * x)
    assert first.low == pytest.approx(1.0)


def test_all_draws_at_once_give_the_same_interval_as_one_draw_after_the_other():
    score, positive = scored(count=60)
    one_by_one = metrics.bootstrap(metrics.auc, score, positive)
    drawn = metrics.weighted_auc(score, positive, metrics.bootstrap_weights(len(score)))
    at_once = metrics.percentile_interval(metrics.auc(score, positive), drawn)
    assert (at_once.low, at_once.high) == pytest.approx((one_by_one.low, one_by_one.high), abs=1e-12)


def test_an_undefined_figure_stays_undefined_in_the_bootstrap():
    estimate = metrics.bootstrap(metrics.auc, np.array([0.1, 0.2]), np.array([True, True]))
    assert math.isnan(estimate.value) and math.isnan(estimate.low)
