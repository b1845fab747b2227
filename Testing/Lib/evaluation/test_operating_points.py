"""The ROC curve and the papers' operating points against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.evaluation.operating_points import full_sensitivity, highest_sum, roc_curve

SCORE = np.array([0.9, 0.8, 0.3, 0.7, 0.2, 0.2, 0.1])
POSITIVE = np.array([True, True, True, False, False, False, False])


def test_the_curve_agrees_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(4)
    positive = random.random(100) < 0.5
    score = np.round(positive * 0.4 + random.random(100), 1)
    curve = roc_curve(score, positive)
    false_positive_rate, sensitivity, threshold = sklearn.roc_curve(positive, score, drop_intermediate=False)
    np.testing.assert_allclose(curve.sensitivity, sensitivity)
    np.testing.assert_allclose(1 - curve.specificity, false_positive_rate, atol=1e-12)
    np.testing.assert_allclose(curve.threshold, threshold)


def test_the_point_with_the_highest_sum_and_the_one_at_full_sensitivity():
    curve = roc_curve(SCORE, POSITIVE)
    best, full = highest_sum(curve), full_sensitivity(curve)
    assert (best.threshold, best.sensitivity, best.specificity) == (0.3, 1.0, 0.75)
    assert full == best
    without_overlap = roc_curve(SCORE, SCORE > 0.5)
    assert full_sensitivity(without_overlap).specificity == 1.0


def test_full_sensitivity_takes_the_strictest_threshold_that_misses_nothing():
    curve = roc_curve(np.array([0.9, 0.1, 0.8, 0.05]), np.array([True, True, False, False]))
    assert full_sensitivity(curve).threshold == 0.1 and full_sensitivity(curve).specificity == 0.5
    assert highest_sum(curve).threshold == 0.9


def test_there_is_no_curve_with_one_class_only():
    assert roc_curve(SCORE, np.ones(7, dtype=bool)) is None
    assert roc_curve(np.zeros(0), np.zeros(0, dtype=bool)) is None
