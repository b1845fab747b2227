"""Calls against truth: the figures of scikit-learn, and balanced sets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from NeuroTriageLib.evaluation.confusion import CONFUSION_FIGURES, Confusion

POSITIVE = np.array([True] * 4 + [False] * 6)
CALLED = np.array([True, True, True, False] + [True] + [False] * 5)


def test_the_figures_of_a_known_table():
    confusion = Confusion.of(CALLED, POSITIVE)
    assert confusion.sensitivity == 3 / 4 and confusion.specificity == 5 / 6 and confusion.accuracy == 8 / 10
    assert confusion.ppv == 3 / 4 and confusion.npv == 5 / 6 and confusion.f1 == 3 / 4


def test_the_figures_agree_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(3)
    positive, called = random.random(200) < 0.3, random.random(200) < 0.4
    confusion = Confusion.of(called, positive)
    assert confusion.accuracy == pytest.approx(sklearn.accuracy_score(positive, called))
    assert confusion.sensitivity == pytest.approx(sklearn.recall_score(positive, called))
    assert confusion.specificity == pytest.approx(sklearn.recall_score(positive, called, pos_label=False))
    assert confusion.ppv == pytest.approx(sklearn.precision_score(positive, called))
    assert confusion.npv == pytest.approx(sklearn.precision_score(positive, called, pos_label=False))
    assert confusion.f1 == pytest.approx(sklearn.f1_score(positive, called))
    assert confusion.balanced().accuracy == pytest.approx(sklearn.balanced_accuracy_score(positive, called))


def test_balancing_gives_what_drawing_as_many_negatives_as_positives_gives_on_average():
    random = np.random.default_rng(0)
    balanced = Confusion.of(CALLED, POSITIVE).balanced()
    negatives = np.flatnonzero(~POSITIVE)
    draws = [np.r_[np.flatnonzero(POSITIVE), random.choice(negatives, 4, replace=False)] for _ in range(4000)]
    accuracy = np.mean([Confusion.of(CALLED[draw], POSITIVE[draw]).accuracy for draw in draws])
    assert balanced.accuracy == pytest.approx(accuracy, abs=0.01)
    assert balanced.sensitivity == pytest.approx(3 / 4) and balanced.specificity == pytest.approx(5 / 6)


def test_the_published_balanced_ppv_and_npv_follow_from_sensitivity_and_specificity():
    # Chang 2018, table 2, all ICHs, validation: sensitivity 0.971 and specificity 0.975 stand beside 0.975 and 0.971.
    confusion = Confusion(0.971, 0.029, 0.975, 0.025).balanced()
    assert confusion.ppv == pytest.approx(0.975, abs=1e-3) and confusion.npv == pytest.approx(0.971, abs=1e-3)


def test_weights_give_one_figure_per_draw():
    weights = np.stack([np.ones(10), POSITIVE.astype(float)])
    drawn = Confusion.of(CALLED, POSITIVE, weights)
    np.testing.assert_allclose(drawn.sensitivity, [3 / 4, 3 / 4])
    assert drawn.specificity[0] == 5 / 6 and math.isnan(drawn.specificity[1])


@pytest.mark.parametrize("name", CONFUSION_FIGURES)
def test_without_exams_every_figure_is_undefined(name):
    nothing = np.zeros(0, dtype=bool)
    assert math.isnan(getattr(Confusion.of(nothing, nothing), CONFUSION_FIGURES[name]))
