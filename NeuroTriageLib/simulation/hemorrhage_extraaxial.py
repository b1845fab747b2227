"""Subdural and epidural hemorrhage: collections between brain and skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .anatomy import DISTANCE_STEP_MM
from .canvas import Box, HeadCanvas, Shift, Voxels, voxels_of
from .crescent import make_crescent
from .head_tissue import NO_SHEET

# Ages of subdural blood: dense in the first week, like brain in the second and third, darker after (Scotti 1977);
# the shares are ours.
AGES = {"acute": 0.52, "mixed": 0.15, "isodense": 0.15, "chronic": 0.18}
ACUTE_HU, ISODENSE_HU, CHRONIC_HU = (50.0, 80.0), (30.0, 46.0), (12.0, 29.0)
LARGEST_SHIFT_MM = 18.0  # larger shifts would fold the brain here (ours)


def add_sdh(canvas: HeadCanvas) -> None:
    """One or two subdural collections: over the convexity, along the falx or on the tentorium."""
    kinds = ["convexity", "falx", "tentorium"]
    for index in range(int(canvas.rng.choice([1, 2], p=[0.75, 0.25]))):
        kind = str(canvas.rng.choice(kinds, p=[0.74, 0.16, 0.1] if index == 0 else [0.4, 0.35, 0.25]))
        if kind == "convexity":
            add_convexity_sdh(canvas, canvas.log_uniform(1.8, 22.0))
        else:
            _add_sheet_sdh(canvas, kind)


def add_convexity_sdh(canvas: HeadCanvas, thickness_mm: float, age: str = "") -> None:
    """A crescent of that greatest thickness; the midline shift is 0.1 to 1.1 of it.

    In patients who were operated on it was 0.55 to 1.45 of the thickness, 1.1 on average (Moussa 2018); smaller
    collections that nobody operates on shift less, and larger shifts would fold the brain here.
    """
    age = age or str(canvas.rng.choice(list(AGES), p=list(AGES.values())))
    if age == "chronic":  # grows for weeks, slowly: thicker, with less shift
        thickness_mm = max(thickness_mm, canvas.uniform((4.0, 26.0)))
    largest = 0.7 if age == "chronic" else 1.1
    shift = min(canvas.uniform((0.1, largest)) * thickness_mm, LARGEST_SHIFT_MM)
    crescent = make_crescent(canvas, thickness_mm, shift)
    blood = _subdural_blood(canvas, crescent.voxels, age)
    canvas.paint_blood("SDH", crescent.voxels, crescent.fraction, blood)
    canvas.add_lesion(
        "SDH",
        canvas.anatomy.brain_center_kji + 60.0 * crescent.pole,
        form="convexity",
        age=age,
        drawn_mm=round(thickness_mm, 1),
        drawn_shift_mm=round(shift, 1),
    )


def _add_sheet_sdh(canvas: HeadCanvas, name: str) -> None:
    """A thin layer on one side of the falx or on top of the tentorium, over a part of it."""
    distance = canvas.field(f"{name}_distance")
    center = canvas.place(name)
    if center is None:
        return
    side = int(canvas.rng.choice([-1, 1])) if name == "falx" else 1
    thickness = canvas.log_uniform(1.2, 8.0)
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
    age = str(canvas.rng.choice(["acute", "mixed"], p=[0.85, 0.15]))
    canvas.paint_blood("SDH", voxels, fraction, _subdural_blood(canvas, voxels, age))
    canvas.add_lesion("SDH", center, form=name, age=age, drawn_mm=round(thickness, 1))


def _subdural_blood(canvas: HeadCanvas, region: Voxels, age: str) -> torch.Tensor:
    """Hounsfield units of blood of an age: mixed blood is denser behind, or darker in swirls; old blood has layers."""
    behind = region[1] - float(canvas.anatomy.brain_center_kji[1])
    if age == "isodense":
        return canvas.clot_hu(region, canvas.uniform(ISODENSE_HU), 1.5)
    if age == "chronic":
        blood = canvas.clot_hu(region, canvas.uniform(CHRONIC_HU), 1.0)
        if canvas.chance(0.35):  # fresh blood has sunk to the back, or hangs in membranes
            fresh = 0.5 + (behind - canvas.uniform((0.0, 40.0))) / canvas.uniform((3.0, 25.0))
            fresh = fresh + 0.6 * canvas.noise_in(region, 12.0)
            blood = blood + canvas.uniform((10.0, 35.0)) * fresh.clamp(0.0, 1.0)
        return blood
    blood = canvas.clot_hu(region, canvas.uniform(ACUTE_HU), canvas.uniform((1.0, 4.0)))
    if age == "mixed":
        width = canvas.uniform((4.0, 60.0))  # a level, or a slow change
        lighter = (0.5 - behind / width + 0.5 * canvas.noise_in(region, 14.0)).clamp(0.0, 1.0)
        blood = blood - canvas.uniform((12.0, 35.0)) * lighter
    return blood


def add_edh(canvas: HeadCanvas) -> None:
    """A lens between skull and dura, 3 to 30 mm thick, mostly at the side."""
    add_lens(canvas, canvas.log_uniform(3.0, 30.0))


@dataclass(frozen=True)
class _Lens:
    """The ball whose part inside the skull is the lens: mm, map voxels k, j, i."""

    spot: np.ndarray
    outward: np.ndarray
    thickness_mm: float
    half_width_mm: float
    radius_mm: float

    @property
    def ball(self) -> np.ndarray:
        """The ball's centre."""
        return self.spot + self.outward * (self.radius_mm - self.thickness_mm)


