"""Tumours and cysts: meningioma, metastases, lymphoma, glioma, colloid cyst, arachnoid cyst; none of them bleeds."""

from __future__ import annotations

from functools import partial

import numpy as np

from .brain_changes import add_vasogenic_oedema
from .canvas import HeadCanvas
from .dural_masses import dural_ball
from .head_grid import Swelling
from .tissue import BRAIN_TISSUES, Tissue

# Shares (ours); the dense kinds, which are taken for blood, come more often than in life.
KINDS = {
    "meningioma": 0.3,
    "metastases": 0.22,
    "lymphoma": 0.12,
    "glioma": 0.16,
    "colloid cyst": 0.08,
    "arachnoid cyst": 0.12,
}


def add_tumour(canvas: HeadCanvas) -> None:
    """One tumour (or several metastases) with its oedema and mass effect; noted under "mimics"."""
    kind = str(canvas.rng.choice(list(KINDS), p=list(KINDS.values())))
    if kind == "meningioma":
        _meningioma(canvas)
    elif kind == "metastases":
        for _ in range(int(canvas.rng.integers(1, 6))):
            place = str(canvas.rng.choice(["surface", "lobar", "cerebellum"]))
            _mass(canvas, kind, place, canvas.log_uniform(2.5, 16.0), canvas.uniform((34.0, 58.0)), 2.2)
    elif kind == "lymphoma":
        _mass(canvas, kind, "lobar", canvas.uniform((7.0, 20.0)), canvas.uniform((44.0, 60.0)), 1.6)
    elif kind == "glioma":
        _glioma(canvas)
    elif kind == "colloid cyst":
        _colloid_cyst(canvas)
    else:
        _arachnoid_cyst(canvas)


def _mass(canvas: HeadCanvas, kind: str, place: str, radius_mm: float, hu: float, oedema: float) -> np.ndarray | None:
    """A solid mass in the brain inside its oedema (that many radii wide); its centre."""
    center = canvas.place(place)
    if center is None:
        return None
    if canvas.chance(0.8):
        add_vasogenic_oedema(canvas, center, min(oedema * radius_mm + 4.0, 42.0))
    found = canvas.blob(center, radius_mm * canvas.rng.uniform(0.75, 1.2, 3), rough=0.35)
    if found is None:
        return None
    box, fraction, relative = found
    value = canvas.clot_hu(box, hu, 2.0)
    if radius_mm > 8.0 and canvas.chance(0.4):  # dead and fluid inside
        value = value - canvas.uniform((8.0, 25.0)) * ((0.65 - relative) * 5.0).clamp(0.0, 1.0)
    brain = canvas.is_tissue(box, *BRAIN_TISSUES, Tissue.CSF)
    canvas.note("mimics", kind, center, canvas.paint(box, fraction * brain, value))
    return center


def _glioma(canvas: HeadCanvas) -> None:
    """Dark and ill-defined, sometimes with a denser rim or calcium."""
    radius = canvas.uniform((9.0, 26.0))
    center = _mass(canvas, "glioma", "lobar", radius, canvas.uniform((16.0, 32.0)), 1.4)
    if center is None or not canvas.chance(0.5):
        return
    found = canvas.blob(center, np.full(3, radius), rough=0.4)
    if found is not None:
        box, _, relative = found
        rim = (1.0 - (relative - 0.95).abs() * 8.0).clamp(0.0, 1.0) * canvas.is_tissue(box, *BRAIN_TISSUES)
        canvas.note("mimics", "glioma", center, canvas.paint(box, rim, canvas.uniform((36.0, 50.0))))


def _meningioma(canvas: HeadCanvas) -> None:
    """A ball on the dura, three in four denser than brain, one in five calcified (usual textbook shares)."""
    found = dural_ball(canvas, partial(add_vasogenic_oedema, canvas))
    if found is None:
        return
    box, fraction, middle, radius = found
    hu = canvas.uniform((42.0, 64.0)) if canvas.chance(0.75) else canvas.uniform((34.0, 42.0))
    value = canvas.clot_hu(box, hu, 1.5)
    if canvas.chance(0.2):
        shape = tuple(fraction.shape)
        value = value + canvas.log_uniform(60.0, 400.0) * (canvas.noise(shape, 4.0) - 0.5).clamp(0.0, 1.0)
    canvas.note("mimics", "meningioma", middle, canvas.paint(box, fraction * (canvas.depth[box] > 0), value))
    canvas.swellings.append(Swelling(middle, radius / canvas.uniform((1.02, 1.2)), radius))


def _colloid_cyst(canvas: HeadCanvas) -> None:
    """A round dense cyst at the front of the third ventricle; large ones block the ventricles."""
    points = canvas.anatomy.points["third_ventricle"].astype(np.float64)
    if not len(points):
        return
    front = points[points[:, 1] <= np.quantile(points[:, 1], 0.2)]
    center = np.array([np.quantile(front[:, 0], 0.8), *front[:, 1:].mean(0)])
    radius = canvas.uniform((2.5, 8.0))
    found = canvas.blob(center, radius * canvas.rng.uniform(0.9, 1.1, 3), rough=0.05)
    if found is None:
        return
    box, fraction, _ = found
    canvas.note("mimics", "colloid cyst", center, canvas.paint(box, fraction, canvas.uniform((42.0, 75.0))))
    if radius > 5.0:
        canvas.ventricle_mm = max(canvas.ventricle_mm, canvas.uniform((1.0, 6.0)))


def _arachnoid_cyst(canvas: HeadCanvas) -> None:
    """CSF where brain was: before the temporal pole, over the convexity or behind the cerebellum."""
    center = canvas.place(str(canvas.rng.choice(["contusion", "surface", "cistern"])))
    if center is None:
        return
    found = canvas.blob(center, canvas.rng.uniform(8.0, 24.0, 3), rough=0.15)
    if found is None:
        return
    box, fraction, _ = found
    share = fraction * (canvas.depth_mm(box) > 0.8)
    canvas.note("changes", "arachnoid cyst", center, canvas.paint(box, share, canvas.uniform((2.0, 12.0))))
