"""What looks like blood and is none: calcifications, thick dura, dense sinuses and vessels."""

from __future__ import annotations

import numpy as np

from .canvas import HeadCanvas, voxels_of
from .head_tissue import paint_sheet
from .settings import HeadCtSettings
from .tissue import Tissue

# Chance of each kind relative to mimic_probability: choroid plexus and pineal calcify in most adults, the others are
# rarer (ours).
KINDS = {
    "choroid": 1.5,
    "pineal": 1.3,
    "basal ganglia": 0.35,
    "falx": 0.5,
    "tentorium": 0.25,
    "sinus": 0.6,
    "artery": 0.4,
    "cortex": 0.25,
    "vessel wall": 0.4,
}


def add_mimics(canvas: HeadCanvas, settings: HeadCtSettings) -> None:
    """Draw each kind; the names of those that were painted go into canvas.truth["mimics"]."""
    painters = {
        "choroid": _choroid,
        "pineal": _pineal,
        "basal ganglia": _basal_ganglia,
        "falx": lambda c: _dura(c, "falx"),
        "tentorium": lambda c: _dura(c, "tentorium"),
        "sinus": lambda c: _dense_vessels(c, Tissue.SINUS, (58.0, 76.0)),
        "artery": lambda c: _dense_vessels(c, Tissue.ARTERY, (50.0, 68.0)),
        "cortex": _cortex,
        "vessel wall": _vessel_wall,
    }
    for kind, factor in KINDS.items():
        if canvas.chance(settings.mimic_probability * factor):
            painters[kind](canvas)
            canvas.truth["mimics"].append(kind)


def _calcify(canvas: HeadCanvas, center: np.ndarray, radii_mm: np.ndarray, hu: float) -> None:
    found = canvas.blob(center, radii_mm, rough=0.5)
    if found is not None:
        box, fraction, _ = found
        canvas.paint(box, fraction * (canvas.depth[box] > 0), hu)


def _choroid(canvas: HeadCanvas) -> None:
    both = canvas.chance(0.8)
    size, hu = canvas.uniform((1.2, 4.5)), canvas.log_uniform(70.0, 400.0)
    atria = canvas.anatomy.points["atrium"].astype(np.float64)
    for center in atria if both else atria[:1]:
        for _ in range(int(canvas.rng.integers(1, 4))):
            near = center + canvas.rng.normal(0.0, 2.0, 3) * (1.0, 1.5, 1.0)
            _calcify(canvas, near, size * canvas.rng.uniform(0.5, 1.3, 3), hu * canvas.uniform((0.7, 1.3)))


def _pineal(canvas: HeadCanvas) -> None:
    center = canvas.place("pineal")
    if center is not None:
        _calcify(canvas, center, canvas.rng.uniform(0.9, 3.2, 3), canvas.log_uniform(70.0, 400.0))


def _basal_ganglia(canvas: HeadCanvas) -> None:
    """Symmetric specks in pallidum or, rarely, all deep nuclei."""
    hu = canvas.log_uniform(55.0, 250.0)
    points = canvas.anatomy.points["pallidum"].astype(np.float64)
    middle = canvas.anatomy.brain_center_kji[2]
    for side in (points[points[:, 2] > middle], points[points[:, 2] <= middle]):
        if len(side):
            center = np.median(side, axis=0)
            for _ in range(int(canvas.rng.integers(1, 4))):
                _calcify(canvas, center + canvas.rng.normal(0.0, 2.5, 3), canvas.rng.uniform(0.8, 3.0, 3), hu)


def _dura(canvas: HeadCanvas, name: str) -> None:
    """A thick dense falx or tentorium, with plaques of calcium or bone in the falx."""
    paint_sheet(canvas, name, canvas.uniform((55.0, 85.0)), canvas.log_uniform(0.45, 1.5), 15.0)
    for _ in range(int(canvas.rng.integers(0, 4)) if name == "falx" else 0):
        center = canvas.place("falx")
        if center is not None:
            radii = np.array([canvas.uniform((1.0, 6.0)), canvas.uniform((1.0, 8.0)), canvas.uniform((0.7, 1.6))])
            _calcify_upright(canvas, center, radii, canvas.log_uniform(90.0, 700.0))


def _calcify_upright(canvas: HeadCanvas, center: np.ndarray, radii_mm: np.ndarray, hu: float) -> None:
    """A plaque that lies in the midline plane."""
    box = canvas.box(center, float(radii_mm.max()) + 2)
    if box is None:
        return
    k, j, i = canvas.offsets(box, center)
    relative = ((k / radii_mm[0]) ** 2 + (j / radii_mm[1]) ** 2 + (i / radii_mm[2]) ** 2).sqrt()
    canvas.paint(box, (0.5 + (1.0 - relative) * radii_mm.min()).clamp(0, 1) * (canvas.depth[box] > 0), hu)


def _dense_vessels(canvas: HeadCanvas, tissue: Tissue, hu: tuple[float, float]) -> None:
    """High hematocrit or slow flow: sinuses or arteries as dense as fresh blood."""
    at = voxels_of((canvas.tissue == tissue) & (canvas.depth > 0))
    canvas.hu[at] = canvas.uniform(hu) + 1.5 * canvas.noise_at(at, 8.0)


def _cortex(canvas: HeadCanvas) -> None:
    for _ in range(int(canvas.rng.integers(1, 4))):
        center = canvas.place("surface")
        if center is not None:
            _calcify(canvas, center, canvas.rng.uniform(0.8, 2.2, 3), canvas.log_uniform(90.0, 500.0))


def _vessel_wall(canvas: HeadCanvas) -> None:
    """Calcified carotid siphon or vertebral artery: specks in the cisterns."""
    for _ in range(int(canvas.rng.integers(1, 4))):
        center = canvas.place("cistern")
        if center is not None:
            _calcify(canvas, center, canvas.rng.uniform(0.7, 1.6, 3), canvas.log_uniform(90.0, 500.0))
