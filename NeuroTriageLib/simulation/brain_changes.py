"""Changes of the brain without blood: small vessel disease, infarcts, oedema, hydrocephalus, hygroma."""

from __future__ import annotations

import numpy as np
import torch

from .anatomy import DISTANCE_STEP_MM
from .canvas import HeadCanvas
from .crescent import make_crescent
from .head_grid import Swelling, voxels_of
from .settings import HeadCtSettings
from .tissue import BRAIN_TISSUES, WHITE_TISSUES, Tissue

HYDROCEPHALUS_MM = (3.0, 8.0)  # how far the walls move (ours)


def add_brain_changes(canvas: HeadCanvas, settings: HeadCtSettings) -> None:
    """Each kind with its own chance; what was painted is noted under "changes"."""
    canvas.ventricle_mm = canvas.uniform(settings.ventricle_mm)
    if canvas.chance(settings.hydrocephalus_probability):
        canvas.ventricle_mm = canvas.uniform(HYDROCEPHALUS_MM)
        _add_transependymal_oedema(canvas)
        canvas.note("changes", "hydrocephalus", None, 1000.0)
    if canvas.chance(settings.leukoaraiosis_probability):
        _add_leukoaraiosis(canvas)
    if canvas.chance(settings.old_infarct_probability):
        _add_infarct(canvas, old=True)
    if canvas.chance(settings.acute_infarct_probability):
        _add_infarct(canvas, old=False)
    if canvas.chance(0.15):
        _add_lacunes(canvas)
    if canvas.chance(settings.oedema_probability):
        center = canvas.place("lobar")
        if center is not None:
            add_vasogenic_oedema(canvas, center, canvas.uniform((12.0, 40.0)), "oedema")
    if canvas.chance(settings.hygroma_probability):
        add_hygroma(canvas)


def _darken(canvas: HeadCanvas, kind: str, region: tuple, amount: torch.Tensor, center: np.ndarray | None) -> None:
    """Subtract Hounsfield units and note where half of VISIBLE_HU, which an area of a centimetre shows, is reached."""
    canvas.hu[region] -= amount
    canvas.note("changes", kind, center, float((amount > 4.0).sum()))


def _add_leukoaraiosis(canvas: HeadCanvas) -> None:
    """White matter darkens towards the ventricles, in patches; by up to 10 HU (ours)."""
    strength, length = canvas.uniform((2.0, 12.0)), canvas.uniform((4.0, 16.0))
    at = voxels_of(canvas.tissue == Tissue.WHITE)
    distance = canvas.field("ventricle_distance")[at].float() * DISTANCE_STEP_MM
    patches = (0.7 + 0.6 * canvas.noise_at(at, 14.0)).clamp(0.0, 1.5)
    _darken(canvas, "leukoaraiosis", at, strength * torch.exp(-distance / length) * patches, None)


def _add_transependymal_oedema(canvas: HeadCanvas) -> None:
    at = voxels_of(canvas.tissue == Tissue.WHITE)
    distance = canvas.field("ventricle_distance")[at].float() * DISTANCE_STEP_MM
    canvas.hu[at] -= canvas.uniform((0.0, 9.0)) * torch.exp(-distance / canvas.uniform((3.0, 7.0)))


def _add_infarct(canvas: HeadCanvas, old: bool) -> None:
    """A cortical wedge, a whole territory, cerebellar or deep area: CSF-like when old, a few HU darker when acute.

    An acute infarct loses 2.5 HU per percent of water (Unger 1988): 3 HU in the first hours to 15 later, in grey
    matter first, and swells.
    """
    places, shares = ["surface", "lobar", "cerebellum", "putamen"], [0.55, 0.2, 0.15, 0.1]
    center = canvas.place(str(canvas.rng.choice(places, p=shares)))
    if center is None:
        return
    largest = 48.0 if canvas.chance(0.2) else 28.0  # a fifth take most of a territory (ours)
    radii = canvas.rng.uniform(7.0, largest, 3)
    found = canvas.blob(center, radii, rough=0.5)
    if found is None:
        return
    box, _, relative = found
    region = ((1.0 - relative) * 5.0).clamp(0.0, 1.0)
    brain = canvas.is_tissue(box, *BRAIN_TISSUES)
    if old:
        mm3 = canvas.paint(box, region * brain * canvas.uniform((0.4, 1.0)), canvas.uniform((8.0, 18.0)))
        canvas.note("changes", "old infarct", center, mm3)
        return
    strength, white = canvas.uniform((3.0, 15.0)), canvas.is_tissue(box, *WHITE_TISSUES)
    _darken(canvas, "acute infarct", box, strength * region * (brain.float() - 0.4 * white.float()), center)
    if strength > 9.0 and radii.mean() > 15.0:  # older than half a day: it presses
        canvas.swellings.append(Swelling(center, float(radii.mean()) / canvas.uniform((1.02, 1.15)), radii.mean()))


def _add_lacunes(canvas: HeadCanvas) -> None:
    for _ in range(int(canvas.rng.integers(1, 5))):
        center = canvas.place(str(canvas.rng.choice(["putamen", "thalamus", "caudate", "lobar"])))
        if center is None:
            continue
        found = canvas.blob(center, canvas.rng.uniform(1.5, 5.0, 3), rough=0.2)
        if found is not None:
            brain = canvas.is_tissue(found[0], *BRAIN_TISSUES)
            mm3 = canvas.paint(found[0], found[1] * brain, canvas.uniform((8.0, 20.0)))
            canvas.note("changes", "lacune", center, mm3)


def add_vasogenic_oedema(canvas: HeadCanvas, center: np.ndarray, radius_mm: float, kind: str = "") -> None:
    """White matter darkens in fingers and spares the cortex; it presses a little. With a kind it is noted."""
    found = canvas.blob(center, radius_mm * canvas.rng.uniform(0.7, 1.2, 3), rough=0.6)
    if found is None:
        return
    box, _, relative = found
    white = canvas.is_tissue(box, *WHITE_TISSUES).float()
    amount = canvas.uniform((6.0, 15.0)) * ((1.0 - relative) * 4.0).clamp(0.0, 1.0) * white
    if kind:
        _darken(canvas, kind, box, amount, center)
    else:
        canvas.hu[box] -= amount
    canvas.swellings.append(Swelling(center, radius_mm / canvas.uniform((1.02, 1.12)), radius_mm))


def add_hygroma(canvas: HeadCanvas) -> None:
    """CSF-like fluid over one or both convexities: no blood, but shaped like a chronic subdural collection."""
    for side in (-1, 1) if canvas.chance(0.5) else (0,):
        thickness = canvas.log_uniform(3.0, 14.0)
        crescent = make_crescent(canvas, thickness, canvas.uniform((0.0, 0.2)) * thickness, side)
        mm3 = canvas.paint(crescent.voxels, crescent.fraction, canvas.uniform((2.0, 12.0)))
        canvas.note("changes", "hygroma", None, mm3)
