"""Subdural and epidural hemorrhage: collections between brain and skull."""

from __future__ import annotations

import numpy as np
import torch

from .anatomy import DISTANCE_STEP_MM
from .canvas import HeadCanvas, Shift, Voxels, voxels_of
from .head_tissue import NO_SHEET

COARSE_MM = 4


def add_sdh(canvas: HeadCanvas) -> None:
    """One or two subdural collections: over the convexity, along the falx or on the tentorium."""
    kinds = ["convexity", "falx", "tentorium"]
    for index in range(int(canvas.rng.choice([1, 2], p=[0.75, 0.25]))):
        kind = str(canvas.rng.choice(kinds, p=[0.74, 0.16, 0.1] if index == 0 else [0.4, 0.35, 0.25]))
        if kind == "convexity":
            add_convexity_sdh(canvas, canvas.log_uniform(1.8, 18.0))
        else:
            _add_sheet_sdh(canvas, kind)


def add_convexity_sdh(canvas: HeadCanvas, thickness_mm: float) -> None:
    """A crescent of that greatest thickness, following the inner table across sutures, ending at the falx."""
    center = canvas.anatomy.brain_center_kji
    side = int(canvas.rng.choice([-1, 1]))
    pole = np.array([canvas.uniform((-0.1, 0.75)), canvas.rng.normal(0.0, 0.55), side * canvas.uniform((0.7, 1.0))])
    pole /= np.linalg.norm(pole)
    extent = canvas.uniform((0.45, 1.1)) + 0.02 * thickness_mm
    coarse = _coarse_directions(canvas, center)
    angle = torch.arccos((coarse @ torch.tensor(pole, dtype=torch.float32, device=canvas.device)).clamp(-1, 1))
    profile = (1.0 - (angle / extent) ** 2).clamp(min=-0.5)
    profile = profile + 0.22 * canvas.noise(tuple(profile.shape), 6.0)
    limit = int((thickness_mm + 1.0) / DISTANCE_STEP_MM)
    near = (canvas.depth > 0) & (canvas.depth < min(limit, 255)) & (canvas.field("side") == side)
    voxels = voxels_of(near & canvas.field("supratentorial"))
    wanted = canvas.stretched_at(thickness_mm * profile.clamp(max=1.0), voxels)
    fraction = (0.5 + torch.minimum(wanted, wanted * 2.0) - canvas.depth_mm(voxels)).clamp(0.0, 1.0) * (wanted > 0.4)
    age, blood = _subdural_blood(canvas, voxels)
    canvas.paint_blood("SDH", voxels, fraction, blood)
    push = np.array([0.0, 0.0, -float(side)])
    amount = canvas.uniform((0.1, 0.5)) * min(thickness_mm, 15.0)
    canvas.shifts.append(Shift(center + 45.0 * pole, push, amount, 55.0))
    canvas.truth["lesions"].append(
        {"type": "SDH", "form": "convexity", "age": age, "drawn_mm": round(thickness_mm, 1), "left": side > 0}
    )


def _add_sheet_sdh(canvas: HeadCanvas, name: str) -> None:
    """A thin layer on one side of the falx or on top of the tentorium, over a part of it."""
    distance = canvas.field(f"{name}_distance")
    center = canvas.place(name)
    if center is None:
        return
    side = int(canvas.rng.choice([-1, 1])) if name == "falx" else 1
    thickness = canvas.log_uniform(1.2, 6.0)
    near = (distance != NO_SHEET) & (distance.abs() < (thickness + 3.0) / DISTANCE_STEP_MM) & (canvas.depth > 0)
    if name == "tentorium":  # one half of it
        near &= canvas.field("side") == int(canvas.anatomy.side[tuple(center.astype(int))])
    voxels = voxels_of(near)
    away = distance[voxels].float() * (side * DISTANCE_STEP_MM)
    k, j, i = (axis - float(c) for axis, c in zip(voxels, center, strict=True))
    reach = canvas.uniform((22.0, 60.0))
    squared = k * k + j * j + (i * i if name == "tentorium" else 0.0)
    wanted = thickness * (1.0 - squared / reach**2).clamp(min=-0.5) + 0.6 * canvas.noise_at(voxels, 15.0)
    fraction = (0.5 + wanted - away).clamp(0.0, 1.0) * (0.8 + away).clamp(0.0, 1.0) * (wanted > 0.4)
    _, blood = _subdural_blood(canvas, voxels, young=True)
    canvas.paint_blood("SDH", voxels, fraction, blood)
    canvas.truth["lesions"].append({"type": "SDH", "form": name, "drawn_mm": round(thickness, 1)})


