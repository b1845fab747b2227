"""Intraparenchymal hemorrhage: deep, lobar, cerebellar, pontine, contusions; its oedema, its age, its levels."""

from __future__ import annotations

import numpy as np
import torch

from .bleeding_shapes import LARGEST_ML, LARGEST_OTHER_ML, SITES, make_clot
from .canvas import HeadCanvas
from .head_grid import Box
from .hemorrhage_intraventricular import spill
from .tissue import Tissue

# Fresh clot: 56 HU of whole blood at a hematocrit of 45 % (New and Aronow 1976), up to 80-90 when it has retracted;
# anaemic blood stays near 50.
CLOT_HU = (50.0, 84.0)
FADING_HU_PER_DAY = (0.7, 1.5)  # Dolinskas 1977
SWIRL_PROBABILITY = 0.3  # of larger bleedings (Selariu 2012)
LEVEL_PROBABILITY = 0.06  # a fluid level, mostly with anticoagulants (Pfleger 1994; the share is ours)


def add_iph(canvas: HeadCanvas) -> bool:
    """One to four bleedings in the brain; a large deep one may break into the ventricles.

    True when IVH came with it.
    """
    with_ivh = False
    count = int(canvas.rng.choice([1, 2, 3, 4], p=[0.78, 0.14, 0.05, 0.03]))
    for _ in range(count):
        site = str(canvas.rng.choice(list(SITES), p=list(SITES.values())))
        # Four in ten span punctate to 2 mL, the others 1.5 to 110 mL, each octave alike (ours).
        volume = canvas.log_uniform(0.004, 2.0) if canvas.chance(0.4) else canvas.log_uniform(1.5, LARGEST_OTHER_ML)
        with_ivh |= add_bleeding(canvas, site, min(volume, LARGEST_ML.get(site, LARGEST_OTHER_ML)))
    return with_ivh


def add_contusions(canvas: HeadCanvas) -> None:
    """Several small cortical bleedings near each other, frontal or temporal, as after a blow; some on the far side."""
    center = canvas.place("contusion")
    if center is None:
        return
    sites = [center]
    other = canvas.place("contusion")
    if other is not None and canvas.chance(0.4):  # contre-coup
        sites.append(other)
    for site in sites:
        for _ in range(int(canvas.rng.integers(2, 8))):
            near = site + canvas.rng.normal(0.0, 9.0, 3)
            add_bleeding(canvas, "contusion", canvas.log_uniform(0.01, 6.0), near)


def add_bleeding(canvas: HeadCanvas, site: str, volume_ml: float, center_kji: np.ndarray | None = None) -> bool:
    """One bleeding of about that volume with oedema and mass effect. True when it reached a ventricle."""
    shape = make_clot(canvas, site, volume_ml, center_kji)
    if shape is None:
        return False
    age_days = canvas.uniform((2.0, 16.0)) if shape.radius_mm > 5.0 and canvas.chance(0.12) else 0.0
    oedema = _add_oedema(canvas, shape.box, shape.relative, shape.radius_mm, age_days)
    blood, look = _clot(canvas, shape.box, shape.center, shape.radius_mm, shape.relative, age_days)
    canvas.paint_blood("IPH", shape.box, shape.clot, blood)
    opens = spill(canvas, shape.box, shape.spilled, blood)
    shape.swell(canvas)
    canvas.add_lesion(
        "IPH",
        shape.center,
        site=site,
        drawn_ml=round(volume_ml, 3),
        look=look,
        age_days=round(age_days, 1),
        oedema=oedema,
    )
    return opens


def _clot(
    canvas: HeadCanvas, box: Box, center: np.ndarray, radius_mm: float, relative: torch.Tensor, age_days: float
) -> tuple[torch.Tensor, str]:
    """Hounsfield units in a box, and how it looks: plain, swirl, level or fading."""
    shape = tuple(s.stop - s.start for s in box)
    blood = canvas.clot_hu(box, canvas.uniform(CLOT_HU), canvas.uniform((1.0, 4.5)))
    if age_days > 0.0:  # it fades, from the outside in, and never below the brain around it here
        faded = blood - age_days * canvas.uniform(FADING_HU_PER_DAY) - age_days * relative.clamp(0.0, 1.0) ** 3
        return faded.clamp(min=canvas.uniform((34.0, 42.0))), "fading"
    if radius_mm > 7.0 and canvas.chance(LEVEL_PROBABILITY):
        _, j, i = canvas.offsets(box, center)
        surface = j + canvas.uniform((-0.1, 0.1)) * i + canvas.uniform((-0.3, 0.3)) * radius_mm
        plasma = canvas.uniform((22.0, 42.0))
        return blood + (plasma - blood) * (0.5 - surface).clamp(0.0, 1.0), "level"
    if radius_mm > 8.0 and canvas.chance(SWIRL_PROBABILITY):  # still bleeding: darker swirls
        swirl = (canvas.noise(shape, 9.0) - 0.4).clamp(0.0, 1.0)
        return blood - swirl * canvas.uniform((8.0, 26.0)), "swirl"
    return blood, "plain"


def _add_oedema(canvas: HeadCanvas, box: Box, relative: torch.Tensor, radius_mm: float, age_days: float) -> bool:
    """A dark ring: thin at first, a centimetre after a week or two (ours)."""
    if not canvas.chance(0.8):
        return False
    width = canvas.uniform((1.0, 7.0)) * min(1.0, radius_mm / 8.0) + 0.8 + 0.35 * age_days
    fade = (1.0 - (relative - 1.0) * radius_mm / width).clamp(0.0, 1.0)
    white = canvas.is_tissue(box, Tissue.WHITE, Tissue.CEREBELLAR_WHITE).float()
    grey = canvas.is_tissue(box, Tissue.CORTEX, Tissue.DEEP, Tissue.CEREBELLUM).float()
    canvas.hu[box] -= canvas.uniform((4.0, 15.0)) * fade * (white + 0.5 * grey)
    return True
