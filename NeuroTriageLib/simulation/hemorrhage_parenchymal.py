"""Intraparenchymal and intraventricular hemorrhage."""

from __future__ import annotations

import numpy as np
import torch

from .canvas import Box, HeadCanvas, Swelling
from .tissue import BRAIN_TISSUES, Tissue

# Share of sites of intraparenchymal hemorrhage: deep 0.5, lobar 0.35, cerebellum 0.1, brain stem 0.05 (the usual
# epidemiology of spontaneous bleeding, rounded), contusions come with trauma.
SITES = {"putamen": 0.28, "thalamus": 0.17, "caudate": 0.05, "lobar": 0.35, "cerebellum": 0.1, "brainstem": 0.05}
LARGEST_ML = {"brainstem": 6.0, "cerebellum": 25.0, "thalamus": 30.0, "caudate": 15.0, "contusion": 20.0}


def add_iph(canvas: HeadCanvas) -> bool:
    """One to three bleedings in the brain; a large deep one may break into the ventricles.

    True when IVH came with it.
    """
    with_ivh = False
    count = int(canvas.rng.choice([1, 2, 3], p=[0.78, 0.15, 0.07]))
    for _ in range(count):
        site = str(canvas.rng.choice(list(SITES), p=list(SITES.values())))
        # Half of them span punctate to 2 mL, half 2 to 60 mL.
        volume = canvas.log_uniform(0.004, 2.0) if canvas.chance(0.4) else canvas.log_uniform(1.5, 60.0)
        with_ivh |= add_bleeding(canvas, site, min(volume, LARGEST_ML.get(site, 60.0)))
    return with_ivh


def add_contusions(canvas: HeadCanvas) -> None:
    """Several small cortical bleedings near each other, frontal or temporal, as after a blow."""
    center = canvas.place("contusion")
    if center is None:
        return
    for _ in range(int(canvas.rng.integers(2, 7))):
        near = center + canvas.rng.normal(0.0, 9.0, 3)
        add_bleeding(canvas, "contusion", canvas.log_uniform(0.02, 6.0), near)


def add_bleeding(canvas: HeadCanvas, site: str, volume_ml: float, center_kji: np.ndarray | None = None) -> bool:
    """One bleeding of about that volume with oedema and mass effect. True when it reached a ventricle."""
    center = canvas.place(site) if center_kji is None else center_kji
    if center is None:
        return False
    radius = (volume_ml * 1000.0 * 3.0 / (4.0 * np.pi)) ** (1.0 / 3.0)
    swollen = radius > 6.0 and site != "contusion"
    grown = canvas.uniform((1.05, 1.3)) if swollen else 1.0
    stretch = np.exp(canvas.rng.normal(0.0, 0.22, 3))
    radii = radius / grown * stretch / stretch.prod() ** (1.0 / 3.0)
    found = canvas.blob(center, radii, rough=canvas.uniform((0.1, 0.55)) if radius > 2.5 else 0.1)
    if found is None:
        return False
    box, fraction, relative = found
    brain = canvas.is_tissue(box, *BRAIN_TISSUES, Tissue.CSF) & (canvas.depth_mm(box) > 1.0)
    ventricle = canvas.is_tissue(box, Tissue.VENTRICLE)
    # A ventricle deep inside the clot cannot be told from it; what reaches in from the side is ventricular blood.
    clot = (brain | ventricle & (relative < 0.6)).float()
    spilled = fraction * (ventricle & (relative >= 0.6))
    _add_oedema(canvas, box, relative, radius)
    blood = _clot(canvas, box, radius)
    canvas.paint_blood("IPH", box, fraction * clot, blood)
    opens = bool(spilled.sum() > 30) and "IVH" in canvas.truth["allowed"]
    if opens:
        canvas.paint_blood("IVH", box, spilled, blood)
    if swollen:
        canvas.swellings.append(Swelling(center, radius / grown, radius))
    canvas.truth["lesions"].append({"type": "IPH", "site": site, "drawn_ml": round(volume_ml, 3)})
    return opens