def _subdural_blood(canvas: HeadCanvas, voxels: Voxels, young: bool = False) -> tuple[str, torch.Tensor]:
    """Age and Hounsfield units at voxels: acute, mixed (denser behind) or isodense."""
    age = "acute" if young else str(canvas.rng.choice(["acute", "mixed", "isodense"], p=[0.68, 0.17, 0.15]))
    if age == "isodense":
        return age, canvas.clot_hu(voxels, canvas.uniform((36.0, 46.0)), 1.5)
    blood = canvas.clot_hu(voxels, canvas.uniform((50.0, 78.0)), canvas.uniform((1.0, 4.0)))
    if age == "mixed":
        behind = voxels[1] - float(canvas.anatomy.brain_center_kji[1])
        lighter = (0.5 - behind / 60.0 + 0.5 * canvas.noise_at(voxels, 14.0)).clamp(0.0, 1.0)
        blood = blood - canvas.uniform((12.0, 30.0)) * lighter
    return age, blood


def add_edh(canvas: HeadCanvas) -> None:
    """A lens between skull and dura, 4 to 25 mm thick, mostly at the side."""
    add_lens(canvas, canvas.log_uniform(4.0, 25.0))


def add_lens(canvas: HeadCanvas, thickness_mm: float) -> None:
    """An epidural lens: the part of a ball inside the skull, deepest in its middle."""
    center = canvas.anatomy.brain_center_kji
    spot = _lens_spot(canvas)
    if spot is None:
        return
    outward = (spot - center) / np.linalg.norm(spot - center)
    # The lens closes where the ball meets the skull, whose own curve (radius about 70 mm) leaves it room to the side.
    half_width = thickness_mm * canvas.uniform((1.3, 2.6)) + canvas.uniform((4.0, 12.0))
    half_width = min(half_width, 0.85 * (140.0 * thickness_mm) ** 0.5)
    radius = 0.5 / (thickness_mm / half_width**2 - 1.0 / 140.0)
    ball = spot + outward * (radius - thickness_mm)
    box = canvas.box(spot, half_width + thickness_mm + 6.0)
    if box is None:
        return
    k, j, i = canvas.offsets(box, ball)
    away = (k * k + j * j + i * i).sqrt()
    shape = tuple(away.shape)
    wobble = canvas.uniform((0.0, 1.0)) * canvas.noise(shape, 9.0)
    inside = canvas.depth_mm(box)
    fraction = (0.5 + radius - away + wobble).clamp(0.0, 1.0) * (0.5 + thickness_mm + 2.0 - inside).clamp(0.0, 1.0)
    fraction = fraction * (inside > 0)
    blood = canvas.clot_hu(box, canvas.uniform((52.0, 80.0)), canvas.uniform((1.0, 3.0)))
    if thickness_mm > 10 and canvas.chance(0.2):
        blood = blood - canvas.uniform((8.0, 20.0)) * (canvas.noise(shape, 8.0) - 0.5).clamp(0.0, 1.0)
    canvas.paint_blood("EDH", box, fraction, blood)
    amount = canvas.uniform((0.15, 0.5)) * min(thickness_mm, 15.0)
    canvas.shifts.append(Shift(spot - outward * thickness_mm, -outward, amount, half_width + 15.0))
    canvas.truth["lesions"].append({"type": "EDH", "drawn_mm": round(thickness_mm, 1)})


def _lens_spot(canvas: HeadCanvas) -> np.ndarray | None:
    """A voxel at the inner table, preferring the temporal and parietal side; off the midline, where sinuses run."""
    center = canvas.anatomy.brain_center_kji
    for _ in range(30):
        spot = canvas.place("table")
        if spot is None:
            return None
        aside = abs(spot[2] - center[2])
        if aside > 15 and (aside > 40 or canvas.chance(0.35)):
            return spot
    return None


def _coarse_directions(canvas: HeadCanvas, center: np.ndarray) -> torch.Tensor:
    """(k, j, i, 3) unit vectors from the centre on a grid of about COARSE_MM that spans the canvas."""
    axes = [
        torch.linspace(0, n - 1, max(2, round(n / COARSE_MM)), device=canvas.device) - float(c)
        for n, c in zip(canvas.shape, center, strict=True)
    ]
    vectors = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1.0)
