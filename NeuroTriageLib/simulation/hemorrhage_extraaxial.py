"""Subdural and epidural hemorrhage: collections between brain and skull."""

from __future__ import annotations

import torch

from .canvas import HeadCanvas
from .crescent import make_crescent, make_sheet_layer
from .head_grid import Voxels
from .lens import make_lens

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
    layer = make_sheet_layer(canvas, name)
    if layer is None:
        return
    age = str(canvas.rng.choice(["acute", "mixed"], p=[0.85, 0.15]))
    canvas.paint_blood("SDH", layer.voxels, layer.fraction, _subdural_blood(canvas, layer.voxels, age))
    canvas.add_lesion("SDH", layer.center, form=name, age=age, drawn_mm=round(layer.thickness_mm, 1))


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


def add_lens(canvas: HeadCanvas, thickness_mm: float) -> None:
    """An epidural lens of that thickness, full of fresh blood."""
    lens = make_lens(canvas, thickness_mm)
    if lens is None:
        return
    blood = canvas.clot_hu(lens.box, canvas.uniform((52.0, 82.0)), canvas.uniform((1.0, 3.0)))
    swirl = thickness_mm > 8 and canvas.chance(0.35)  # still bleeding: darker swirls (Al-Nakshabandi 2001)
    if swirl:
        noise = canvas.noise(tuple(lens.fraction.shape), 8.0)
        blood = blood - canvas.uniform((8.0, 28.0)) * (noise - 0.3).clamp(0.0, 1.0)
    canvas.paint_blood("EDH", lens.box, lens.fraction, blood)
    lens.push(canvas)
    canvas.add_lesion("EDH", lens.spot, drawn_mm=round(thickness_mm, 1), swirl=swirl)
