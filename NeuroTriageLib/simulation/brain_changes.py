"""Changes of the brain without blood: small vessel disease, old and acute infarcts."""

from __future__ import annotations

import torch

from .anatomy import DISTANCE_STEP_MM
from .canvas import HeadCanvas, voxels_of
from .settings import HeadCtSettings
from .tissue import BRAIN_TISSUES, WHITE_TISSUES, Tissue


def add_brain_changes(canvas: HeadCanvas, settings: HeadCtSettings) -> None:
    """Each kind with its own chance; what was drawn goes into canvas.truth["changes"]."""
    done = canvas.truth["changes"]
    if canvas.chance(settings.leukoaraiosis_probability):
        _add_leukoaraiosis(canvas)
        done.append("leukoaraiosis")
    if canvas.chance(settings.old_infarct_probability):
        _add_infarct(canvas, old=True)
        done.append("old infarct")
    if canvas.chance(settings.acute_infarct_probability):
        _add_infarct(canvas, old=False)
        done.append("acute infarct")
    if canvas.chance(0.15):
        _add_lacunes(canvas)
        done.append("lacunes")


def _add_leukoaraiosis(canvas: HeadCanvas) -> None:
    """White matter darkens towards the ventricles, in patches."""
    strength, length = canvas.uniform((2.0, 10.0)), canvas.uniform((4.0, 14.0))
    at = voxels_of(canvas.tissue == Tissue.WHITE)
    distance = canvas.field("ventricle_distance")[at].float() * DISTANCE_STEP_MM
    patches = (0.7 + 0.6 * canvas.noise_at(at, 14.0)).clamp(0.0, 1.5)
    canvas.hu[at] -= strength * torch.exp(-distance / length) * patches


def _add_infarct(canvas: HeadCanvas, old: bool) -> None:
    """A cortical wedge, cerebellar or deep area: CSF-like when old, a few HU darker when acute."""
    center = canvas.place(
        str(canvas.rng.choice(["surface", "lobar", "cerebellum", "putamen"], p=[0.55, 0.2, 0.15, 0.1]))
    )
    if center is None:
        return
    found = canvas.blob(center, canvas.rng.uniform(7.0, 28.0, 3), rough=0.5)
    if found is None:
        return
    box, _, relative = found
    region = ((1.0 - relative) * 5.0).clamp(0.0, 1.0)
    brain = canvas.is_tissue(box, *BRAIN_TISSUES)
    white = canvas.is_tissue(box, *WHITE_TISSUES)
    if old:
        canvas.paint(box, region * brain * canvas.uniform((0.4, 1.0)), canvas.uniform((8.0, 18.0)))
    else:
        canvas.hu[box] -= canvas.uniform((4.0, 13.0)) * region * (brain.float() - 0.4 * white.float())


def _add_lacunes(canvas: HeadCanvas) -> None:
    for _ in range(int(canvas.rng.integers(1, 5))):
        center = canvas.place(str(canvas.rng.choice(["putamen", "thalamus", "caudate", "lobar"])))
        if center is None:
            continue
        found = canvas.blob(center, canvas.rng.uniform(1.5, 5.0, 3), rough=0.2)
        if found is not None:
            canvas.paint(found[0], found[1] * canvas.is_tissue(found[0], *BRAIN_TISSUES), canvas.uniform((8.0, 20.0)))
