"""Calibration and operating points against outcomes made with known figures."""

import numpy as np
import pytest

from NeuroTriageLib.core.probability import log_odds
from NeuroTriageLib.io.model_packs import Calibration
from NeuroTriageLib.training.calibration import area_under_curve, fit_platt, operating_point


def test_platt_scaling_recovers_the_slope_and_intercept_that_made_the_outcomes():
    rng = np.random.default_rng(0)
    raw = 1 / (1 + np.exp(-rng.normal(0, 2, 20_000)))
    present = rng.random(raw.size) < 1 / (1 + np.exp(-(0.6 * log_odds(raw, 1e-6) - 1.2)))
    fitted = fit_platt(raw, present)
    assert fitted.slope == pytest.approx(0.6, abs=0.03) and fitted.intercept == pytest.approx(-1.2, abs=0.05)
    assert fitted.apply_all(raw).mean() == pytest.approx(present.mean(), abs=0.005)


@pytest.mark.parametrize("present", [np.ones(5, bool), np.zeros(5, bool)])
def test_one_class_alone_leaves_scores_and_threshold_as_they_are(present):
    score = np.linspace(0.1, 0.9, 5)
    assert fit_platt(score, present) == Calibration() and operating_point(score, present) == 0.5
    assert np.isnan(area_under_curve(score, present))


def test_perfectly_separated_scores_still_give_a_finite_rising_curve():
    fitted = fit_platt(np.array([0.0, 0.001, 0.01, 0.99, 1.0]), np.array([0, 0, 0, 1, 1], bool))
    assert 0 < fitted.slope < 100 and np.isfinite(fitted.intercept)


def test_scores_that_go_the_wrong_way_are_left_alone():
    assert fit_platt(np.array([0.9, 0.8, 0.2, 0.1] * 5), np.array([0, 0, 1, 1] * 5, bool)) == Calibration()


def test_the_operating_point_has_the_largest_sum_of_sensitivity_and_specificity():
    score = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9])
    present = np.array([0, 0, 0, 0, 1, 1, 1, 1], bool)
    threshold = operating_point(score, present)

    def youden(t):
        return (score >= t)[present].mean() + (score < t)[~present].mean()

    assert youden(threshold) == max(youden(t) for t in np.linspace(0, 1, 501))


def test_a_gap_between_the_classes_is_split_in_the_middle():
    assert operating_point(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1], bool)) == pytest.approx(0.5)


def test_the_area_under_the_curve_counts_ties_half():
    assert area_under_curve(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1], bool)) == pytest.approx(0.875)
