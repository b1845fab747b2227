"""How the head is deformed: elastic warp, swellings, shifts, wider ventricles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

from .anatomy import DISTANCE_STEP_MM
from .head_grid import SHIFT_RAMP_MM, HeadGrid
from .stack import Pose

WARP_NODE_MM = 28.0
NODE_MM = 4.0
PRESSED_MM = 25.0  # how far from a swelling the tissue is pressed together (ours)
STIFF_MM = 16.0  # the effect of a swelling grows from nothing at the inner table to all of it at this depth (ours)
VENTRICLE_REACH_MM = 14.0  # how far from the ventricles' wall the tissue makes room for it (ours)


@dataclass(frozen=True, eq=False)
class Deformation:
    """(1, 3, k, j, i) where each place of the map is fetched from, relative to it, in grid_sample units i, j, k.

    Args:
        total: the warp and all mass effect.
        masses: mass effect and ventricles alone.
        pushed_mm: (k, j, i) how far swellings and shifts alone push the brain at each place, in millimetres of the map.
        shape: of the map.
    """

    total: torch.Tensor
    masses: torch.Tensor
    pushed_mm: torch.Tensor
    shape: tuple[int, int, int]

    def moved(self, points_kji: np.ndarray, part: Literal["total", "masses", "warp"] = "total") -> np.ndarray:
        """(N, 3) where material points of the map (k, j, i) end up. The inverse is found by iteration.

        part: "masses" leaves out the warp, "warp" all mass effect: what the skull does.
        """
        field = {"total": self.total, "masses": self.masses, "warp": self.total - self.masses}[part]
        size = np.array(self.shape[::-1]) - 1.0
        start = torch.from_numpy((points_kji[:, ::-1] / size * 2.0 - 1.0).astype(np.float32)).to(field.device)
        place = start
        for _ in range(12):
            grid = place[None, :, None, None]
            fetched = F.grid_sample(field, grid, padding_mode="border", align_corners=True)[0, :, :, 0, 0].T
            place = 0.3 * place + 0.7 * (start - fetched)
        return ((place.double().cpu().numpy() + 1.0) / 2.0 * size)[:, ::-1]

    def place_lps_mm(self, center_kji: np.ndarray, pose: Pose) -> list[float]:
        """Where one place of the map (k, j, i) lies in the deformed head: LPS millimetres, rounded to 0.1."""
        return [round(float(v), 1) for v in pose.to_lps(self.moved(center_kji[None])[:, ::-1])[0]]


def deform(grid: HeadGrid, warp_mm: float) -> Deformation:
    """A smooth random warp, plus the mass effect of swellings and shifts, which fades out towards the skull."""
    nodes = [max(2, round(n / NODE_MM)) for n in grid.shape]
    warp = torch.stack([warp_mm * grid.noise(tuple(nodes), WARP_NODE_MM / NODE_MM) for _ in range(3)])
    axes = [torch.linspace(0, n - 1, m, device=grid.device) for n, m in zip(grid.shape, nodes, strict=True)]
    place = torch.stack(torch.meshgrid(*axes, indexing="ij"))  # (3, k, j, i) in k, j, i
    index = [axis.round().long() for axis in axes]
    depth = grid.depth[index[0]][:, index[1]][:, :, index[2]].float() * DISTANCE_STEP_MM
    ramp = (depth / STIFF_MM).clamp(0.0, 1.0)
    slow_ramp = (depth / SHIFT_RAMP_MM).clamp(0.0, 1.0)
    ventricles = torch.zeros_like(warp)
    if abs(grid.ventricle_mm) > 0.01:
        ventricles += ramp * _ventricle_field(grid, index, axes)
    masses = ventricles.clone()
    for swelling in grid.swellings:
        masses += ramp * _swelling_field(place, swelling.center_kji, swelling.from_mm, swelling.to_mm)
    for shift in grid.shifts:
        away = place - _column(shift.center_kji, place)
        near = torch.exp(-(away**2).sum(0) / (2.0 * shift.reach_mm**2))
        masses -= slow_ramp * near * shift.amount_mm * _column(shift.direction_kji, place)
    pushed = (masses - ventricles).norm(dim=0)
    scale = torch.tensor([2.0 / (n - 1) for n in grid.shape], device=grid.device)[:, None, None, None]
    return Deformation(((warp + masses) * scale).flip(0)[None], (masses * scale).flip(0)[None], pushed, grid.shape)


def _swelling_field(place: torch.Tensor, center: np.ndarray, from_mm: float, to_mm: float) -> torch.Tensor:
    """Magnify the ball round a centre; what lies outside is pressed together over about PRESSED_MM."""
    away = place - _column(center, place)
    radius = (away**2).sum(0).sqrt().clamp(min=0.5)
    gain = to_mm - from_mm
    fetched = torch.where(
        radius < to_mm, radius * (from_mm / to_mm), radius - gain * torch.exp(-(radius - to_mm) / PRESSED_MM)
    )
    return away / radius * (fetched - radius)


def _ventricle_field(grid: HeadGrid, index: list[torch.Tensor], axes: list[torch.Tensor]) -> torch.Tensor:
    """Fetch the wall of the ventricles from further inside (or outside, when they become narrower)."""
    distance = grid.field("ventricle_distance")[index[0]][:, index[1]][:, :, index[2]].float() * DISTANCE_STEP_MM
    padded = F.pad(distance[None, None], (1, 1, 1, 1, 1, 1), mode="replicate")
    smooth = F.avg_pool3d(padded, 3, stride=1)[0, 0]
    normal = torch.stack(torch.gradient(smooth, spacing=[float(axis[1] - axis[0]) for axis in axes]))
    normal = normal / normal.norm(dim=0).clamp(min=0.3)
    return -grid.ventricle_mm * torch.exp(-smooth / VENTRICLE_REACH_MM) * normal


def _column(vector: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(vector, dtype=torch.float32, device=like.device)[:, None, None, None]
