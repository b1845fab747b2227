"""MR intensities as 0-1: weighted images by the brain's own median, ADC maps by their physical unit.

Nael 2021 maps each contrast's minimum and maximum to 0-1 (scale_min_max). Single voxels set these, and even robust
percentiles of a whole image by eyes, scalp, fat and air next to EPI distortion: a network trained on images scaled so
called whole bright regions infarcts. The brain's median does not move with them. The deviation is ours.
"""

from __future__ import annotations

import numpy as np

from ..core.errors import InputError
from ..core.geometry import SliceGrid
from ..core.inner_head import MIN_VOXELS, inner_head

BRIGHTEST_MEDIANS = 4.0
"""Multiple of the inner head's median that becomes 1 (ours): free fluid on T2 reaches 2.9 medians, infarcts on trace
images about 3."""

HIGHEST_ADC_MM2_PER_S = 4.0e-3
"""Diffusion that becomes 1 (ours): free water at body temperature has 3.0e-3 mm2/s, noise in fluid a little more."""


def scale_weighted(array_kji: np.ndarray, grid: SliceGrid) -> np.ndarray:
    """(K, J, I) float32 in 0-1 of a weighted image (anything but ADC).

    Args:
        array_kji: magnitude values in any unit.
        grid: where they lie.

    Raises:
        InputError: the image shows no head.
    """
    values = inner_head(array_kji, grid)
    median = float(np.median(values)) if values.size >= MIN_VOXELS else 0.0
    if not median > 0:
        raise InputError("The MR image shows no head: its intensities cannot be scaled.", next_step="Choose another.")
    return _clipped(array_kji, BRIGHTEST_MEDIANS * median)


def scale_adc(array_kji: np.ndarray, mm2_per_s: float) -> np.ndarray:
    """(K, J, I) float32 in 0-1 of an ADC map whose values are multiples of mm2_per_s."""
    return _clipped(array_kji, HIGHEST_ADC_MM2_PER_S / mm2_per_s)


def scale_min_max(array_kji: np.ndarray) -> np.ndarray:
    """(K, J, I) float32: the image's minimum becomes 0, its maximum 1 (Nael 2021, Image analysis).

    Raises:
        InputError: all values are the same.
    """
    values = np.asarray(array_kji, dtype=np.float32)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if not high > low:
        raise InputError("The MR image is empty: its intensities cannot be scaled.", next_step="Choose another.")
    return _clipped(values - np.float32(low), high - low)


def _clipped(array_kji: np.ndarray, highest: float) -> np.ndarray:
    values = np.nan_to_num(np.asarray(array_kji, dtype=np.float32), nan=0.0, posinf=highest, neginf=0.0)
    return np.clip(values / np.float32(highest), 0.0, 1.0)
