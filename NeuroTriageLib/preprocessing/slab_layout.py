"""How a stack is turned to radiological display and grouped into slabs, and how slabs come back to its slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.geometry import SliceGrid
from .axis_matrices import interpolation_rows

# Slices join while their slab stays within this times slab_mm; for 5 mm: 1 mm -> 5, 2 -> 2, 2.5 -> 2, 3 -> 1; ours.
SLAB_TOLERANCE = 1.1


@dataclass(frozen=True)
class DisplayAxes:
    """How a stack's arrays lie in radiological display: patient left on the right, anterior up, slabs upwards.

    Args:
        transposed: rows run along the patient's left-right axis.
        flip_k, flip_j, flip_i: the source axis runs against the display's.
    """

    transposed: bool
    flip_k: bool
    flip_j: bool
    flip_i: bool

    @classmethod
    def of(cls, grid: SliceGrid) -> DisplayAxes:
        """The in-plane flips and transposition that come nearest to display; an oblique rest stays."""
        (ix, iy, _), (jx, jy, _) = grid.direction_i, grid.direction_j
        transposed = bool(abs(iy) + abs(jx) > abs(ix) + abs(jy))
        i_component, j_component = (iy, jx) if transposed else (ix, jy)
        rise = grid.origins_lps_mm[-1, 2] - grid.origins_lps_mm[0, 2]
        return cls(transposed, bool(rise < 0), bool(j_component < 0), bool(i_component < 0))


def slab_layout(
    grid: SliceGrid, axes: DisplayAxes, slab_mm: float
) -> tuple[tuple[tuple[int, ...], ...], np.ndarray, np.ndarray]:
    """Groups of neighbouring slices from below, their weights (S, K), and the way back (K, S)."""
    count = grid.shape_kji[0]
    order = range(count - 1, -1, -1) if axes.flip_k else range(count)
    slabs: list[list[int]] = []
    height = 0.0
    for k in order:
        extent = float(grid.slice_extents_mm[k])
        if slabs and height + extent <= SLAB_TOLERANCE * slab_mm:
            slabs[-1].append(k)
            height += extent
        else:
            slabs.append([k])
            height = extent
    weights = np.zeros((len(slabs), count), dtype=np.float32)
    for s, members in enumerate(slabs):
        weights[s, members] = grid.slice_extents_mm[members] / grid.slice_extents_mm[members].sum()
    heights = grid.slice_positions_mm * (-1 if axes.flip_k else 1)
    back = interpolation_rows(weights @ heights, heights)
    return tuple(tuple(members) for members in slabs), weights, back
