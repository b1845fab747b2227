"""What looks like blood and is none: calcifications, thick dura, dense sinuses and vessels, contrast medium."""

from __future__ import annotations

import numpy as np

from .canvas import HeadCanvas
from .head_grid import voxels_of
from .head_tissue import paint_sheet
from .settings import HeadCtSettings
from .surgery import add_metal, add_surgery
from .tissue import BRAIN_TISSUES, Tissue
from .tumours import add_tumour

# Chance of each kind relative to mimic_probability (0.4 by default). On CT of 1,569 people of 15 to 85 years (Daghighi
# 2007) the pineal was calcified in 71 %, the choroid plexus in 66 %, the habenula in 20 %, falx, tentorium or sinus in
# 7 %, vessels in 7 %, basal ganglia in 0.8 %. The rare kinds are drawn more often than that, to be learned; the dense
# sinuses, arteries and cortex are ours.
KINDS = {
    "choroid": 1.6,
    "pineal": 1.7,
    "habenula": 0.5,
    "basal ganglia": 0.3,
    "falx": 0.4,
    "tentorium": 0.25,
    "sinus": 0.6,
    "artery": 0.4,
    "cortex": 0.25,
    "vessel wall": 0.4,
}
DENSE_SINUS_HU = (56.0, 78.0)  # over 65 when clotted (Besachio 2013); it grows with hematocrit (Lee 2012)
DENSE_ARTERY_HU = (46.0, 68.0)  # a dense middle cerebral artery has over 43 HU (Koo 2000)


def add_mimics(canvas: HeadCanvas, settings: HeadCtSettings) -> None:
    """Draw each kind; what was painted is noted under "mimics"."""
    painters = {
        "choroid": _choroid,
        "pineal": _pineal,
        "habenula": _habenula,
        "basal ganglia": _basal_ganglia,
        "falx": lambda c: _dura(c, "falx"),
        "tentorium": lambda c: _dura(c, "tentorium"),
        "sinus": lambda c: _dense_vessels(c, Tissue.SINUS, DENSE_SINUS_HU, "sinus"),
        "artery": lambda c: _dense_vessels(c, Tissue.ARTERY, DENSE_ARTERY_HU, "artery"),
        "cortex": _cortex,
        "vessel wall": _vessel_wall,
    }
    for kind, factor in KINDS.items():
        if canvas.chance(settings.mimic_probability * factor):
            painters[kind](canvas)
    for probability, painter in (
        (settings.tumour_probability, add_tumour),
        (settings.contrast_probability, _add_contrast),
        (settings.surgery_probability, add_surgery),
        (settings.metal_probability, add_metal),
    ):
        if canvas.chance(probability):
            painter(canvas)


def _calcify(canvas: HeadCanvas, kind: str, center: np.ndarray, radii_mm: np.ndarray, hu: float) -> None:
    found = canvas.blob(center, radii_mm, rough=0.5)
    if found is not None:
        box, fraction, _ = found
        canvas.note("mimics", kind, center, canvas.paint(box, fraction * (canvas.depth[box] > 0), hu))


def _choroid(canvas: HeadCanvas) -> None:
    both = canvas.chance(0.8)
    size, hu = canvas.uniform((1.2, 4.5)), canvas.log_uniform(70.0, 400.0)
    atria = canvas.anatomy.points["atrium"].astype(np.float64)
    for center in atria if both else atria[:1]:
        for _ in range(int(canvas.rng.integers(1, 4))):
            near = center + canvas.rng.normal(0.0, 2.0, 3) * (1.0, 1.5, 1.0)
            _calcify(canvas, "choroid", near, size * canvas.rng.uniform(0.5, 1.3, 3), hu * canvas.uniform((0.7, 1.3)))


def _pineal(canvas: HeadCanvas) -> None:
    center = canvas.place("pineal")
    if center is not None:
        _calcify(canvas, "pineal", center, canvas.rng.uniform(0.9, 3.2, 3), canvas.log_uniform(70.0, 400.0))


def _habenula(canvas: HeadCanvas) -> None:
    """A speck a few millimetres before the pineal."""
    center = canvas.place("pineal")
    if center is not None:
        place = center + np.array([1.0, -4.5, canvas.rng.normal(0.0, 0.7)])
        _calcify(canvas, "habenula", place, canvas.rng.uniform(0.7, 1.6, 3), canvas.log_uniform(60.0, 250.0))


