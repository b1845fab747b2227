"""Paints the healthy head for MRI: nuclei, thin CSF, filled sulci, fat, dura, smooth skull, veins, choroid plexus."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

from ..anatomy import DISTANCE_STEP_MM, Anatomy
from ..head_grid import kept, voxels_of
from ..head_layers import fat_share, inner_table, sheet_share, sulcal_voxels, thinned_convexity
from ..tissue import Tissue
from .canvas import MrCanvas
from .settings import BrainMrSettings
from .tissue_materials import CHOROID, DURA, NUCLEI

GROWN_MM = 2  # the lists of points hold every second to fourth voxel of a nucleus; between them lies this much


def paint_head(canvas: MrCanvas, settings: BrainMrSettings) -> None:
    """Set the nuclei's classes, then paint what the label map lacks; collections must have pressed the brain before."""
    _thin_convexity(canvas, settings)  # before the nuclei get numbers that the anatomy does not know
    _set_nuclei(canvas)
    _fill_sulci(canvas, settings)
    at, fraction = fat_share(canvas)
    some = fraction > 0.02
    canvas.paint(kept(at, some), fraction[some], int(Tissue.FAT))
    for name in ("falx", "tentorium"):
        at, fraction = sheet_share(canvas, name, canvas.log_uniform(0.2, 0.6), 20.0)
        some = fraction > 0.02
        voxels = kept(at, some)
        canvas.paint(voxels, fraction[some], DURA)
        canvas.csf_share[voxels] *= 1.0 - fraction[some]
    _folia(canvas)
    _smooth_inner_table(canvas)
    _dura(canvas)
    _choroid(canvas)
    _veins(canvas)


def _set_nuclei(canvas: MrCanvas) -> None:
    tissue = canvas.own_tissue()
    for name, number in NUCLEI.items():
        at = torch.from_numpy(_nucleus(canvas.anatomy, name)).to(canvas.device)
        here = (at[:, 0], at[:, 1], at[:, 2])
        still = tissue[here] == int(Tissue.DEEP)  # what a collection pressed away is no nucleus any more
        tissue[here] = torch.where(still, torch.full_like(tissue[here], number), tissue[here])


@lru_cache(maxsize=96)
def _nucleus(anatomy: Anatomy, name: str) -> np.ndarray:
    """(N, 3) voxels k, j, i of a nucleus, grown together from the points that the anatomy keeps of it."""
    points = anatomy.points[name].astype(np.int64)
    if not len(points):
        return np.empty((0, 3), dtype=np.int64)
    low = np.maximum(points.min(0) - GROWN_MM, 0)
    high = np.minimum(points.max(0) + GROWN_MM + 1, anatomy.shape_kji)
    mask = torch.zeros(tuple(int(n) for n in high - low))
    mask[tuple((points - low).T)] = 1.0
    closed = F.max_pool3d(mask[None], 2 * GROWN_MM + 1, 1, GROWN_MM)
    closed = -F.max_pool3d(-closed, 2 * GROWN_MM + 1, 1, GROWN_MM)[0]
    deep = anatomy.tissue[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))] == Tissue.DEEP
    return np.argwhere((closed.numpy() > 0) & deep) + low


def _thin_convexity(canvas: MrCanvas, settings: BrainMrSettings) -> None:
    share = canvas.uniform(settings.thinning)
    canvas.truth["thinning"] = round(share, 2)
    changed, weight, classes = thinned_convexity(canvas, share)
    free = ~canvas.pressed[changed]
    canvas.paint(kept(changed, free), weight[free], classes[free].long())
    # Where a collection presses, the CSF goes first.
    squeezed = voxels_of(canvas.pressed & (canvas.tissue == Tissue.CSF))
    canvas.paint(squeezed, torch.full(squeezed[0].shape, 0.7, device=canvas.device), int(Tissue.CORTEX))
    canvas.csf_share[squeezed] *= 0.3


