"""Counting pixels at many thresholds in one pass."""

import numpy as np
import pytest

from NeuroTriageLib.training.dense_validation import THRESHOLDS, ExamAnswer, Validation


def answer_of(probability, label, true):
    answer = ExamAnswer.empty(2)
    answer.add(np.asarray(probability), np.asarray(label), np.asarray(true))
    return answer


def test_counts_at_every_threshold_are_those_of_thresholding_there():
    rng = np.random.default_rng(0)
    probability, label, true = rng.random(500), rng.integers(1, 3, 500), rng.integers(0, 3, 500)
    answer = answer_of(probability, label, true)
    for at, threshold in enumerate(THRESHOLDS):
        called = probability >= threshold
        assert answer.predicted[0, at] == called.sum()
        assert answer.overlap[0, at] == (called & (true > 0)).sum()
        assert answer.predicted[2, at] == (called & (label == 2)).sum()
        assert answer.overlap[2, at] == (called & (label == 2) & (true == 2)).sum()
    assert answer.true.tolist() == [(true > 0).sum(), (true == 1).sum(), (true == 2).sum()]


def test_the_pixel_threshold_is_the_one_with_the_best_mean_dice_over_positive_exams():
    blood, tissue = np.full(50, 0.9), np.full(500, 0.63)
    positive = answer_of(np.concatenate([blood, tissue]), np.ones(550, int), np.repeat([1, 0], [50, 500]))
    negative = answer_of(np.full(10, 0.99), np.ones(10, int), np.zeros(10, int))
    validation = Validation(("IPH", "IVH"), (positive, negative), 0.5)
    assert 0.64 < validation.best_pixel_threshold() <= 0.9
    assert validation.dice(0.7)["any"] == pytest.approx(2 * 50 / (60 + 50))
    assert validation.dice()["any"] == pytest.approx(2 * 50 / (560 + 50))


def test_without_a_positive_exam_the_settings_threshold_stays():
    negative = answer_of(np.full(10, 0.99), np.ones(10, int), np.zeros(10, int))
    assert Validation(("IPH", "IVH"), (negative,), 0.5).best_pixel_threshold() == 0.5
