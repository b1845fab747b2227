"""Intraventricular hemorrhage: a level in the dependent horns, a cast, one side, the middle, or a little spilled."""

from __future__ import annotations

import torch

from .bleeding_shapes import draw_ventricular_form, ventricles_box, ventricular_form, ventricular_points
from .canvas import HeadCanvas
from .head_grid import Box
from .tissue import Tissue

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
    kind = kind or draw_ventricular_form(canvas)
    box = ventricles_box(canvas)
    if box is None:
        return
    mask = canvas.is_tissue(box, Tissue.VENTRICLE).float()
    blood_hu = canvas.uniform(BLOOD_HU)
    mask = ventricular_form(canvas, box, mask, kind)
    canvas.paint_blood("IVH", box, mask, canvas.clot_hu(box, blood_hu, 2.5))
    if kind == "cast" and canvas.chance(0.5):
        canvas.ventricle_mm = max(canvas.ventricle_mm, canvas.uniform((1.0, 5.0)))
    canvas.add_lesion("IVH", ventricular_points(canvas).mean(0), form=kind, hu=round(blood_hu, 1))
