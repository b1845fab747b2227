"""Paints the healthy head: tissue, thinned convexity CSF, antialiased inner table, dura, scalp."""

from __future__ import annotations

import numpy as np
import torch

from .anatomy import DISTANCE_STEP_MM
from .canvas import VISIBLE_HU, HeadCanvas
from .head_grid import Box, voxels_of
from .head_layers import SULCAL_DEPTH, fat_share, inner_table, sheet_share, sulcal_voxels, thinned_convexity
from .settings import HeadCtSettings
from .tissue import HU_TABLE, WHITE_TISSUES, Tissue


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
    share = canvas.uniform(settings.thinning)
    canvas.truth["thinning"] = round(share, 2)
    changed, weight, classes = thinned_convexity(canvas, share)
    canvas.hu[changed] += weight * (mean[classes.long()] - canvas.hu[changed])


def _fill_sulci(canvas: HeadCanvas, settings: HeadCtSettings, mean: torch.Tensor) -> None:
    """The map's sulci hold pia, vessels and slices of cortex too: they are lighter than the CSF of the cisterns."""
    share = canvas.uniform(settings.sulcal_fill)
    canvas.truth["sulcal_fill"] = round(share, 2)
    canvas.sulcal_hu = share * float(mean[int(Tissue.CORTEX)] - mean[int(Tissue.CSF)])
    at = sulcal_voxels(canvas)
    canvas.hu[at] += canvas.sulcal_hu * canvas.csf_share[at]


def csf_hu(canvas: HeadCanvas, box: Box) -> torch.Tensor:
    """What the CSF of a box measures: more in the sulci than in the cisterns."""
    shallow = (canvas.depth[box] > 0) & (canvas.depth[box] < SULCAL_DEPTH)
    return float(canvas.truth["tissue_hu"]["csf"]) + canvas.sulcal_hu * shallow


def _add_fat(canvas: HeadCanvas, mean: torch.Tensor) -> None:
    """Skin stays soft tissue, what lies under it is mostly fat, deeper parts are muscle with fat planes."""
    at, fraction = fat_share(canvas)
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
    at, fraction = sheet_share(canvas, name, half_mm, variation_mm)
    change = fraction * (hu - canvas.hu[at]).clamp(min=0.0)
    canvas.hu[at] += change
    canvas.csf_share[at] *= 1.0 - fraction  # blood in the CSF cannot take the sheet's place
    return float((change > VISIBLE_HU).sum())


def _smooth_inner_table(canvas: HeadCanvas, mean: torch.Tensor) -> None:
    """Mix bone and what lies inside over 1.5 mm, so that no voxel steps show."""
    table = inner_table(canvas)
    here = canvas.hu[table.voxels]
    within = torch.where(table.is_space, here, mean[int(Tissue.CORTEX)] - 8.0)
    outside = torch.where(table.is_space | table.is_bone, mean[int(Tissue.BONE)] * 0.8, here)
    mixed = table.inside * within + (1.0 - table.inside) * outside
    canvas.hu[table.voxels] = torch.where(table.is_space | table.is_bone, mixed, here)