def _fill_sulci(canvas: MrCanvas, settings: BrainMrSettings) -> None:
    """Narrow sulci hold pia and cortex too; wide spaces of CSF stay pure, or FLAIR would not null them."""
    at = sulcal_voxels(canvas)
    around = F.avg_pool3d(F.avg_pool3d(canvas.csf_share[None], 4), 3, 1, 1)[0]  # over about 12 mm
    narrow = ((0.6 - canvas.stretched_at(around, at)) / 0.25).clamp(0.0, 1.0)
    share = canvas.uniform(settings.sulcal_fill) * canvas.csf_share[at] * narrow
    canvas.paint(at, share, int(Tissue.CORTEX))
    canvas.csf_share[at] -= share


def _smooth_inner_table(canvas: MrCanvas) -> None:
    """Inside, the outer voxels become part bone; outside, bone becomes part CSF."""
    table = inner_table(canvas)
    space = table.is_space
    inward = kept(table.voxels, space)
    canvas.paint(inward, 1.0 - table.inside[space], int(Tissue.BONE))
    bone = table.is_bone & ~space
    outward = kept(table.voxels, bone)
    canvas.paint(outward, table.inside[bone], int(Tissue.CSF))


def _folia(canvas: MrCanvas) -> None:
    """The cerebellum's cortex is finely folded: white matter and CSF alternate in it, in sheets 2 to 4 mm apart."""
    at = voxels_of(canvas.tissue == Tissue.CEREBELLUM)
    if not len(at[0]):
        return
    axis = canvas.rng.normal(0.0, (1.0, 0.5, 0.3))
    period = canvas.uniform((2.2, 4.0))
    along = sum(a.float() * float(c) for a, c in zip(at, axis / np.linalg.norm(axis), strict=True))
    phase = 2.0 * np.pi * (along / period + 2.2 * canvas.noise_at(at, 18.0))
    canvas.paint(at, (0.6 * torch.sin(phase)).clamp(min=0.0), int(Tissue.CEREBELLAR_WHITE))
    shallow = (1.0 - canvas.depth_mm(at) / 14.0).clamp(0.0, 1.0)
    canvas.paint(at, (0.45 * shallow * (-torch.sin(phase) - 0.2)).clamp(min=0.0), int(Tissue.CSF))


def _dura(canvas: MrCanvas) -> None:
    """A thin layer on the inner table, dark in T2, that takes up contrast medium."""
    half = canvas.uniform((0.3, 0.9))
    at = voxels_of((canvas.depth > 0) & (canvas.depth < round(1.6 / DISTANCE_STEP_MM)))
    fraction = (0.5 + half - (canvas.depth_mm(at) - 0.6).abs()).clamp(0.0, 1.0) * canvas.uniform((0.3, 0.8))
    canvas.paint(at, fraction, DURA)


def _choroid(canvas: MrCanvas) -> None:
    """The plexus in both trigones; in a third of people with small cysts, which restrict diffusion (ours: a mimic)."""
    cystic = canvas.chance(0.33)
    for center in canvas.anatomy.points["atrium"].astype(np.float64):
        found = canvas.blob(center, canvas.rng.uniform((2.0, 3.0, 2.0), (4.5, 8.0, 4.0)), rough=0.6)
        if found is None:
            continue
        box, fraction, _ = found
        share = fraction * canvas.is_tissue(box, Tissue.VENTRICLE) * canvas.uniform((0.4, 0.9))
        canvas.paint(box, share, CHOROID)
        if cystic:
            plexus = canvas.materials[CHOROID]
            cyst = canvas.new_material(replace(plexus, adc=canvas.uniform((0.7, 1.3)), t2_ms=1.5 * plexus.t2_ms))
            canvas.paint(box, share * 0.7, cyst)


def _veins(canvas: MrCanvas) -> None:
    """Veins in the sulci and under the ventricles' walls: dark dots and lines in T2*, bright after contrast medium."""
    at = sulcal_voxels(canvas)
    speck = canvas.noise_at(at, 2.6)
    fraction = ((speck - canvas.uniform((1.3, 1.8))) * 1.5).clamp(0.0, 0.7)
    some = fraction > 0.05
    canvas.paint(kept(at, some), fraction[some], int(Tissue.SINUS))
