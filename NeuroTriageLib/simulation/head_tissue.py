"""Paints the healthy head: tissue, thinned convexity CSF, antialiased inner table, dura, scalp."""

from __future__ import annotations

import numpy as np
import torch

from .anatomy import DISTANCE_STEP_MM
from .canvas import VISIBLE_HU, Box, HeadCanvas, voxels_of
from .settings import HeadCtSettings
from .tissue import HU_TABLE, WHITE_TISSUES, Tissue

NO_SHEET = 127
SULCAL_DEPTH = round(18.0 / DISTANCE_STEP_MM)  # sulci lie in the outer 18 mm, cisterns and fissures deeper (ours)


def paint_head(canvas: HeadCanvas, settings: HeadCtSettings) -> None:
    """Fill canvas.hu with a head without blood and canvas.csf_share with the CSF fraction of each voxel."""
    mean, spread = _draw_tissue_values(canvas, settings)
    texture = canvas.noise(canvas.shape, 5.0)
    index = canvas.tissue.long()
    canvas.hu = torch.addcmul(mean[index], spread[index], texture)
    _thin_convexity_csf(canvas, settings, mean)
    _fill_sulci(canvas, settings, mean)
    _add_fat(canvas, mean)
    _add_rim(canvas, settings)
    _add_falx_and_tentorium(canvas)
    _smooth_inner_table(canvas, mean)


def _draw_tissue_values(canvas: HeadCanvas, settings: HeadCtSettings) -> tuple[torch.Tensor, torch.Tensor]:
    mean = np.zeros(256, dtype=np.float32)
    spread = np.zeros(256, dtype=np.float32)
    level = canvas.rng.normal(0.0, 1.0)  # brains differ as a whole
    contrast = canvas.uniform(settings.white_contrast)
    for tissue, (value, between, within) in HU_TABLE.items():
        mean[tissue] = value + canvas.rng.normal(0.0, 0.6 * between)
        spread[tissue] = within
    for tissue in (Tissue.CORTEX, Tissue.DEEP, Tissue.CEREBELLUM, *WHITE_TISSUES, Tissue.BRAINSTEM):
        mean[tissue] += level
    for white, grey in ((Tissue.WHITE, Tissue.CORTEX), (Tissue.CEREBELLAR_WHITE, Tissue.CEREBELLUM)):
        mean[white] = mean[grey] - contrast * max(4.0, float(mean[grey] - mean[white]))
    canvas.truth["tissue_hu"] = {t.name.lower(): round(float(mean[t]), 1) for t in HU_TABLE}
    to = canvas.device
    return torch.from_numpy(mean).to(to), torch.from_numpy(spread).to(to)


def _thin_convexity_csf(canvas: HeadCanvas, settings: HeadCtSettings, mean: torch.Tensor) -> None:
    """Blend towards the anatomy whose brain reaches the inner table, by a share that varies over the head."""
    full = canvas.field("tissue_full")
    share = canvas.uniform(settings.thinning)
    canvas.truth["thinning"] = round(share, 2)
    canvas.csf_share = (canvas.tissue == Tissue.CSF).float()
    changed = voxels_of(full != canvas.tissue)
    variation = canvas.noise_at(changed, 40.0)
    weight = (share + 0.25 * variation).clamp(0.0, 1.0)
    canvas.hu[changed] += weight * (mean[full[changed].long()] - canvas.hu[changed])
    is_csf = (full[changed] == Tissue.CSF).float()
    canvas.csf_share[changed] += weight * (is_csf - canvas.csf_share[changed])


def _fill_sulci(canvas: HeadCanvas, settings: HeadCtSettings, mean: torch.Tensor) -> None:
    """The map's sulci hold pia, vessels and slices of cortex too: they are lighter than the CSF of the cisterns."""
    share = canvas.uniform(settings.sulcal_fill)
    canvas.truth["sulcal_fill"] = round(share, 2)
    canvas.sulcal_hu = share * float(mean[int(Tissue.CORTEX)] - mean[int(Tissue.CSF)])
    at = voxels_of((canvas.tissue == Tissue.CSF) & (canvas.depth > 0) & (canvas.depth < SULCAL_DEPTH))
    canvas.hu[at] += canvas.sulcal_hu * canvas.csf_share[at]


def csf_hu(canvas: HeadCanvas, box: Box) -> torch.Tensor:
    """What the CSF of a box measures: more in the sulci than in the cisterns."""
    shallow = (canvas.depth[box] > 0) & (canvas.depth[box] < SULCAL_DEPTH)
    return float(canvas.truth["tissue_hu"]["csf"]) + canvas.sulcal_hu * shallow


