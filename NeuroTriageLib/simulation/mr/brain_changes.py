"""Abnormal, but not acute: white-matter lesions, demyelination, hydrocephalus, atrophy, cysts; harmless variants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..anatomy import DISTANCE_STEP_MM
from ..head_grid import kept, voxels_of
from ..tissue import Tissue
from .canvas import MrCanvas
from .lesion_materials import CYST_FLUID, GLIOSIS, PROTEIN_FLUID, SLOW_FLOW, TUMOURS, VASOGENIC_OEDEMA

HYDROCEPHALUS_MM = (3.0, 8.0)  # how far the ventricles' walls move (ours, as in CT)
ATROPHY_MM = (1.5, 4.0)  # ours
LARGE_VENTRICLES_ML = 50.0
"""Lateral and third ventricles beyond this are called abnormal (ours)."""


def note_large_ventricles(canvas: MrCanvas) -> None:
    """Heads whose own ventricles are that large are not normal."""
    volume_ml = float((canvas.anatomy.tissue == Tissue.VENTRICLE).sum()) / 1000.0
    if volume_ml > LARGE_VENTRICLES_ML:
        canvas.note("changes", "large ventricles", None, volume_ml * 1000.0)


def add_white_matter_lesions(canvas: MrCanvas) -> None:
    """Small vessel disease: caps and bands at the ventricles, spots in deep white matter, from a few to confluent."""
    grade = canvas.log_uniform(0.05, 1.0)
    material = canvas.material(GLIOSIS)
    at = voxels_of(canvas.tissue == Tissue.WHITE)
    distance = canvas.field("ventricle_distance")[at].float() * DISTANCE_STEP_MM
    reach = 1.0 + 7.0 * grade
    patches = 0.5 + 0.9 * canvas.noise_at(at, 12.0)
    band = (torch.exp(-distance / reach) * 2.4 * grade**0.5 * patches - 0.45).clamp(0.0, 0.9)
    some = band > 0.05
    volume = canvas.paint(kept(at, some), band[some], material)
    for _ in range(int(canvas.rng.poisson(2.0 + 40.0 * grade**1.5))):
        center = canvas.place("lobar")
        if center is None:
            return
        radii = canvas.log_uniform(0.9, 2.0 + 4.5 * grade) * canvas.rng.uniform(0.7, 1.4, 3)
        found = canvas.blob(center, radii, rough=0.4)
        if found is None:
            continue
        box, fraction, _ = found
        spot = fraction * canvas.is_brain(box) * canvas.uniform((0.4, 1.0))
        volume += canvas.paint(box, spot, material)
    canvas.note("changes", "white-matter lesions", None, volume)


def add_demyelination(canvas: MrCanvas) -> None:
    """Ovals at the ventricles, under the cortex and below the tentorium; some enhance, some are black."""
    volume = 0.0
    for _ in range(int(canvas.rng.integers(4, 25))):
        center = canvas.place(str(canvas.rng.choice(["lobar", "lobar", "lobar", "cerebellum", "brainstem"])))
        if center is None:
            continue
        if canvas.chance(0.5):  # move it to the ventricle's wall
            ventricle = canvas.place("ventricle")
            if ventricle is not None:
                center = ventricle + (center - ventricle) * min(
                    1.0, 10.0 / max(float(np.linalg.norm(center - ventricle)), 1.0)
                )
        found = canvas.blob(center, canvas.rng.uniform((1.2, 1.2, 1.8), (3.5, 3.5, 7.0)), rough=0.25)
        if found is None:
            continue
        box, fraction, relative = found
        material = canvas.materials[canvas.material(TUMOURS["demyelination"])]
        if canvas.chance(0.15):
            material = replace(material, uptake_per_s=canvas.uniform((0.8, 2.5)))
        brain = canvas.is_brain(box)
        volume += canvas.paint(box, fraction * brain * canvas.uniform((0.6, 1.0)), canvas.new_material(material))
        if canvas.chance(0.25):
            core = fraction * brain * ((0.8 - relative) * 4.0).clamp(0.0, 1.0) * 0.6
            canvas.overpaint(box, core, canvas.material(CYST_FLUID))
    canvas.note("changes", "demyelination", None, volume)


def add_hydrocephalus(canvas: MrCanvas) -> None:
    """Wide ventricles; water may have passed into the white matter round them."""
    canvas.ventricle_mm = canvas.uniform(HYDROCEPHALUS_MM)
    at = voxels_of(canvas.tissue == Tissue.WHITE)
    distance = canvas.field("ventricle_distance")[at].float() * DISTANCE_STEP_MM
    share = canvas.uniform((0.0, 0.9)) * torch.exp(-distance / canvas.uniform((3.0, 7.0)))
    some = share > 0.05
    canvas.paint(kept(at, some), share[some], canvas.material(VASOGENIC_OEDEMA))
    canvas.note("changes", "hydrocephalus", None, 10000.0)


def add_atrophy(canvas: MrCanvas) -> None:
    """Wider ventricles; the settings' thinning is not undone, so sulci are as wide as the map's."""
    canvas.ventricle_mm = max(canvas.ventricle_mm, canvas.uniform(ATROPHY_MM))
    canvas.note("changes", "atrophy", None, 10000.0)


def add_cyst(canvas: MrCanvas) -> None:
    """An arachnoid, pineal or colloid cyst."""
    kind = str(canvas.rng.choice(["arachnoid cyst", "pineal cyst", "colloid cyst"], p=[0.5, 0.4, 0.1]))
    if kind == "arachnoid cyst":
        center = canvas.place(str(canvas.rng.choice(["contusion", "surface", "cistern"])))
        radii, material = canvas.rng.uniform(8.0, 22.0, 3), int(Tissue.VENTRICLE)
    elif kind == "pineal cyst":
        center = canvas.place("pineal")
        radii, material = canvas.rng.uniform(3.5, 8.0, 3), canvas.material(CYST_FLUID)
    else:
        center = canvas.place("third_ventricle")
        radii, material = canvas.rng.uniform(3.0, 7.0, 3), canvas.material(PROTEIN_FLUID)
    if center is None:
        return
    found = canvas.blob(center, radii, rough=0.12)
    if found is None:
        return
    box, fraction, _ = found
    volume = canvas.paint(box, fraction * (canvas.depth_mm(box) > 0.8), material)
    canvas.note("changes", kind, center, volume)


def add_variants(canvas: MrCanvas) -> None:
    """No abnormality, or outside the brain: wide perivascular spaces, fluid in air cells, slow flow in a sinus."""
    if canvas.chance(0.5):
        for _ in range(int(canvas.rng.integers(3, 25))):
            center = canvas.place(str(canvas.rng.choice(["putamen", "lobar"], p=[0.7, 0.3])))
            if center is None:
                continue
            found = canvas.blob(center, np.array([0.6, 0.6, canvas.uniform((0.8, 2.2))]), rough=0.0)
            if found is not None:
                brain = canvas.is_brain(found[0])
                canvas.overpaint(found[0], 0.8 * found[1] * brain, int(Tissue.CSF))
        canvas.note("mimics", "perivascular spaces", None, 100.0)
    if canvas.chance(0.2):
        at = voxels_of(canvas.tissue == Tissue.SINUS)
        part = (canvas.noise_at(at, 30.0) * 2.0).clamp(0.0, 1.0)
        canvas.overpaint(at, part, canvas.material(SLOW_FLOW))
        canvas.note("mimics", "slow flow", None, float(part.sum()))
    if canvas.chance(0.25):
        at = voxels_of(canvas.tissue == Tissue.AIR)
        part = (canvas.noise_at(at, 14.0) * 3.0 - 1.5).clamp(0.0, 1.0)
        canvas.overpaint(at, part, int(Tissue.MUCOSA))
        canvas.note("mimics", "fluid in air cells", None, float(part.sum()))


def add_shine_through(canvas: MrCanvas) -> None:
    """A lesion so watery that it is bright on trace images although its ADC is high: no acute infarct."""
    center = canvas.place(str(canvas.rng.choice(["lobar", "surface", "thalamus"])))
    if center is None:
        return
    found = canvas.blob(center, canvas.rng.uniform(2.0, 10.0, 3), rough=0.5)
    if found is None:
        return
    box, fraction, _ = found
    gain, adc = canvas.uniform((2.2, 3.2)), canvas.uniform((1.1, 1.35))
    changed = canvas.changed(
        box,
        lambda m: replace(
            m, t2_ms=m.t2_ms * gain, adc=m.adc * adc, t1_ms=m.t1_ms * 1.3, density=min(1.0, m.density * 1.1)
        ),
    )
    volume = canvas.paint(box, fraction * canvas.is_brain(box), changed)
    canvas.note("changes", "T2 shine-through", center, volume)
