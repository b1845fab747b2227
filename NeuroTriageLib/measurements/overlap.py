"""How much two masks have in common."""

from __future__ import annotations

import numpy as np

from ..core.geometry import SliceGrid


def dice(overlap: np.ndarray | float, truth: np.ndarray | float, predicted: np.ndarray | float) -> np.ndarray | float:
    """2 |A and B| / (|A| + |B|) from sizes in any one unit; NaN where both are empty."""
    total = np.asarray(truth, dtype=np.float64) + predicted
    with np.errstate(invalid="ignore", divide="ignore"):
        result = np.where(total > 0, 2.0 * np.asarray(overlap, dtype=np.float64) / total, np.nan)
    return float(result) if result.ndim == 0 else result


def joint_volumes_ml(a_kji: np.ndarray, b_kji: np.ndarray, grid: SliceGrid, values: int) -> np.ndarray:
    """(values, values) mL that have value m in one label map (K, J, I) and n in the other, both uint8 below values."""
    joint = np.zeros(values * values)
    for a_ji, b_ji, voxel_ml in zip(a_kji, b_kji, grid.voxel_volumes_ml, strict=True):
        pairs = a_ji.astype(np.intp) * values + b_ji
        joint += np.bincount(pairs.ravel(), minlength=values * values) * voxel_ml
    return joint.reshape(values, values)
