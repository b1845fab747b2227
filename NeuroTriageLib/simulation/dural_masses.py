"""Where a meningioma lies: a ball on the dura, the same in CT and MRI, before either gives it its look."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from .head_grid import Box, HeadGrid

RADIUS_MM = (4.0, 26.0)
OEDEMA_FROM_MM = 9.0  # smaller ones have none
OEDEMA_RADII, WIDEST_OEDEMA_MM = 1.7, 42.0


def dural_ball(
    grid: HeadGrid, add_oedema: Callable[[np.ndarray, float], None]
) -> tuple[Box, torch.Tensor, np.ndarray, float] | None:
    """A ball that sits on the convexity's dura or the falx: box, fraction, middle (k, j, i) and radius in mm.

    All numbers are ours. None when the head has no such place.

    Args:
        grid: the head.
        add_oedema: paints oedema of (middle, radius in mm) round half of the larger ones.
    """
    center = grid.place("falx" if grid.chance(0.25) else "table")
    if center is None:
        return None
    radius = grid.log_uniform(*RADIUS_MM)
    inward = grid.anatomy.brain_center_kji - center
    middle = center + inward / np.linalg.norm(inward) * radius * 0.6
    if radius > OEDEMA_FROM_MM and grid.chance(0.5):
        add_oedema(middle, min(OEDEMA_RADII * radius, WIDEST_OEDEMA_MM))
    found = grid.blob(middle, radius * grid.rng.uniform(0.8, 1.15, 3), rough=0.15)
    if found is None:
        return None
    box, fraction, _ = found
    return box, fraction, middle, radius
