"""Probabilities and their log odds."""

from __future__ import annotations

import numpy as np


def log_odds(probability: np.ndarray | float, margin: float) -> np.ndarray:
    """Log odds of probabilities 0-1, which are first kept the margin away from 0 and 1 so that they stay finite."""
    kept = np.clip(np.asarray(probability, dtype=np.float64), margin, 1.0 - margin)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def sigmoid(log_odds: np.ndarray | float) -> np.ndarray:
    """Probabilities 0-1 of log odds of any size; it cannot overflow."""
    return np.asarray(0.5 + 0.5 * np.tanh(np.asarray(log_odds, dtype=np.float64) / 2))
