"""Layers that a label map lacks, the same for every scanner: thin CSF, filled sulci, fat, dural sheets, skull."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .anatomy import DISTANCE_STEP_MM
from .anatomy_fields import NO_SHEET
from .head_grid import HeadGrid, Voxels, voxels_of
from .tissue import Tissue

SULCAL_DEPTH = round(18.0 / DISTANCE_STEP_MM)  # sulci lie in the outer 18 mm, cisterns and fissures deeper (ours)


def thinned_convexity(grid: HeadGrid, share: float) -> tuple[Voxels, torch.Tensor, torch.Tensor]:
    """Where the brain reaches further out than in the label map: voxels, weight (0-1), and the tissue class there.

    The weight is the share, varied over the head. Sets grid.csf_share.
    """
    full = grid.field("tissue_full")
    grid.csf_share = (grid.tissue == Tissue.CSF).float()
    changed = voxels_of(full != grid.tissue)
    weight = (share + 0.25 * grid.noise_at(changed, 40.0)).clamp(0.0, 1.0)
    classes = full[changed]
    is_csf = (classes == Tissue.CSF).float()
    grid.csf_share[changed] += weight * (is_csf - grid.csf_share[changed])
    return changed, weight, classes


def sulcal_voxels(grid: HeadGrid) -> Voxels:
    """CSF of the sulci, which holds pia, vessels and slices of cortex too."""
    return voxels_of((grid.tissue == Tissue.CSF) & (grid.depth > 0) & (grid.depth < SULCAL_DEPTH))


def fat_share(grid: HeadGrid) -> tuple[Voxels, torch.Tensor]:
    """Soft tissue and how much of each voxel is fat: skin has none, most below it is, muscle has planes."""
    at = voxels_of(grid.tissue == Tissue.SOFT)
    outer = grid.field("outer_distance")[at].float() * DISTANCE_STEP_MM
    planes = grid.noise(grid.shape, 7.0)[at]
    skin = grid.uniform((1.2, 2.2))
    reach = grid.uniform((4.0, 9.0))
    under_skin = ((outer - skin).clamp(0, 1)) * ((reach - outer + 2.0 * planes).clamp(0, 1))
    between = (planes - 0.55).mul(2.5).clamp(0, 1) * (outer > reach)
    return at, torch.maximum(under_skin, between)


def sheet_share(grid: HeadGrid, name: str, half_mm: float, variation_mm: float) -> tuple[Voxels, torch.Tensor]:
    """Voxels near the falx or tentorium and how much of each it fills: about half_mm to each side."""
    distance = grid.field(f"{name}_distance")
    at = voxels_of(distance != NO_SHEET)
    away = distance[at].float().abs() * DISTANCE_STEP_MM
    half = half_mm * (1.0 + 0.25 * grid.noise_at(at, variation_mm)).clamp(0.4, 1.8)
    # How much of a voxel's width the sheet covers, also when it is thinner than the voxel.
    fraction = torch.minimum(away + half, away.new_tensor(0.5)) - torch.maximum(away - half, away.new_tensor(-0.5))
    return at, fraction.clamp(0.0, 1.0)


@dataclass(frozen=True, eq=False)
class InnerTable:
    """Voxels within 1 mm of the inner table, the share of each that lies inside, and what each is in the label map."""

    voxels: Voxels
    inside: torch.Tensor
    is_space: torch.Tensor
    is_bone: torch.Tensor


def inner_table(grid: HeadGrid) -> InnerTable:
    """The inner table, smooth over 1.5 mm by its signed distance, so that no voxel steps show."""
    inside = grid.field("inside_mm")
    at = voxels_of(inside.abs() < 1.0)
    share = (0.5 + inside[at].float() / 1.5).clamp(0.0, 1.0)
    tissue = grid.tissue[at]
    return InnerTable(at, share, grid.depth[at] > 0, (tissue == Tissue.BONE) | (tissue == Tissue.DIPLOE))
