"""Crescents between brain and dura: where they lie, how thick they are, and how the brain makes room for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .anatomy import DISTANCE_STEP_MM
from .canvas import SHIFT_RAMP_MM, HeadCanvas, Shift, Voxels, voxels_of

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


def make_crescent(canvas: HeadCanvas, thickness_mm: float, shift_mm: float, side: int = 0) -> Crescent:
    """Place a crescent of that greatest thickness and push the brain away from it, the midline by about shift_mm.

    It follows the inner table across sutures and ends at the falx.
    """
    center = canvas.anatomy.brain_center_kji
    side = side or int(canvas.rng.choice([-1, 1]))
    pole = np.array([canvas.uniform((-0.1, 0.75)), canvas.rng.normal(0.0, 0.55), side * canvas.uniform((0.7, 1.0))])
    pole /= np.linalg.norm(pole)
    # The shift drags the collection's inner face along: what is painted is thinner by as much.
    painted_mm = thickness_mm * (1.0 - 0.85 * shift_mm / SHIFT_RAMP_MM)
    extent = canvas.uniform((0.45, 1.1)) + 0.02 * thickness_mm
    coarse = coarse_directions(canvas, center)
    angle = torch.arccos((coarse @ torch.tensor(pole, dtype=torch.float32, device=canvas.device)).clamp(-1, 1))
    profile = (1.0 - (angle / extent) ** 2).clamp(min=-0.5)
    profile = painted_mm * (profile + 0.22 * canvas.noise(tuple(profile.shape), 6.0)).clamp(max=1.0)
    half = (canvas.field("side") == side) & canvas.field("supratentorial")
    _press_brain(canvas, half, profile, painted_mm)
    limit = int((painted_mm + 1.0) / DISTANCE_STEP_MM)
    voxels = voxels_of((canvas.depth > 0) & (canvas.depth < min(limit, 255)) & half)
    wanted = canvas.stretched_at(profile, voxels)
    fraction = (0.5 + torch.minimum(wanted, wanted * 2.0) - canvas.depth_mm(voxels)).clamp(0.0, 1.0) * (wanted > 0.4)
    push = np.array([0.0, 0.0, -float(side)])
    canvas.shifts.append(Shift(center + 45.0 * pole, push, shift_mm, SHIFT_REACH_MM))
    return Crescent(side, pole, voxels, fraction)


def _press_brain(canvas: HeadCanvas, half: torch.Tensor, profile: torch.Tensor, painted_mm: float) -> None:
    """Cortex and sulci under the collection move inwards with it, instead of being painted over."""
    if painted_mm < 3.0:
        return
    depth_limit = min(255, int((painted_mm + PRESSED_MM) / DISTANCE_STEP_MM))
    voxels = voxels_of((canvas.depth > 0) & (canvas.depth < depth_limit) & half)
    wanted = canvas.stretched_at(profile, voxels).clamp(min=0.0)
    depth = canvas.depth_mm(voxels)
    push = PUSHED_SHARE * wanted * (1.0 - (depth - wanted) / PRESSED_MM).clamp(0.0, 1.0) * (depth >= wanted - 1.0)
    moved = push > 0.4
    voxels = (voxels[0][moved], voxels[1][moved], voxels[2][moved])
    place = torch.stack([axis.float() for axis in voxels], -1)
    away = place - torch.tensor(canvas.anatomy.brain_center_kji, dtype=torch.float32, device=canvas.device)
    push = torch.minimum(push[moved], (depth[moved] - 0.6).clamp(min=0.0))
    canvas.resampled(voxels, place + away / away.norm(dim=-1, keepdim=True).clamp(min=1.0) * push[:, None])


def coarse_directions(canvas: HeadCanvas, center: np.ndarray) -> torch.Tensor:
    """(k, j, i, 3) unit vectors from the centre on a grid of about COARSE_MM that spans the canvas."""
    axes = [
        torch.linspace(0, n - 1, max(2, round(n / COARSE_MM)), device=canvas.device) - float(c)
        for n, c in zip(canvas.shape, center, strict=True)
    ]
    vectors = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1.0)
