"""Log odds and back."""

import numpy as np
import pytest

from NeuroTriageLib.core.probability import log_odds, sigmoid


def test_log_odds_and_sigmoid_are_inverse():
    probability = np.array([0.001, 0.2, 0.5, 0.9])
    assert sigmoid(log_odds(probability, 1e-6)) == pytest.approx(probability)
    assert log_odds(0.9, 1e-6) == pytest.approx(np.log(9))


def test_certainty_stays_finite():
    assert np.isfinite(log_odds(np.array([0.0, 1.0]), 1e-6)).all()
    assert sigmoid(np.array([-1e6, 1e6])).tolist() == [0.0, 1.0]
