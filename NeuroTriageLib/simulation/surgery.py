"""After operations: craniotomy with plates, air and fluid; burr hole and drain; clips, coils and other metal."""

from __future__ import annotations

import numpy as np
import torch

from .canvas import HeadCanvas
from .head_grid import Box
from .tissue import Tissue

TITANIUM_HU, PLATINUM_HU = (6000.0, 15000.0), (15000.0, 30000.0)  # before they are clipped (NIST attenuation; ours)
BONES = (Tissue.BONE, Tissue.DIPLOE)


def add_surgery(canvas: HeadCanvas) -> None:
    """A craniotomy, or a burr hole with a drain."""
    if canvas.chance(0.55):
        _craniotomy(canvas)
    else:
        _drain(canvas)


def add_metal(canvas: HeadCanvas) -> None:
    """A clip at an artery's place, a ball of coils, or some splinters in the scalp or bone."""
    kind = str(canvas.rng.choice(["clip", "coils", "splinters"], p=[0.35, 0.3, 0.35]))
    if kind == "splinters":
        for _ in range(int(canvas.rng.integers(1, 5))):
            spot = canvas.place("table")
            if spot is not None:
                outside = spot + _outward(canvas, spot) * canvas.uniform((3.0, 11.0))
                _speck(canvas, "metal splinter", outside, canvas.rng.uniform(0.8, 2.2, 3), canvas.uniform(TITANIUM_HU))
        return
    center = canvas.place("cistern" if canvas.chance(0.6) else "sylvian")
    if center is None:
        return
    if kind == "clip":
        radii = np.array([0.9, 1.0, canvas.uniform((3.0, 6.0))])
        _speck(canvas, "aneurysm clip", center, radii, canvas.uniform(TITANIUM_HU))
    else:
        radii = np.full(3, canvas.uniform((1.8, 5.0)))
        _speck(canvas, "coils", center, radii, canvas.uniform(PLATINUM_HU))


def _speck(canvas: HeadCanvas, kind: str, center: np.ndarray, radii_mm: np.ndarray, hu: float) -> None:
    found = canvas.blob(center, radii_mm, rough=0.1)
    if found is not None:
        canvas.note("mimics", kind, center, canvas.paint(found[0], found[1], hu))


def _outward(canvas: HeadCanvas, spot: np.ndarray) -> np.ndarray:
    away = spot - canvas.anatomy.brain_center_kji
    return away / np.linalg.norm(away)


def _craniotomy(canvas: HeadCanvas) -> None:
    """A gap in the bone round a flap, or no flap; plates over the gap; air and fluid under it, dense dura there."""
    spot = canvas.place("table")
    if spot is None:
        return
    outward, radius = _outward(canvas, spot), canvas.uniform((14.0, 42.0))
    box = canvas.box(spot, radius + 16.0)
    if box is None:
        return
    k, j, i = canvas.offsets(box, spot)
    along = k * float(outward[0]) + j * float(outward[1]) + i * float(outward[2])
    aside = (k * k + j * j + i * i - along * along).clamp(min=0.0).sqrt()
    bone = canvas.is_tissue(box, *BONES)
    kerf = canvas.uniform((0.8, 2.5))
    missing = canvas.chance(0.2)
    gone = (0.5 + radius - aside).clamp(0, 1) if missing else (0.5 + kerf / 2.0 - (aside - radius).abs()).clamp(0, 1)
    fluid = canvas.uniform((12.0, 42.0))
    mm3 = canvas.paint(box, gone * bone * (along > -12.0), fluid)
    canvas.note("mimics", "craniectomy" if missing else "craniotomy", spot, mm3)
    if not missing:
        _plates(canvas, spot, outward, radius)
    _under_the_flap(canvas, box, spot, aside < radius - 2.0)