def _basal_ganglia(canvas: HeadCanvas) -> None:
    """Symmetric specks in pallidum; in one of five (Fahr's disease) also putamen, thalamus and caudate."""
    hu = canvas.log_uniform(50.0, 250.0)
    names = ["pallidum", "putamen", "thalamus", "caudate"] if canvas.chance(0.2) else ["pallidum"]
    middle = canvas.anatomy.brain_center_kji[2]
    for name in names:
        points = canvas.anatomy.points[name].astype(np.float64)
        for side in (points[points[:, 2] > middle], points[points[:, 2] <= middle]):
            if not len(side):
                continue
            center = np.median(side, axis=0)
            for _ in range(int(canvas.rng.integers(1, 4))):
                near = center + canvas.rng.normal(0.0, 2.5, 3)
                _calcify(canvas, "basal ganglia", near, canvas.rng.uniform(0.8, 3.5, 3), hu)


def _dura(canvas: HeadCanvas, name: str) -> None:
    """A thick dense falx or tentorium, with plaques of calcium or bone in the falx."""
    value, half = canvas.uniform((55.0, 85.0)), canvas.log_uniform(0.6, 1.2)
    canvas.note("mimics", name, None, paint_sheet(canvas, name, value, half, 15.0))
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
    fraction = (0.5 + (1.0 - relative) * radii_mm.min()).clamp(0, 1) * (canvas.depth[box] > 0)
    canvas.note("mimics", "falx plaque", center, canvas.paint(box, fraction, hu))


def _dense_vessels(canvas: HeadCanvas, tissue: Tissue, hu: tuple[float, float], kind: str) -> None:
    """High hematocrit, slow flow or a clot: sinuses or arteries as dense as fresh blood, everywhere or over a part."""
    at = voxels_of((canvas.tissue == tissue) & (canvas.depth > 0))
    if not len(at[0]):
        return
    value = canvas.uniform(hu) + 1.5 * canvas.noise_at(at, 8.0)
    share = (canvas.noise_at(at, 30.0) * 4.0).clamp(0.0, 1.0) if canvas.chance(0.3) else 1.0
    change = share * (value - canvas.hu[at])
    canvas.hu[at] += change
    canvas.note("mimics", f"dense {kind}", None, float((change > 5.0).sum()))


def _cortex(canvas: HeadCanvas) -> None:
    for _ in range(int(canvas.rng.integers(1, 4))):
        center = canvas.place("surface")
        if center is not None:
            radii = canvas.rng.uniform(0.8, 2.2, 3)
            _calcify(canvas, "cortical calcium", center, radii, canvas.log_uniform(90.0, 500.0))


def _vessel_wall(canvas: HeadCanvas) -> None:
    """Calcified carotid siphon or vertebral artery: specks in the cisterns."""
    for _ in range(int(canvas.rng.integers(1, 4))):
        center = canvas.place("cistern")
        if center is not None:
            radii = canvas.rng.uniform(0.7, 1.6, 3)
            _calcify(canvas, "vessel wall", center, radii, canvas.log_uniform(90.0, 500.0))


def _add_contrast(canvas: HeadCanvas) -> None:
    """Contrast medium given before: bright vessels, dura and plexus, a brain 1 to 4 HU denser (ours)."""
    strength = canvas.uniform((0.3, 1.0))
    for tissue, most in ((Tissue.SINUS, 110.0), (Tissue.ARTERY, 130.0)):
        at = voxels_of((canvas.tissue == tissue) & (canvas.depth > 0))
        canvas.hu[at] += strength * most
    for name in ("falx", "tentorium"):
        paint_sheet(canvas, name, 60.0 + 60.0 * strength, canvas.uniform((0.4, 0.9)), 20.0)
    table = canvas.hu.new_zeros(256)
    table[[int(t) for t in BRAIN_TISSUES]] = canvas.uniform((1.0, 4.0)) * strength
    canvas.hu += table[canvas.tissue.long()]
    for center in canvas.anatomy.points["atrium"].astype(np.float64):
        _calcify(canvas, "contrast medium", center, canvas.rng.uniform(2.0, 4.5, 3), 40.0 + 60.0 * strength)
    canvas.note("mimics", "contrast medium", None, 1000.0)
