"""Subarachnoid hemorrhage: blood mixed into the CSF of cisterns, fissures and sulci."""

from __future__ import annotations

import numpy as np

from .bleeding_shapes import csf_places, draw_subarachnoid_form, make_csf_patch
from .canvas import HeadCanvas
from .head_tissue import csf_hu

BLOOD_HU = (48.0, 74.0)  # blood in CSF; 100 % blood has 56 HU at a hematocrit of 45 % (New and Aronow 1976), clot more


def add_sah(canvas: HeadCanvas, form: str | None = None) -> None:
    """Blood in basal cisterns and fissures, one sylvian fissure, sulci, round the brain stem or along the falx."""
    form = form or draw_subarachnoid_form(canvas)
    blood_hu = canvas.uniform(BLOOD_HU)
    center = None
    for place, low_mm, high_mm in csf_places(canvas, form):
        thin = form == "thin"
        radii = canvas.rng.uniform(low_mm, high_mm, 3)
        found = _fill(canvas, place, radii, canvas.uniform((44.0, 60.0)) if thin else blood_hu, thin=thin)
        if center is None or form == "sulci":
            center = found
    canvas.add_lesion("SAH", center, form=form, hu=round(blood_hu, 1))


def _fill(
    canvas: HeadCanvas, place: str, radii_mm: np.ndarray, blood_hu: float, *, thin: bool = False
) -> np.ndarray | None:
    """Fill the CSF near a drawn place with blood; return the place."""
    patch = make_csf_patch(canvas, place, radii_mm, thin=thin)
    if patch is None:
        return None
    center, box, fraction = patch
    for code, layer in canvas.blood.items():
        if code != "SAH":
            fraction = fraction * (1.0 - layer[box])
    already = canvas.blood["SAH"][box] if "SAH" in canvas.blood else 0.0
    canvas.paint_blood("SAH", box, (fraction - already).clamp(min=0.0), blood_hu, csf_hu(canvas, box))
    return center
