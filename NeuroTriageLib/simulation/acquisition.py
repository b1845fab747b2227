"""Samples the painted head at the slices: pose, deformation, motion, and the mean over each slice's profile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from .canvas import HeadCanvas
from .mass_effect import Deformation, deform
from .slice_sampling import COORDINATE_STEP, PIXELS_AT_ONCE, filled_box, map_units, meets, sub_planes
from .stack import Pose, Stack


@dataclass(frozen=True)
class Acquired:
    """Mean Hounsfield units and blood fractions of every voxel of the stack, and how the head was deformed.

    Args:
        hu: (K, J, I) on the canvas's device.
        blood: fraction of each voxel, by type.
        deformation: where each place of the map was fetched from.
    """

    hu: torch.Tensor
    blood: dict[str, torch.Tensor]
    deformation: Deformation


def acquire(canvas: HeadCanvas, pose: Pose, stack: Stack, warp_mm: float) -> Acquired:
    """The canvas resampled once, directly at the slices' voxel centres, averaged over the slice thickness."""
    deformation = deform(canvas, warp_mm)
    displacement = deformation.total
    codes = list(canvas.blood)
    layers = torch.stack([canvas.hu, *(canvas.blood[code] for code in codes)])[None]
    bleeding = filled_box([canvas.blood[code] for code in codes])
    count, height, width = stack.grid.shape_kji
    window = _head_window(canvas, pose, stack)
    out = torch.zeros((1 + len(codes), count, height, width), device=canvas.device)
    out[0] = -1000.0
    size = (window[0].stop - window[0].start, window[1].stop - window[1].start)
    per_pass = max(1, PIXELS_AT_ONCE // (size[0] * size[1]))
    for k, (offsets, weights) in enumerate(sub_planes(stack)):
        for at in range(0, len(offsets), per_pass):
            nodes = _coordinates(pose, stack, displacement, canvas.shape, k, offsets[at : at + per_pass], window)
            # Slices that no blood lies near need the Hounsfield units only.
            source = layers if meets(nodes, bleeding) else layers[:, :1]
            fine = F.interpolate(nodes, size=size, mode="bilinear", align_corners=True).permute(0, 2, 3, 1)
            part = F.grid_sample(source, fine[None], mode="bilinear", padding_mode="border", align_corners=True)
            share = torch.tensor(weights[at : at + per_pass], dtype=torch.float32, device=canvas.device)
            part = torch.einsum("cpji,p->cji", part[0], share)
            if at == 0:
                out[: len(part), k, window[0], window[1]] = part
            else:
                out[: len(part), k, window[0], window[1]] += part
    return Acquired(out[0], {code: out[1 + n] for n, code in enumerate(codes)}, deformation)


def _head_window(canvas: HeadCanvas, pose: Pose, stack: Stack) -> tuple[slice, slice]:
    """Rows and columns of the slices that the map's box can reach; the rest is air."""
    size = np.array(canvas.shape[::-1]) - 1.0
    corners = pose.to_lps(np.array([[a, b, c] for a in (0, size[0]) for b in (0, size[1]) for c in (0, size[2])]))
    grid = stack.grid
    i = (corners - grid.origins_lps_mm[0]) @ grid.direction_i / grid.spacing_i_mm
    # A row's place along y is the same in all slices, because the table moves along z only.
    j = (corners[:, 1] - grid.origins_lps_mm[0, 1]) / (grid.direction_j[1] * grid.spacing_j_mm)
    windows = []
    for values, count in ((j, grid.shape_kji[1]), (i, grid.shape_kji[2])):
        low = int(np.clip(np.floor(values.min()) - 4, 0, count - 2))
        windows.append(slice(low, int(np.clip(np.ceil(values.max()) + 5, low + 2, count))))
    return windows[0], windows[1]


def _coordinates(
    pose: Pose,
    stack: Stack,
    displacement: torch.Tensor,
    shape_kji: tuple[int, int, int],
    k: int,
    offsets_mm: np.ndarray,
    window: tuple[slice, slice],
) -> torch.Tensor:
    """(P, 3, nj, ni) grid_sample coordinates (i, j, k) at nodes of the sub-planes of slice k in a window."""
    grid, device = stack.grid, displacement.device
    nodes_j, nodes_i = (np.linspace(w.start, w.stop - 1, max(2, (w.stop - w.start) // COORDINATE_STEP)) for w in window)
    lps = (
        grid.origins_lps_mm[k]
        - stack.moves_lps_mm[k]
        + offsets_mm[:, None, None, None] * grid.normal
        + nodes_j[None, :, None, None] * grid.spacing_j_mm * grid.direction_j
        + nodes_i[None, None, :, None] * grid.spacing_i_mm * grid.direction_i
    )  # (P, nj, ni, 3)
    place = torch.from_numpy(map_units(pose.to_map(lps), shape_kji)).to(device)
    moved = F.grid_sample(displacement, place[None], mode="bilinear", padding_mode="border", align_corners=True)
    return place.permute(0, 3, 1, 2) + moved[0].permute(1, 0, 2, 3)
