"""Subarachnoid hemorrhage: blood mixed into the CSF of cisterns, fissures and sulci."""

from __future__ import annotations

import numpy as np

from .canvas import HeadCanvas
from .tissue import Tissue

FORMS = {"cisterns": 0.35, "sylvian": 0.2, "sulci": 0.35, "brainstem": 0.1}  # ours


def add_sah(canvas: HeadCanvas, form: str | None = None) -> None:
    """Blood in the basal cisterns and fissures, one sylvian fissure, some sulci, or round the brain stem."""
    form = form or str(canvas.rng.choice(list(FORMS), p=list(FORMS.values())))
    blood_hu = canvas.uniform((50.0, 74.0))
    if form == "cisterns":
        _fill(canvas, "cistern", canvas.rng.uniform(22.0, 42.0, 3), blood_hu)
        for _ in range(int(canvas.rng.integers(0, 3))):
            _fill(canvas, "sylvian", canvas.rng.uniform(14.0, 30.0, 3), blood_hu)
    elif form == "sylvian":
        _fill(canvas, "sylvian", canvas.rng.uniform(12.0, 28.0, 3), blood_hu)
    elif form == "brainstem":
        _fill(canvas, "cistern", canvas.rng.uniform(9.0, 18.0, 3), blood_hu)
    else:
        for _ in range(int(canvas.rng.choice([1, 2, 3]))):
            _fill(canvas, "sulcus", canvas.rng.uniform(7.0, 22.0, 3), blood_hu)
    canvas.truth["lesions"].append({"type": "SAH", "form": form})


def _fill(canvas: HeadCanvas, place: str, radii_mm: np.ndarray, blood_hu: float) -> None:
    """Fill the CSF near a drawn place with blood, patchily and diluted at the region's edge."""
    center = canvas.place(place)
    if center is None:
        return
    found = canvas.blob(center, radii_mm, rough=0.6)
    if found is None:
        return
    box, _, relative = found
    shape = tuple(relative.shape)
    region = ((1.05 - relative) * 6.0).clamp(0.0, 1.0)
    patchy = (canvas.uniform((0.8, 3.2)) + 1.8 * canvas.noise(shape, 7.0)).clamp(0.0, 1.0)
    csf = canvas.csf_share[box] * canvas.is_tissue(box, Tissue.CSF, Tissue.CORTEX, Tissue.CEREBELLUM)
    fraction = region * patchy * csf * (canvas.depth[box] > 0)
    for code, layer in canvas.blood.items():
        if code != "SAH":
            fraction = fraction * (1.0 - layer[box])
    already = canvas.blood["SAH"][box] if "SAH" in canvas.blood else 0.0
    canvas.paint_blood(
        "SAH", box, (fraction - already).clamp(min=0.0), blood_hu, float(canvas.truth["tissue_hu"]["csf"])
    )