def _clot(canvas: HeadCanvas, box: Box, radius_mm: float) -> torch.Tensor:
    shape = tuple(s.stop - s.start for s in box)
    blood = canvas.clot_hu(box, canvas.uniform((52.0, 82.0)), canvas.uniform((1.0, 4.0)))
    if radius_mm > 8.0 and canvas.chance(0.25):  # still bleeding: darker swirls
        swirl = (canvas.noise(shape, 9.0) - 0.4).clamp(0.0, 1.0)
        blood = blood - swirl * canvas.uniform((8.0, 22.0))
    return blood


def _add_oedema(canvas: HeadCanvas, box: Box, relative: torch.Tensor, radius_mm: float) -> None:
    if not canvas.chance(0.8):
        return
    width = canvas.uniform((1.0, 7.0)) * min(1.0, radius_mm / 8.0) + 0.8
    fade = (1.0 - (relative - 1.0) * radius_mm / width).clamp(0.0, 1.0)
    white = canvas.is_tissue(box, Tissue.WHITE, Tissue.CEREBELLAR_WHITE).float()
    grey = canvas.is_tissue(box, Tissue.CORTEX, Tissue.DEEP, Tissue.CEREBELLUM).float()
    canvas.hu[box] -= canvas.uniform((4.0, 13.0)) * fade * (white + 0.5 * grey)


def add_ivh(canvas: HeadCanvas, kind: str = "") -> None:
    """Blood in the ventricles: a level in the dependent horns, a cast of one or all, or the third and fourth."""
    kind = kind or str(canvas.rng.choice(["level", "cast", "side", "middle"], p=[0.55, 0.15, 0.2, 0.1]))
    names = ["ventricle", "third_ventricle", "fourth_ventricle"]
    points = np.concatenate([canvas.anatomy.points[name] for name in names])
    if not len(points):
        return
    low, high = points.min(0).astype(int) - 2, points.max(0).astype(int) + 3
    box: Box = tuple(slice(max(0, int(a)), int(b)) for a, b in zip(low, high, strict=True))  # type: ignore[assignment]
    mask = canvas.is_tissue(box, Tissue.VENTRICLE).float()
    shape = tuple(mask.shape)
    center = canvas.anatomy.brain_center_kji
    k, j, i = canvas.offsets(box, center)
    if kind == "level":
        lateral = canvas.anatomy.points["ventricle"] if len(canvas.anatomy.points["ventricle"]) else points
        down = np.array([canvas.rng.normal(-0.1, 0.1), 1.0, canvas.rng.normal(0.0, 0.08)])
        heights = (lateral - center) @ down
        level = float(np.quantile(heights, 1.0 - canvas.log_uniform(0.03, 0.45)))
        surface = k * float(down[0]) + j + i * float(down[2]) + canvas.uniform((0.0, 1.5)) * canvas.noise(shape, 8.0)
        mask = mask * (0.5 + surface - level).clamp(0.0, 1.0)
    elif kind in ("side", "cast"):
        if kind == "side":
            mask = mask * (canvas.field("side")[box] == int(canvas.rng.choice([-1, 1]))).float()
        patchy = canvas.noise(shape, 10.0) + canvas.uniform((-0.3, 1.6))
        mask = mask * (0.5 + 3.0 * patchy).clamp(0.0, 1.0)
    else:
        middle = np.concatenate([canvas.anatomy.points["third_ventricle"], canvas.anatomy.points["fourth_ventricle"]])
        reach = middle.max(0) + 2 if len(middle) else center
        mask = mask * (k <= float(reach[0] - center[0])) * (i.abs() < 8.0)
    blood = canvas.clot_hu(box, canvas.uniform((48.0, 78.0)), 2.5)
    canvas.paint_blood("IVH", box, mask, blood)
    canvas.truth["lesions"].append({"type": "IVH", "form": kind})