def add_lens(canvas: HeadCanvas, thickness_mm: float) -> None:
    """An epidural lens: the part of a ball inside the skull, deepest in its middle, bounded by the sutures."""
    center = canvas.anatomy.brain_center_kji
    spot = _lens_spot(canvas)
    if spot is None:
        return
    outward = (spot - center) / np.linalg.norm(spot - center)
    # The lens closes where the ball meets the skull, whose own curve (radius about 70 mm) leaves it room to the side.
    half_width = thickness_mm * canvas.uniform((1.3, 2.6)) + canvas.uniform((4.0, 12.0))
    half_width = min(half_width, 0.85 * (140.0 * thickness_mm) ** 0.5)
    lens = _Lens(spot, outward, thickness_mm, half_width, 0.5 / (thickness_mm / half_width**2 - 1.0 / 140.0))
    box = canvas.box(spot, half_width + thickness_mm + 6.0)
    if box is None:
        return
    if thickness_mm > 4.0:
        _press_under_lens(canvas, lens)
    k, j, i = canvas.offsets(box, lens.ball)
    away = (k * k + j * j + i * i).sqrt()
    shape = tuple(away.shape)
    wobble = canvas.uniform((0.0, 1.0)) * canvas.noise(shape, 9.0)
    inside = canvas.depth_mm(box)
    fraction = (0.5 + lens.radius_mm - away + wobble).clamp(0.0, 1.0)
    fraction = fraction * (0.5 + thickness_mm + 2.0 - inside).clamp(0.0, 1.0) * (inside > 0)
    if canvas.chance(0.92):  # a fracture may open a suture, mostly in children (ours)
        fraction = fraction * _within_sutures(canvas, box, spot)
    blood = canvas.clot_hu(box, canvas.uniform((52.0, 82.0)), canvas.uniform((1.0, 3.0)))
    swirl = thickness_mm > 8 and canvas.chance(0.35)  # still bleeding: darker swirls (Al-Nakshabandi 2001)
    if swirl:
        blood = blood - canvas.uniform((8.0, 28.0)) * (canvas.noise(shape, 8.0) - 0.3).clamp(0.0, 1.0)
    canvas.paint_blood("EDH", box, fraction, blood)
    amount = min(canvas.uniform((0.15, 0.8)) * thickness_mm, 12.0)
    canvas.shifts.append(Shift(spot - outward * (thickness_mm + 10.0), -outward, amount, half_width + 25.0))
    canvas.add_lesion("EDH", spot, drawn_mm=round(thickness_mm, 1), swirl=swirl)


def _press_under_lens(canvas: HeadCanvas, lens: _Lens) -> None:
    """The brain under the lens moves inwards, most in its middle."""
    box = canvas.box(lens.spot, lens.half_width_mm + lens.thickness_mm + 20.0)
    assert box is not None
    k, j, i = canvas.offsets(box, lens.ball)
    away = (k * k + j * j + i * i).sqrt()
    along = -(k * float(lens.outward[0]) + j * float(lens.outward[1]) + i * float(lens.outward[2]))
    aside = (away**2 - along**2).clamp(min=0.0) / lens.half_width_mm**2
    beyond = away - lens.radius_mm
    push = 0.7 * lens.thickness_mm * (1.0 - aside).clamp(0.0, 1.0) * (1.0 - beyond / 26.0).clamp(0.0, 1.0)
    depth = canvas.depth_mm(box)
    push = torch.minimum(push, (depth - 0.6).clamp(min=0.0)) * ((beyond > -1.0) & (along > 0) & (depth > 0))
    at = (push > 0.4).nonzero()
    if not len(at):
        return
    first = torch.tensor([s.start for s in box], device=canvas.device)
    voxels = at + first
    outward = torch.tensor(lens.outward, dtype=torch.float32, device=canvas.device)
    source = voxels.float() + outward * push[tuple(at.T)][:, None]
    canvas.resampled((voxels[:, 0], voxels[:, 1], voxels[:, 2]), source)


def _within_sutures(canvas: HeadCanvas, box: Box, spot: np.ndarray) -> torch.Tensor:
    """1 on the spot's side of the coronal, lambdoid and sagittal sutures, 0 beyond; in a box.

    The dura is fixed there (Bullock 2006). The sutures are planes through shares of the skull's length and height
    (ours, by eye on skulls): bregma a tenth of the length before the middle, pterion 0.28 before and low down; lambda
    0.45 behind, asterion 0.33 behind and low down.
    """
    space = canvas.anatomy.points["space"].astype(np.float64)
    height, length = (float(np.ptp(space[:, axis])) for axis in (0, 1))
    center = (space.max(0) + space.min(0)) / 2.0
    k, j, i = canvas.offsets(box, center)
    offset = spot - center
    share = torch.ones(1, device=canvas.device)
    for (k1, j1), (k2, j2) in (((0.45, -0.1), (-0.1, -0.28)), ((0.3, 0.45), (-0.25, 0.33))):
        normal = np.array([-(j2 - j1) * length, (k2 - k1) * height])
        normal /= np.linalg.norm(normal)
        at = np.array([k1 * height, j1 * length])
        away = (k - at[0]) * float(normal[0]) + (j - at[1]) * float(normal[1])
        side = np.sign((offset[:2] - at) @ normal) or 1.0
        share = share * (0.5 + side * away).clamp(0.0, 1.0)
    middle = canvas.anatomy.brain_center_kji[2] - center[2]
    side = np.sign(offset[2] - middle) or 1.0
    return share * (0.5 + side * (i - float(middle))).clamp(0.0, 1.0)


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
