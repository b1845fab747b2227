"""Tumours and abscesses with their oedema: how they look, how they enhance, how they press."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from ..dural_masses import dural_ball
from ..head_grid import Box, Swelling
from ..setting_ranges import Range
from ..tissue import WHITE_TISSUES, Tissue
from .canvas import PRESSING, MrCanvas
from .infarcts import fraction_of_sulci
from .lesion_materials import ABSCESS_WALL, CAVITY, CYST_FLUID, PUS, TUMOURS, VASOGENIC_OEDEMA

# Shares (ours; in life meningiomas lead, then gliomas and metastases).
KINDS = {
    "meningioma": 0.28,
    "metastasis": 0.27,
    "glioma, high grade": 0.22,
    "glioma, low grade": 0.15,
    "lymphoma": 0.08,
}

METASTASIS_MM: Range = (2.5, 16.0)  # radius (ours)


def add_tumour(canvas: MrCanvas, tumour_mm: Range) -> None:
    """One tumour with a radius in this range, or several metastases; noted under "changes"."""
    kind = str(canvas.rng.choice(list(KINDS), p=list(KINDS.values())))
    if kind == "meningioma":
        _add_meningioma(canvas)
        return
    count = int(canvas.rng.choice([1, 2, 3, 5], p=[0.5, 0.2, 0.2, 0.1])) if kind == "metastasis" else 1
    for _ in range(count):
        place = str(canvas.rng.choice(["surface", "lobar", "cerebellum"])) if kind == "metastasis" else "lobar"
        radius_mm = METASTASIS_MM if kind == "metastasis" else tumour_mm
        _add_mass(canvas, kind, place, canvas.log_uniform(*radius_mm))


def _add_mass(canvas: MrCanvas, kind: str, place: str, radius_mm: float) -> None:
    center = canvas.place(place)
    if center is None:
        return
    if kind != "glioma, low grade" and canvas.chance(0.85):
        add_oedema(canvas, center, min(canvas.uniform((1.3, 2.4)) * radius_mm + 4.0, 42.0))
    rough = 0.6 if kind.startswith("glioma") else 0.3
    found = canvas.blob(center, radius_mm * canvas.rng.uniform(0.75, 1.25, 3), rough=rough)
    if found is None:
        return
    box, fraction, relative = found
    inside = fraction * (canvas.is_brain(box) | canvas.is_tissue(box, Tissue.CSF)) * (canvas.depth[box] > 0)
    solid = canvas.material(TUMOURS[kind])
    volume = canvas.paint(box, inside, solid)
    ring = kind in ("metastasis", "glioma, high grade") and radius_mm > 5.0 and canvas.chance(0.6)
    if ring:  # dead inside: fluid, no uptake
        hollow = inside * ((canvas.uniform((0.55, 0.8)) + 0.15 * canvas.noise_in(box, 6.0) - relative) * 5.0).clamp(
            0.0, 1.0
        )
        canvas.overpaint(box, hollow, canvas.material(CYST_FLUID))
    if kind == "glioma, high grade" and canvas.chance(0.4):  # old blood in it, seen in T2* only (no acute hemorrhage)
        specks = inside * (canvas.noise_in(box, 4.0) - 1.2).clamp(0.0, 0.8)
        canvas.bloom(box, specks, canvas.uniform((20.0, 60.0)))
    uneven = inside * (0.5 * canvas.noise_in(box, 5.0)).clamp(0.0, 0.8)
    canvas.overpaint(box, uneven, canvas.material(TUMOURS[kind]))
    _press(canvas, center, radius_mm, box, inside)
    canvas.note("changes", kind, center, volume)


def add_oedema(canvas: MrCanvas, center: np.ndarray, radius_mm: float) -> None:
    """Water in the white matter, in fingers that spare the cortex; it presses a little."""
    found = canvas.blob(center, radius_mm * canvas.rng.uniform(0.7, 1.2, 3), rough=0.6)
    if found is None:
        return
    box, _, relative = found
    white = canvas.is_tissue(box, *WHITE_TISSUES)
    share = ((1.0 - relative) * 4.0).clamp(0.0, 1.0) * (0.9 * white + 0.12 * canvas.is_brain(box) * ~white)
    canvas.paint(box, share * canvas.uniform((0.6, 1.0)), canvas.material(VASOGENIC_OEDEMA))
    canvas.mark(PRESSING, box, share)
    canvas.swellings.append(Swelling(center, radius_mm / canvas.uniform((1.03, 1.18)), radius_mm))


def _press(canvas: MrCanvas, center: np.ndarray, radius_mm: float, box: Box, inside: torch.Tensor) -> None:
    """Mark the mass, and press the brain round it: the larger, the more."""
    canvas.mark("mass", box, inside)
    canvas.mark(PRESSING, box, inside)
    if radius_mm < 6.0:
        return
    # As a clot makes its room: at most two thirds of its volume by pushing, and no more than 10 mm (ours).
    grown = min(canvas.uniform((1.05, 1.45)), radius_mm / max(radius_mm - 10.0, 1.0))
    canvas.swellings.append(Swelling(center, radius_mm / grown, radius_mm))
    if radius_mm > 14.0:
        canvas.overpaint(box, 0.7 * fraction_of_sulci(canvas, box, inside), int(Tissue.CORTEX))


def _add_meningioma(canvas: MrCanvas) -> None:
    """A ball on the dura that enhances evenly, with a dural tail of its own uptake."""
    found = dural_ball(canvas, partial(add_oedema, canvas))
    if found is None:
        return
    box, fraction, middle, radius = found
    inside = fraction * (canvas.depth[box] > 0)
    volume = canvas.paint(box, inside, canvas.material(TUMOURS["meningioma"]))
    _press(canvas, middle, radius, box, inside)
    canvas.note("changes", "meningioma", middle, volume)


def add_abscess(canvas: MrCanvas) -> None:
    """Pus with restricted diffusion in an enhancing wall: dark on ADC, but no infarct."""
    center = canvas.place("lobar")
    if center is None:
        return
    radius = canvas.uniform((5.0, 16.0))
    add_oedema(canvas, center, min(2.0 * radius + 4.0, 40.0))
    found = canvas.blob(center, radius * canvas.rng.uniform(0.8, 1.2, 3), rough=0.15)
    if found is None:
        return
    box, fraction, relative = found
    inside = fraction * canvas.is_brain(box)
    volume = canvas.paint(box, inside, canvas.material(ABSCESS_WALL))
    core = inside * ((0.78 - relative) * 6.0).clamp(0.0, 1.0)
    canvas.overpaint(box, core, canvas.material(PUS if canvas.chance(0.85) else CAVITY))
    _press(canvas, center, radius, box, inside)
    canvas.note("changes", "abscess", center, volume)
