"""How the head is deformed: elastic warp, swellings, shifts, wider ventricles; and the midline shift that results."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from .anatomy import DISTANCE_STEP_MM, Anatomy
from .canvas import SHIFT_RAMP_MM, HeadCanvas
from .stack import Pose, Stack
from .tissue import Tissue

WARP_NODE_MM = 28.0
NODE_MM = 4.0
PRESSED_MM = 25.0  # how far from a swelling the tissue is pressed together (ours)
STIFF_MM = 16.0  # the effect of a swelling grows from nothing at the inner table to all of it at this depth (ours)
VENTRICLE_REACH_MM = 14.0  # how far from the ventricles' wall the tissue makes room for it (ours)
STRAY_MM = 3.5  # a point of an undeformed head's midline lies no further from the others (ours)
LEVEL_MM = 14.0  # the midline is measured in steps of this along the falx, each the mean of its points (ours)


@dataclass(frozen=True, eq=False)
class Deformation:
    """(1, 3, k, j, i) where each place of the map is fetched from, relative to it, in grid_sample units i, j, k.

    Args:
        total: the warp and all mass effect.
        masses: mass effect alone.
        shape: of the map.
    """

    total: torch.Tensor
    masses: torch.Tensor
    shape: tuple[int, int, int]

    def moved(self, points_kji: np.ndarray, *, masses_only: bool = False) -> np.ndarray:
        """(N, 3) where material points of the map (k, j, i) end up. The inverse is found by iteration."""
        field = self.masses if masses_only else self.total
        size = np.array(self.shape[::-1]) - 1.0
        start = torch.from_numpy((points_kji[:, ::-1] / size * 2.0 - 1.0).astype(np.float32)).to(field.device)
        place = start
        for _ in range(12):
            grid = place[None, :, None, None]
            fetched = F.grid_sample(field, grid, padding_mode="border", align_corners=True)[0, :, :, 0, 0].T
            place = 0.3 * place + 0.7 * (start - fetched)
        return ((place.double().cpu().numpy() + 1.0) / 2.0 * size)[:, ::-1]


def deform(canvas: HeadCanvas, warp_mm: float) -> Deformation:
    """A smooth random warp, plus the mass effect of swellings and shifts, which fades out towards the skull."""
    nodes = [max(2, round(n / NODE_MM)) for n in canvas.shape]
    warp = torch.stack([warp_mm * canvas.noise(tuple(nodes), WARP_NODE_MM / NODE_MM) for _ in range(3)])
    axes = [torch.linspace(0, n - 1, m, device=canvas.device) for n, m in zip(canvas.shape, nodes, strict=True)]
    place = torch.stack(torch.meshgrid(*axes, indexing="ij"))  # (3, k, j, i) in k, j, i
    index = [axis.round().long() for axis in axes]
    depth = canvas.depth[index[0]][:, index[1]][:, :, index[2]].float() * DISTANCE_STEP_MM
    ramp = (depth / STIFF_MM).clamp(0.0, 1.0)
    slow_ramp = (depth / SHIFT_RAMP_MM).clamp(0.0, 1.0)
    masses = torch.zeros_like(warp)
    if abs(canvas.ventricle_mm) > 0.01:
        masses += ramp * _ventricle_field(canvas, index, axes)
    for swelling in canvas.swellings:
        masses += ramp * _swelling_field(place, swelling.center_kji, swelling.from_mm, swelling.to_mm)
    for shift in canvas.shifts:
        away = place - _column(shift.center_kji, place)
        near = torch.exp(-(away**2).sum(0) / (2.0 * shift.reach_mm**2))
        masses -= slow_ramp * near * shift.amount_mm * _column(shift.direction_kji, place)
    scale = torch.tensor([2.0 / (n - 1) for n in canvas.shape], device=canvas.device)[:, None, None, None]
    return Deformation(((warp + masses) * scale).flip(0)[None], (masses * scale).flip(0)[None], canvas.shape)


def _swelling_field(place: torch.Tensor, center: np.ndarray, from_mm: float, to_mm: float) -> torch.Tensor:
    """Magnify the ball round a centre; what lies outside is pressed together over about PRESSED_MM."""
    away = place - _column(center, place)
    radius = (away**2).sum(0).sqrt().clamp(min=0.5)
    gain = to_mm - from_mm
    fetched = torch.where(
        radius < to_mm, radius * (from_mm / to_mm), radius - gain * torch.exp(-(radius - to_mm) / PRESSED_MM)
    )
    return away / radius * (fetched - radius)


def _ventricle_field(canvas: HeadCanvas, index: list[torch.Tensor], axes: list[torch.Tensor]) -> torch.Tensor:
    """Fetch the wall of the ventricles from further inside (or outside, when they become narrower)."""
    distance = canvas.field("ventricle_distance")[index[0]][:, index[1]][:, :, index[2]].float() * DISTANCE_STEP_MM
    padded = F.pad(distance[None, None], (1, 1, 1, 1, 1, 1), mode="replicate")
    smooth = F.avg_pool3d(padded, 3, stride=1)[0, 0]
    normal = torch.stack(torch.gradient(smooth, spacing=[float(axis[1] - axis[0]) for axis in axes]))
    normal = normal / normal.norm(dim=0).clamp(min=0.3)
    return -canvas.ventricle_mm * torch.exp(-smooth / VENTRICLE_REACH_MM) * normal


def _column(vector: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(vector, dtype=torch.float32, device=like.device)[:, None, None, None]


def midline_shift(canvas: HeadCanvas, deformation: Deformation, pose: Pose, stack: Stack) -> dict[str, Any]:
    """The true midline shift: the greatest distance of the septum or third ventricle from the plane of the falx.

    The plane is fitted to the falx's attachments at the inner table; the distance is the mean over LEVEL_MM of the
    midline. JSON-able: midline_shift_mm, midline_shift_side ("left" or "right", where the midline went),
    midline_shift_at_lps_mm, midline_shift_by_masses_mm (what swellings and shifts moved that place across the plane;
    the rest is the head's own asymmetry and the warp), and whether the place lies within the stack.
    """
    midline, attachments = _midline_points(canvas.anatomy)
    if len(midline) < 3 or len(attachments) < 20:
        return {}
    ends = pose.to_lps(deformation.moved(attachments)[:, ::-1])
    middle = np.median(ends, axis=0)
    normal = np.linalg.svd(ends - middle, full_matrices=False)[2][2]
    normal = normal * np.sign(normal[0] or 1.0)
    at = pose.to_lps(deformation.moved(midline)[:, ::-1])
    distances = (at - np.mean(ends, axis=0)) @ normal
    means = [float(distances[np.linalg.norm(midline - p, axis=1) <= LEVEL_MM / 2].mean()) for p in midline]
    worst = int(np.argmax(np.abs(means)))
    before = pose.to_lps(midline[worst : worst + 1, ::-1])[0]
    pushed = pose.to_lps(deformation.moved(midline[worst : worst + 1], masses_only=True)[:, ::-1])[0]
    height = float((at[worst] - stack.grid.origins_lps_mm[0]) @ stack.grid.normal)
    top = float((stack.grid.origins_lps_mm[-1] - stack.grid.origins_lps_mm[0]) @ stack.grid.normal)
    return {
        "midline_shift_mm": round(abs(means[worst]), 2),
        "midline_shift_side": "left" if means[worst] > 0 else "right",
        "midline_shift_at_lps_mm": [round(float(v), 2) for v in at[worst]],
        "midline_shift_by_masses_mm": round(float((pushed - before) @ normal), 2),
        "midline_shift_in_stack": bool(-2.0 <= height <= top + 2.0),
    }


@lru_cache(maxsize=24)
def _midline_points(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) points of the septum and third ventricle, and (M, 3) of the falx's attachments, in map voxels k, j, i."""
    ventricle = np.argwhere((anatomy.tissue == Tissue.VENTRICLE) & (anatomy.ventricle_distance == 0))
    points = np.concatenate([_septum(ventricle, anatomy), _third_ventricle(anatomy)])
    # Where one horn faces another part of the ventricles, half-way between them is no midline.
    if len(points):
        points = points[np.abs(points[:, 2] - np.median(points[:, 2])) < STRAY_MM]
    falx = anatomy.points["falx"].astype(int)
    depth_mm = anatomy.depth[tuple(falx.T)] * DISTANCE_STEP_MM
    return points, falx[depth_mm < 5.0].astype(np.float64)


def _septum(ventricle: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    """Half-way between the walls of the two frontal horns and bodies, wherever they face each other closely."""
    side = anatomy.side[tuple(ventricle.T)]
    middle = anatomy.brain_center_kji[2]
    walls = {}
    for sign in (1, -1):
        part = ventricle[(side == sign) & (np.abs(ventricle[:, 2] - middle) < 25)]
        best = np.full(anatomy.shape_kji[:2], np.inf)
        np.minimum.at(best, (part[:, 0], part[:, 1]), sign * part[:, 2].astype(float))
        walls[sign] = sign * best
    gap = walls[1] - walls[-1]
    close = np.isfinite(gap) & (gap > 0) & (gap < 8.0)
    k, j = np.nonzero(close)
    points = np.stack([k, j, (walls[1][close] + walls[-1][close]) / 2.0], -1)
    return points[:: max(1, len(points) // 150)]


def _third_ventricle(anatomy: Anatomy) -> np.ndarray:
    """The middle of each of its rows."""
    voxels = anatomy.points["third_ventricle"].astype(np.float64)
    rows: dict[tuple[float, float], list[tuple[float, float, float]]] = {}
    for k, j, i in voxels:
        rows.setdefault((k // 2, j // 2), []).append((k, j, i))
    points = np.array([np.mean(row, axis=0) for row in rows.values()]).reshape(-1, 3)
    return points[:: max(1, len(points) // 80)]
