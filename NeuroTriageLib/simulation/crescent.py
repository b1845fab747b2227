"""Subdural collections, crescents and layers on dural sheets: where they lie, and how the brain makes room for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .anatomy import DISTANCE_STEP_MM
from .anatomy_fields import NO_SHEET
from .head_grid import SHIFT_RAMP_MM, HeadGrid, Shift, Voxels, voxels_of

COARSE_MM = 4
PRESSED_MM = 26.0  # depth over which the brain under a collection is pressed together (ours)
PUSHED_SHARE = 0.7  # how much of the collection's room the brain gives up; the rest was its CSF (ours)
SHIFT_REACH_MM = 55.0  # of a shift, round a place 45 mm from the brain's centre (ours)


@dataclass(frozen=True, eq=False)
class Crescent:
    """A collection over the convexity of one side.

    Args:
        side: +1 on the side of growing i of the map.
        pole: unit vector (k, j, i) from the brain's centre to its middle.
        voxels: those that it may fill.
        fraction: how much of each it fills.
    """

    side: int
    pole: np.ndarray
    voxels: Voxels
    fraction: torch.Tensor


def make_crescent(grid: HeadGrid, thickness_mm: float, shift_mm: float, side: int = 0) -> Crescent:
    """Place a crescent of that greatest thickness and push the brain away from it, the midline by about shift_mm.

    It follows the inner table across sutures and ends at the falx.
    """
    center = grid.anatomy.brain_center_kji
    side = side or int(grid.rng.choice([-1, 1]))
    pole = np.array([grid.uniform((-0.1, 0.75)), grid.rng.normal(0.0, 0.55), side * grid.uniform((0.7, 1.0))])
    pole /= np.linalg.norm(pole)
    # The shift drags the collection's inner face along: what is painted is thinner by as much.
    painted_mm = thickness_mm * (1.0 - 0.85 * shift_mm / SHIFT_RAMP_MM)
    extent = grid.uniform((0.45, 1.1)) + 0.02 * thickness_mm
    coarse = coarse_directions(grid, center)
    angle = torch.arccos((coarse @ torch.tensor(pole, dtype=torch.float32, device=grid.device)).clamp(-1, 1))
    profile = (1.0 - (angle / extent) ** 2).clamp(min=-0.5)
    profile = painted_mm * (profile + 0.22 * grid.noise(tuple(profile.shape), 6.0)).clamp(max=1.0)
    half = (grid.field("side") == side) & grid.field("supratentorial")
    _press_brain(grid, half, profile, painted_mm)
    limit = int((painted_mm + 1.0) / DISTANCE_STEP_MM)
    voxels = voxels_of((grid.depth > 0) & (grid.depth < min(limit, 255)) & half)
    wanted = grid.stretched_at(profile, voxels)
    fraction = (0.5 + torch.minimum(wanted, wanted * 2.0) - grid.depth_mm(voxels)).clamp(0.0, 1.0) * (wanted > 0.4)
    push = np.array([0.0, 0.0, -float(side)])
    grid.shifts.append(Shift(center + 45.0 * pole, push, shift_mm, SHIFT_REACH_MM))
    return Crescent(side, pole, voxels, fraction)


@dataclass(frozen=True, eq=False)
class SheetLayer:
    """A thin collection on the falx or tentorium: its place, thickness, voxels and how much of each it fills."""

    center: np.ndarray
    thickness_mm: float
    voxels: Voxels
    fraction: torch.Tensor


def make_sheet_layer(grid: HeadGrid, name: str) -> SheetLayer | None:
    """A layer 1.2 to 8 mm thick on one side of the falx or on top of the tentorium, over a part of it."""
    distance = grid.field(f"{name}_distance")
    center = grid.place(name)
    if center is None:
        return None
    side = int(grid.rng.choice([-1, 1])) if name == "falx" else 1
    thickness = grid.log_uniform(1.2, 8.0)
    near = (distance != NO_SHEET) & (distance.abs() < (thickness + 3.0) / DISTANCE_STEP_MM) & (grid.depth > 0)
    if name == "tentorium":  # one half of it
        near &= grid.field("side") == int(grid.anatomy.side[tuple(center.astype(int))])
    voxels = voxels_of(near)
    away = distance[voxels].float() * (side * DISTANCE_STEP_MM)
    k, j, i = (axis - float(c) for axis, c in zip(voxels, center, strict=True))
    reach = grid.uniform((22.0, 60.0))
    squared = k * k + j * j + (i * i if name == "tentorium" else 0.0)
    wanted = thickness * (1.0 - squared / reach**2).clamp(min=-0.5) + 0.6 * grid.noise_at(voxels, 15.0)
    fraction = (0.5 + wanted - away).clamp(0.0, 1.0) * (0.8 + away).clamp(0.0, 1.0) * (wanted > 0.4)
    return SheetLayer(center, thickness, voxels, fraction)


def _press_brain(grid: HeadGrid, half: torch.Tensor, profile: torch.Tensor, painted_mm: float) -> None:
    """Cortex and sulci under the collection move inwards with it, instead of being painted over."""
    if painted_mm < 3.0:
        return
    depth_limit = min(255, int((painted_mm + PRESSED_MM) / DISTANCE_STEP_MM))
    voxels = voxels_of((grid.depth > 0) & (grid.depth < depth_limit) & half)
    wanted = grid.stretched_at(profile, voxels).clamp(min=0.0)
    depth = grid.depth_mm(voxels)
    push = PUSHED_SHARE * wanted * (1.0 - (depth - wanted) / PRESSED_MM).clamp(0.0, 1.0) * (depth >= wanted - 1.0)
    moved = push > 0.4
    voxels = (voxels[0][moved], voxels[1][moved], voxels[2][moved])
    place = torch.stack([axis.float() for axis in voxels], -1)
    away = place - torch.tensor(grid.anatomy.brain_center_kji, dtype=torch.float32, device=grid.device)
    push = torch.minimum(push[moved], (depth[moved] - 0.6).clamp(min=0.0))
    grid.resampled(voxels, place + away / away.norm(dim=-1, keepdim=True).clamp(min=1.0) * push[:, None])


def coarse_directions(grid: HeadGrid, center: np.ndarray) -> torch.Tensor:
    """(k, j, i, 3) unit vectors from the centre on a grid of about COARSE_MM that spans the grid."""
    axes = [
        torch.linspace(0, n - 1, max(2, round(n / COARSE_MM)), device=grid.device) - float(c)
        for n, c in zip(grid.shape, center, strict=True)
    ]
    vectors = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1.0)
