"""Sampling a head at slices, whatever the scanner: planes within a slice's profile, and which slices a lesion meets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .stack import Stack

SUB_PLANE_MM = 1.3  # distance between the planes that a slice is averaged from; the maps' voxels are 1 mm (ours)
COORDINATE_STEP = 8  # pixels between exactly computed coordinates; between them they are interpolated
PIXELS_AT_ONCE = 2_000_000


def sub_planes(stack: Stack, step_mm: float = SUB_PLANE_MM) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each slice, the offsets in mm across the planes at which it is sampled, and the weight of each.

    The profile is a trapezoid: flat in the middle, falling over flank * thickness round its half width.
    """
    out = []
    for thickness in stack.thicknesses_mm:
        width = thickness * (1.0 + stack.flank)
        count = int(np.clip(np.ceil(width / step_mm - 0.2), 1, 10))
        offsets = (np.arange(count) + 0.5) / count * width - width / 2.0
        weights = np.ones(count)
        if stack.flank > 0.0:
            fall = stack.flank * thickness
            weights = np.clip(0.5 + (thickness / 2.0 - np.abs(offsets)) / fall, 0.02, 1.0)
        out.append((offsets, weights / weights.sum()))
    return out


def filled_box(fields: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """(2, 3) low and high corner, in grid_sample units i, j, k, of all that is filled in any field; None if none is."""
    if not fields:
        return None
    total = torch.stack(list(fields)).amax(0)
    corners = []
    for axes, n in (((0, 1), total.shape[2]), ((0, 2), total.shape[1]), ((1, 2), total.shape[0])):
        used = (total.amax(axes) > 0).nonzero().flatten()
        if not len(used):
            return None
        corners.append([(int(used[0]) - 3) * 2.0 / (n - 1) - 1.0, (int(used[-1]) + 3) * 2.0 / (n - 1) - 1.0])
    return torch.tensor(corners, device=total.device).T


def meets(nodes: torch.Tensor, box: torch.Tensor | None) -> bool:
    """True when the coordinates (P, 3, nj, ni) may reach into the box; nodes are sparse, so a margin is kept."""
    if box is None:
        return False
    margin = 0.12  # more than the distance between two nodes
    low, high = (corner[None, :, None, None] for corner in (box[0] - margin, box[1] + margin))
    return bool(((nodes > low) & (nodes < high)).all(1).any())


def map_units(points_ijk: np.ndarray, shape_kji: tuple[int, int, int]) -> np.ndarray:
    """float32 grid_sample coordinates (-1 to 1; i, j, k) of map voxels (..., 3) i, j, k."""
    size = np.array(shape_kji[::-1]) - 1.0
    return (points_ijk / size * 2.0 - 1.0).astype(np.float32)
