"""Epidural lenses: where they lie, their shape between the sutures, and how the brain makes room for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .head_grid import Box, HeadGrid, Shift


@dataclass(frozen=True)
class _Ball:
    """The ball whose part inside the skull is the lens: mm, map voxels k, j, i."""

    spot: np.ndarray
    outward: np.ndarray
    thickness_mm: float
    half_width_mm: float
    radius_mm: float

    @property
    def center(self) -> np.ndarray:
        """The ball's centre."""
        return self.spot + self.outward * (self.radius_mm - self.thickness_mm)


@dataclass(frozen=True, eq=False)
class Lens:
    """A lens between skull and dura.

    Args:
        box: where it lies.
        fraction: how much of each voxel of the box it fills.
        spot: (3,) its place at the inner table, map voxels k, j, i.
        outward: unit vector from the brain's centre to the spot.
        thickness_mm, half_width_mm: its size.
    """

    box: Box
    fraction: torch.Tensor
    spot: np.ndarray
    outward: np.ndarray
    thickness_mm: float
    half_width_mm: float

    def push(self, grid: HeadGrid) -> None:
        """Push the brain, and the midline a little, away from the lens."""
        amount = min(grid.uniform((0.15, 0.8)) * self.thickness_mm, 12.0)
        place = self.spot - self.outward * (self.thickness_mm + 10.0)
        grid.shifts.append(Shift(place, -self.outward, amount, self.half_width_mm + 25.0))


def make_lens(grid: HeadGrid, thickness_mm: float) -> Lens | None:
    """The part of a ball inside the skull, deepest in its middle, bounded by the sutures; the brain under it yields."""
    center = grid.anatomy.brain_center_kji
    spot = _lens_spot(grid)
    if spot is None:
        return None
    outward = (spot - center) / np.linalg.norm(spot - center)
    # The lens closes where the ball meets the skull, whose own curve (radius about 70 mm) leaves it room to the side.
    half_width = thickness_mm * grid.uniform((1.3, 2.6)) + grid.uniform((4.0, 12.0))
    half_width = min(half_width, 0.85 * (140.0 * thickness_mm) ** 0.5)
    ball = _Ball(spot, outward, thickness_mm, half_width, 0.5 / (thickness_mm / half_width**2 - 1.0 / 140.0))
    box = grid.box(spot, half_width + thickness_mm + 6.0)
    if box is None:
        return None
    if thickness_mm > 4.0:
        _press_under_lens(grid, ball)
    k, j, i = grid.offsets(box, ball.center)
    away = (k * k + j * j + i * i).sqrt()
    wobble = grid.uniform((0.0, 1.0)) * grid.noise(tuple(away.shape), 9.0)
    inside = grid.depth_mm(box)
    fraction = (0.5 + ball.radius_mm - away + wobble).clamp(0.0, 1.0)
    fraction = fraction * (0.5 + thickness_mm + 2.0 - inside).clamp(0.0, 1.0) * (inside > 0)
    if grid.chance(0.92):  # a fracture may open a suture, mostly in children (ours)
        fraction = fraction * _within_sutures(grid, box, spot)
    return Lens(box, fraction, spot, outward, thickness_mm, half_width)


def _press_under_lens(grid: HeadGrid, ball: _Ball) -> None:
    """The brain under the lens moves inwards, most in its middle."""
    box = grid.box(ball.spot, ball.half_width_mm + ball.thickness_mm + 20.0)
    assert box is not None
    k, j, i = grid.offsets(box, ball.center)
    away = (k * k + j * j + i * i).sqrt()
    along = -(k * float(ball.outward[0]) + j * float(ball.outward[1]) + i * float(ball.outward[2]))
    aside = (away**2 - along**2).clamp(min=0.0) / ball.half_width_mm**2
    beyond = away - ball.radius_mm
    push = 0.7 * ball.thickness_mm * (1.0 - aside).clamp(0.0, 1.0) * (1.0 - beyond / 26.0).clamp(0.0, 1.0)
    depth = grid.depth_mm(box)
    push = torch.minimum(push, (depth - 0.6).clamp(min=0.0)) * ((beyond > -1.0) & (along > 0) & (depth > 0))
    at = (push > 0.4).nonzero()
    if not len(at):
        return
    first = torch.tensor([s.start for s in box], device=grid.device)
    voxels = at + first
    outward = torch.tensor(ball.outward, dtype=torch.float32, device=grid.device)
    source = voxels.float() + outward * push[tuple(at.T)][:, None]
    grid.resampled((voxels[:, 0], voxels[:, 1], voxels[:, 2]), source)


def _within_sutures(grid: HeadGrid, box: Box, spot: np.ndarray) -> torch.Tensor:
    """1 on the spot's side of the coronal, lambdoid and sagittal sutures, 0 beyond; in a box.

    The dura is fixed there (Bullock 2006). The sutures are planes through shares of the skull's length and height
    (ours, by eye on skulls): bregma a tenth of the length before the middle, pterion 0.28 before and low down; lambda
    0.45 behind, asterion 0.33 behind and low down.
    """
    space = grid.anatomy.points["space"].astype(np.float64)
    height, length = (float(np.ptp(space[:, axis])) for axis in (0, 1))
    center = (space.max(0) + space.min(0)) / 2.0
    k, j, i = grid.offsets(box, center)
    offset = spot - center
    share = torch.ones(1, device=grid.device)
    for (k1, j1), (k2, j2) in (((0.45, -0.1), (-0.1, -0.28)), ((0.3, 0.45), (-0.25, 0.33))):
        normal = np.array([-(j2 - j1) * length, (k2 - k1) * height])
        normal /= np.linalg.norm(normal)
        at = np.array([k1 * height, j1 * length])
        away = (k - at[0]) * float(normal[0]) + (j - at[1]) * float(normal[1])
        side = np.sign((offset[:2] - at) @ normal) or 1.0
        share = share * (0.5 + side * away).clamp(0.0, 1.0)
    middle = grid.anatomy.brain_center_kji[2] - center[2]
    side = np.sign(offset[2] - middle) or 1.0
    return share * (0.5 + side * (i - float(middle))).clamp(0.0, 1.0)


def _lens_spot(grid: HeadGrid) -> np.ndarray | None:
    """A voxel at the inner table, preferring the temporal and parietal side; off the midline, where sinuses run."""
    center = grid.anatomy.brain_center_kji
    for _ in range(30):
        spot = grid.place("table")
        if spot is None:
            return None
        aside = abs(spot[2] - center[2])
        if aside > 15 and (aside > 40 or grid.chance(0.35)):
            return spot
    return None
