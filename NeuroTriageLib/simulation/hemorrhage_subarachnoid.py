"""Subarachnoid hemorrhage: blood mixed into the CSF of cisterns, fissures and sulci."""

from __future__ import annotations

import numpy as np

from .canvas import HeadCanvas
from .head_tissue import csf_hu
from .tissue import Tissue

# Shares of forms (ours): aneurysms fill cisterns and fissures, trauma and vessel disease a few sulci; about one in ten
# without trauma stays round the brain stem (van Gijn and Rinkel 2001).
FORMS = {"cisterns": 0.3, "sylvian": 0.17, "sulci": 0.27, "brainstem": 0.08, "interhemispheric": 0.08, "thin": 0.1}
BLOOD_HU = (48.0, 74.0)  # blood in CSF; 100 % blood has 56 HU at a hematocrit of 45 % (New and Aronow 1976), clot more


def add_sah(canvas: HeadCanvas, form: str | None = None) -> None:
    """Blood in basal cisterns and fissures, one sylvian fissure, sulci, round the brain stem or along the falx."""
    form = form or str(canvas.rng.choice(list(FORMS), p=np.array(list(FORMS.values())) / sum(FORMS.values())))
    blood_hu = canvas.uniform(BLOOD_HU)
    center = None
    if form == "cisterns":
        center = _fill(canvas, "cistern", canvas.rng.uniform(22.0, 42.0, 3), blood_hu)
        for _ in range(int(canvas.rng.integers(0, 4))):
            _fill(canvas, "sylvian", canvas.rng.uniform(14.0, 30.0, 3), blood_hu)
    elif form == "sylvian":
        center = _fill(canvas, "sylvian", canvas.rng.uniform(12.0, 28.0, 3), blood_hu)
    elif form == "brainstem":
        center = _fill(canvas, "cistern", canvas.rng.uniform(9.0, 18.0, 3), blood_hu)
    elif form == "interhemispheric":
        center = _fill(canvas, "falx", canvas.rng.uniform(12.0, 35.0, 3), blood_hu)
    elif form == "thin":
        center = _fill(canvas, "sulcus", canvas.rng.uniform(5.0, 14.0, 3), canvas.uniform((44.0, 60.0)), thin=True)
    else:
        for _ in range(int(canvas.rng.choice([1, 2, 3, 4]))):
            center = _fill(canvas, "sulcus", canvas.rng.uniform(7.0, 22.0, 3), blood_hu)
    canvas.add_lesion("SAH", center, form=form, hu=round(blood_hu, 1))


def _fill(
    canvas: HeadCanvas, place: str, radii_mm: np.ndarray, blood_hu: float, *, thin: bool = False
) -> np.ndarray | None:
    """Fill the CSF near a drawn place with blood, patchily and diluted at the region's edge; return the place."""
    center = canvas.place(place)
    if center is None:
        return None
    found = canvas.blob(center, radii_mm, rough=0.6)
    if found is None:
        return None
    box, _, relative = found
    shape = tuple(relative.shape)
    region = ((1.05 - relative) * 6.0).clamp(0.0, 1.0)
    dense = canvas.uniform((0.1, 0.8)) if thin else canvas.uniform((0.8, 3.2))
    patchy = (dense + (0.5 if thin else 1.8) * canvas.noise(shape, 7.0)).clamp(0.0, 1.0)
    csf = canvas.csf_share[box] * canvas.is_tissue(box, Tissue.CSF, Tissue.CORTEX, Tissue.CEREBELLUM)
    fraction = region * patchy * csf * (canvas.depth[box] > 0)
    for code, layer in canvas.blood.items():
        if code != "SAH":
            fraction = fraction * (1.0 - layer[box])
    already = canvas.blood["SAH"][box] if "SAH" in canvas.blood else 0.0
    canvas.paint_blood("SAH", box, (fraction - already).clamp(min=0.0), blood_hu, csf_hu(canvas, box))
    return center