def _plates(canvas: HeadCanvas, spot: np.ndarray, outward: np.ndarray, radius_mm: float) -> None:
    """Two to four small titanium plates across the cut, on the outer table."""
    first = np.cross(outward, [1.0, 0.3, 0.2])
    first /= np.linalg.norm(first)
    second = np.cross(outward, first)
    for angle in canvas.uniform((0.0, 2.0)) + np.arange(canvas.rng.integers(2, 5)) * 1.7:
        edge = spot + radius_mm * (np.cos(angle) * first + np.sin(angle) * second)
        place = _outer_table(canvas, edge)
        if place is not None:
            _speck(
                canvas,
                "plate",
                place,
                canvas.rng.uniform((0.6, 2.0, 2.0), (1.0, 4.0, 4.0)),
                canvas.uniform(TITANIUM_HU),
            )


def _outer_table(canvas: HeadCanvas, edge: np.ndarray) -> np.ndarray | None:
    """The last bone on the way outwards through a place; None when there is none."""
    steps = edge + np.arange(-8.0, 16.0)[:, None] * _outward(canvas, edge)
    index = np.clip(np.round(steps).astype(int), 0, np.array(canvas.shape) - 1)
    is_bone = np.isin(canvas.anatomy.tissue[tuple(index.T)], BONES)
    return steps[np.flatnonzero(is_bone)[-1]] if is_bone.any() else None


def _under_the_flap(canvas: HeadCanvas, box: Box, spot: np.ndarray, under: torch.Tensor) -> None:
    """Fluid or thickened dura a few millimetres deep, and air that rises to the front."""
    depth = canvas.depth_mm(box)
    thick = canvas.uniform((0.5, 7.0))
    layer = (0.5 + thick - depth).clamp(0.0, 1.0) * (depth > 0) * under
    mm3 = canvas.paint(box, layer, canvas.uniform((10.0, 46.0)))
    canvas.note("mimics", "fluid under a flap", spot, mm3)
    if canvas.chance(0.5):
        _, j, _ = canvas.offsets(box, spot)
        rising = (0.5 - j - canvas.uniform((-4.0, 6.0))).clamp(0.0, 1.0)
        mm3 = canvas.paint(box, layer * rising * canvas.chance(0.9), canvas.uniform((-950.0, -500.0)))
        canvas.note("mimics", "air", spot, mm3)


def _drain(canvas: HeadCanvas) -> None:
    """A burr hole and a tube from it to a ventricle: 2.5 mm wide, 120 to 500 HU (ours: barium in silicone)."""
    target, spot = canvas.place("ventricle"), canvas.place("table")
    if target is None or spot is None or spot[0] < canvas.anatomy.brain_center_kji[0]:
        return
    outward = _outward(canvas, spot)
    start = spot + outward * 14.0
    _cylinder(canvas, "burr hole", spot - outward * 2.0, start, canvas.uniform((3.0, 6.0)), 25.0, bone_only=True)
    _cylinder(canvas, "drain", target, start, canvas.uniform((1.0, 1.6)), canvas.log_uniform(120.0, 500.0))


def _cylinder(
    canvas: HeadCanvas,
    kind: str,
    end: np.ndarray,
    start: np.ndarray,
    radius_mm: float,
    hu: float,
    *,
    bone_only: bool = False,
) -> None:
    """A straight tube between two places."""
    middle, half = (start + end) / 2.0, (start - end) / 2.0
    box = canvas.box(middle, float(np.abs(half).max()) + radius_mm + 2.0)
    if box is None:
        return
    length = float(np.linalg.norm(half))
    k, j, i = canvas.offsets(box, middle)
    along = (k * float(half[0]) + j * float(half[1]) + i * float(half[2])) / length
    aside = (k * k + j * j + i * i - along * along).clamp(min=0.0).sqrt()
    fraction = (0.5 + radius_mm - aside).clamp(0.0, 1.0) * (0.5 + length - along.abs()).clamp(0.0, 1.0)
    if bone_only:
        fraction = fraction * canvas.is_tissue(box, *BONES)
    canvas.note("mimics", kind, middle, canvas.paint(box, fraction, hu))