def _add_fat(canvas: HeadCanvas, mean: torch.Tensor) -> None:
    """Skin stays soft tissue, what lies under it is mostly fat, deeper parts are muscle with fat planes."""
    at = voxels_of(canvas.tissue == Tissue.SOFT)
    outer = canvas.field("outer_distance")[at].float() * DISTANCE_STEP_MM
    planes = canvas.noise(canvas.shape, 7.0)[at]
    skin = canvas.uniform((1.2, 2.2))
    reach = canvas.uniform((4.0, 9.0))
    under_skin = ((outer - skin).clamp(0, 1)) * ((reach - outer + 2.0 * planes).clamp(0, 1))
    between = (planes - 0.55).mul(2.5).clamp(0, 1) * (outer > reach)
    fraction = torch.maximum(under_skin, between)
    canvas.hu[at] += fraction * (mean[int(Tissue.FAT)] - canvas.hu[at])


def _add_rim(canvas: HeadCanvas, settings: HeadCtSettings) -> None:
    """Dura and beam hardening brighten what lies next to the inner table."""
    strength, length = canvas.uniform(settings.rim_hu), canvas.uniform(settings.rim_mm)
    canvas.truth["rim_hu"], canvas.truth["rim_mm"] = round(strength, 1), round(length, 2)
    depth = torch.arange(256, device=canvas.device) * DISTANCE_STEP_MM
    table = strength * torch.exp(-depth / length)
    table[0] = 0.0
    table[depth > 8] = 0.0
    at = voxels_of((canvas.depth > 0) & (canvas.depth < 32))
    variation = (0.8 + 0.35 * canvas.noise_at(at, 25.0)).clamp(0.1, 1.6)
    canvas.hu[at] += table[canvas.depth[at].long()] * variation


def _add_falx_and_tentorium(canvas: HeadCanvas) -> None:
    """Thin, even sheets in most people; 0.4 to 1.4 mm (ours, by eye on a real scan: under 1 mm, 45-60 HU)."""
    for name, thickest in (("falx", 0.7), ("tentorium", 0.6)):
        value, half = canvas.uniform((44.0, 64.0)), canvas.log_uniform(0.2, thickest)
        canvas.truth[f"{name}_hu"], canvas.truth[f"{name}_mm"] = round(value, 1), round(2 * half, 1)
        paint_sheet(canvas, name, value, half, 20.0)


def paint_sheet(canvas: HeadCanvas, name: str, hu: float, half_mm: float, variation_mm: float) -> float:
    """Brighten the falx or tentorium: about half_mm to each side, varying over variation_mm; visible mm3."""
    distance = canvas.field(f"{name}_distance")
    at = voxels_of(distance != NO_SHEET)
    away = distance[at].float().abs() * DISTANCE_STEP_MM
    half = half_mm * (1.0 + 0.25 * canvas.noise_at(at, variation_mm)).clamp(0.4, 1.8)
    # How much of a voxel's width the sheet covers, also when it is thinner than the voxel.
    fraction = torch.minimum(away + half, away.new_tensor(0.5)) - torch.maximum(away - half, away.new_tensor(-0.5))
    fraction = fraction.clamp(0.0, 1.0)
    change = fraction * (hu - canvas.hu[at]).clamp(min=0.0)
    canvas.hu[at] += change
    canvas.csf_share[at] *= 1.0 - fraction  # blood in the CSF cannot take the sheet's place
    return float((change > VISIBLE_HU).sum())


def _smooth_inner_table(canvas: HeadCanvas, mean: torch.Tensor) -> None:
    """Mix bone and what lies inside over 1.5 mm by the smooth signed distance, so that no voxel steps show."""
    inside = canvas.field("inside_mm")
    at = voxels_of(inside.abs() < 1.0)
    share = (0.5 + inside[at].float() / 1.5).clamp(0.0, 1.0)
    here, tissue = canvas.hu[at], canvas.tissue[at]
    is_bone = (tissue == Tissue.BONE) | (tissue == Tissue.DIPLOE)
    is_space = canvas.depth[at] > 0
    within = torch.where(is_space, here, mean[int(Tissue.CORTEX)] - 8.0)
    outside = torch.where(is_space | is_bone, mean[int(Tissue.BONE)] * 0.8, here)
    canvas.hu[at] = torch.where(is_space | is_bone, share * within + (1.0 - share) * outside, here)
