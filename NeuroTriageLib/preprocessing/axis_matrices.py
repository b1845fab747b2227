"""Interpolation along one axis as a small matrix: area averaging, linear interpolation, and where to take it."""

from __future__ import annotations

import numpy as np


def positions(center: float, step: float, count: int, flipped: bool) -> np.ndarray:
    """(count,) source indices of display pixels around a centre."""
    offset = (np.arange(count) - (count - 1) / 2) * step
    return center + (-offset if flipped else offset)


def area_matrix(at: np.ndarray, step: float, size: int) -> np.ndarray:
    """(len(at), size): mean of the source pixels [at - step/2, at + step/2] when downsampling, linear otherwise.

    A row sums to 1 inside the source and to the covered share at its border.
    """
    source = np.arange(size)
    if step <= 1.0:
        return np.clip(1 - np.abs(source[None] - at[:, None]), 0.0, None).astype(np.float32)
    low = np.maximum(source[None] - 0.5, at[:, None] - step / 2)
    high = np.minimum(source[None] + 0.5, at[:, None] + step / 2)
    return (np.clip(high - low, 0.0, None) / step).astype(np.float32)


def linear_matrix(at: np.ndarray, size: int) -> np.ndarray:
    """(size, len(at)) weights that interpolate values known at evenly spaced positions; zero rows outside them."""
    position = (np.arange(size) - at[0]) / (at[1] - at[0])
    nodes = np.arange(len(at))
    weights = np.clip(1 - np.abs(position[:, None] - nodes[None]), 0.0, None)
    weights[(position < 0) | (position > len(at) - 1)] = 0.0
    return weights.astype(np.float32)


def interpolation_rows(nodes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(len(at), len(nodes)) weights of linear interpolation between growing nodes, nearest beyond the ends."""
    rows = np.zeros((len(at), len(nodes)), dtype=np.float32)
    if len(nodes) == 1:
        return rows + 1
    lower = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, len(nodes) - 2)
    share = np.clip((at - nodes[lower]) / (nodes[lower + 1] - nodes[lower]), 0.0, 1.0)
    share[np.abs(share) < 1e-4] = 0.0
    share[np.abs(share - 1) < 1e-4] = 1.0
    index = np.arange(len(at))
    rows[index, lower] = 1 - share
    rows[index, lower + 1] += share
    return rows


def interpolation_rows_any(nodes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Like interpolation_rows for nodes that grow or fall."""
    return interpolation_rows(-nodes, -at) if nodes[0] > nodes[-1] else interpolation_rows(nodes, at)
