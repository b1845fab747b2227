"""Hounsfield windows: HU to 0-1."""

from __future__ import annotations

import numpy as np


def apply_window(hu: np.ndarray, window_hu: tuple[float, float]) -> np.ndarray:
    """HU of any shape to float32 0-1: 0 at and below the window's lower end, 1 at and above its upper end."""
    low, high = window_hu
    scaled = (hu.astype(np.float32) - np.float32(low)) * np.float32(1.0 / (high - low))
    return np.clip(scaled, 0.0, 1.0, out=scaled)
