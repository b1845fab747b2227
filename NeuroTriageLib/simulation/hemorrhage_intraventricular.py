"""Intraventricular hemorrhage: a level in the dependent horns, a cast, one side, the middle, or a little spilled."""

from __future__ import annotations

import numpy as np
import torch

from .canvas import Box, HeadCanvas
from .tissue import Tissue

# Shares of forms (ours): blood mostly sinks to the occipital horns when the patient lies.
FORMS = {"level": 0.5, "cast": 0.18, "side": 0.18, "middle": 0.08, "trace": 0.06}
BLOOD_HU = (46.0, 78.0)
LEAST_SPILL_MM3 = 30.0


def spill(canvas: HeadCanvas, box: Box, fraction: torch.Tensor, blood_hu: torch.Tensor) -> bool:
    """Paint what a bleeding of the brain spills into a ventricle, when IVH may be drawn and it is worth it."""
    if not bool(fraction.sum() > LEAST_SPILL_MM3) or "IVH" not in canvas.truth["allowed"]:
        return False
    canvas.paint_blood("IVH", box, fraction, blood_hu)
    return True


def add_ivh(canvas: HeadCanvas, kind: str = "") -> None:
    """Blood in the ventricles, of a form or a drawn one; large casts widen them (half of them, by 1 to 5 mm; ours)."""
    kind = kind or str(canvas.rng.choice(list(FORMS), p=list(FORMS.values())))
    names = ["ventricle", "third_ventricle", "fourth_ventricle"]
    points = np.concatenate([canvas.anatomy.points[name] for name in names])
    if not len(points):
        return
    low, high = points.min(0).astype(int) - 2, points.max(0).astype(int) + 3
    box: Box = tuple(slice(max(0, int(a)), int(b)) for a, b in zip(low, high, strict=True))  # type: ignore[assignment]
    mask = canvas.is_tissue(box, Tissue.VENTRICLE).float()
    blood_hu = canvas.uniform(BLOOD_HU)
    mask = _form(canvas, box, mask, kind)
    canvas.paint_blood("IVH", box, mask, canvas.clot_hu(box, blood_hu, 2.5))
    if kind == "cast" and canvas.chance(0.5):
        canvas.ventricle_mm = max(canvas.ventricle_mm, canvas.uniform((1.0, 5.0)))
    canvas.add_lesion("IVH", points.mean(0), form=kind, hu=round(blood_hu, 1))


def _form(canvas: HeadCanvas, box: Box, mask: torch.Tensor, kind: str) -> torch.Tensor:
    """The part of the ventricles (mask, in a box) that blood fills."""
    center = canvas.anatomy.brain_center_kji
    k, j, i = canvas.offsets(box, center)
    shape = tuple(mask.shape)
    if kind in ("level", "trace"):
        lateral = canvas.anatomy.points["ventricle"]
        lateral = lateral if len(lateral) else canvas.anatomy.points["third_ventricle"]
        down = np.array([canvas.rng.normal(-0.1, 0.1), 1.0, canvas.rng.normal(0.0, 0.08)])
        part = canvas.log_uniform(0.03, 0.45) if kind == "level" else canvas.uniform((0.008, 0.03))
        level = float(np.quantile((lateral - center) @ down, 1.0 - part))
        surface = k * float(down[0]) + j + i * float(down[2]) + canvas.uniform((0.0, 1.5)) * canvas.noise(shape, 8.0)
        return mask * (0.5 + surface - level).clamp(0.0, 1.0)
    if kind in ("side", "cast"):
        if kind == "side":
            mask = mask * (canvas.field("side")[box] == int(canvas.rng.choice([-1, 1]))).float()
        patchy = canvas.noise(shape, 10.0) + canvas.uniform((-0.3, 1.6))
        return mask * (0.5 + 3.0 * patchy).clamp(0.0, 1.0)
    middle = np.concatenate([canvas.anatomy.points["third_ventricle"], canvas.anatomy.points["fourth_ventricle"]])
    reach = middle.max(0) + 2 if len(middle) else center
    return mask * (k <= float(reach[0] - center[0])) * (i.abs() < 8.0)
