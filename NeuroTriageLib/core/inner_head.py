"""The values inside the head of an MR image of any orientation, without a brain mask: an ellipsoid in its middle."""

from __future__ import annotations

import numpy as np

from .geometry import SliceGrid

# Ours; they hold for whole heads and for skull-stripped brains.
FOREGROUND = 0.12  # of the 99th percentile: above the noise of the air
REGION_RADIUS = 0.7  # of the head's half extents: inside the skull, ventricles and basal ganglia included
REGION_RISE = 0.2  # of the half extent, towards the vertex: away from skull base and face
MIN_VOXELS = 500
"""Fewer values than this show no head (ours)."""


def inner_head(array_kji: np.ndarray, grid: SliceGrid) -> np.ndarray:
    """(N,) values other than 0 of an ellipsoid inside the head; empty when there is nothing to see.

    Args:
        array_kji: (K, J, I) magnitude values or an ADC map, head or skull-stripped brain.
        grid: where they lie; only the direction to the vertex is used.
    """
    values = np.nan_to_num(np.asarray(array_kji, dtype=np.float32))
    positive = values[values > 0]
    if positive.size < MIN_VOXELS:
        return np.empty(0, np.float32)
    foreground = values > FOREGROUND * np.percentile(positive, 99)
    center, half = _extent(foreground)
    along_k = grid.origins_lps_mm[-1] - grid.origins_lps_mm[0]  # the normal may point the other way
    along_k = along_k / max(float(np.linalg.norm(along_k)), 1e-6)
    rise = np.array([along_k[2], grid.direction_j[2], grid.direction_i[2]])
    up = int(np.abs(rise).argmax())
    center[up] += np.sign(rise[up]) * REGION_RISE * half[up]
    axes = np.ogrid[tuple(slice(n) for n in values.shape)]
    radius2 = sum(((axis - c) / h) ** 2 for axis, c, h in zip(axes, center, half, strict=True))
    inside = values[np.asarray(radius2) < REGION_RADIUS**2]
    return inside[inside != 0]


def _extent(foreground: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(center, half extent) in voxels along k, j, i between the 2nd and 98th percentile of the foreground."""
    center, half = np.zeros(3), np.zeros(3)
    for axis in range(3):
        profile = foreground.sum(axis=tuple(other for other in range(3) if other != axis))
        shares = np.cumsum(profile) / max(int(profile.sum()), 1)
        low, high = np.searchsorted(shares, 0.02), np.searchsorted(shares, 0.98)
        center[axis], half[axis] = (low + high) / 2, (high - low) / 2 + 0.5
    return center, half
