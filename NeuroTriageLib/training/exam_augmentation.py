"""Random changes of slices in Hounsfield units, and of their labels with them; on the training device."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .patch_augmentation import nearness_to_bone
from .ye2019_recipe import ExamAugmentation

LIMITS_HU = (-150.0, 600.0)
"""What lies beyond the windows is cut off before pixels are mixed, so that bone of any density mixes alike (ours)."""
BONE_HU = 150.0  # brighter pixels and blank ones give the rim its glow; ours


def augmented(
    hu: Tensor,
    label: Tensor | None,
    size: tuple[int, int],
    settings: ExamAugmentation | None,
    rng: np.random.Generator,
    *,
    together: bool,
) -> tuple[Tensor, Tensor | None]:
    """(n, h, w) HU and labels -> (n, *size) float32 HU and int64 labels.

    Args:
        hu, label: slices; label may be missing.
        size: rows and columns of the result, cut from the middle.
        settings: None only cuts.
        together: all slices are of one exam and are turned, zoomed and brightened alike; noise is each slice's own.
    """
    image = hu.float().clamp_(*LIMITS_HU)
    if settings is None:
        return _center(image, size), None if label is None else _center(label, size).long()
    count = len(hu)
    draws = 1 if together else count
    theta = _affine(draws, hu.shape[1:], size, settings, rng).to(hu.device).expand(count, 2, 3)
    grid = F.affine_grid(theta, [count, 1, *size], align_corners=False)
    low = LIMITS_HU[0]
    moved = F.grid_sample((image - low)[:, None], grid, padding_mode="zeros", align_corners=False)[:, 0] + low
    moved = _changed_intensity(moved, draws, settings, rng)
    if label is None:
        return moved, None
    turned = F.grid_sample(label[:, None].float(), grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return moved, turned[:, 0].long()


def _affine(
    draws: int, before: tuple[int, ...], after: tuple[int, int], settings: ExamAugmentation, rng: np.random.Generator
) -> Tensor:
    """(draws, 2, 3) for affine_grid: zoom, rotation, shear, flips and shift around the middle, in pixels."""
    angle = np.radians(rng.uniform(-settings.rotation_deg, settings.rotation_deg, draws))
    zoom = np.exp(rng.uniform(math.log(settings.scale[0]), math.log(settings.scale[1]), draws))
    shear = rng.uniform(-settings.shear, settings.shear, draws)
    x_sign = np.where(rng.random(draws) < settings.mirror, -1.0, 1.0) / zoom
    y_sign = np.where(rng.random(draws) < settings.flip, -1.0, 1.0) / zoom
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.zeros((draws, 2, 3))
    matrix[:, 0, 0], matrix[:, 0, 1] = x_sign * cos, x_sign * (shear * cos - sin)
    matrix[:, 1, 0], matrix[:, 1, 1] = y_sign * sin, y_sign * (shear * sin + cos)
    # affine_grid counts in half images: x of the result in its half width, x of the source in its own.
    half_after, half_before = np.array([after[1], after[0]]) / 2, np.array([before[1], before[0]]) / 2
    matrix[:, :, :2] *= half_after[None, None, :] / half_before[None, :, None]
    matrix[:, :, 2] = 2 * rng.uniform(-settings.shift, settings.shift, (draws, 2))
    return torch.from_numpy(matrix.astype(np.float32))


def _changed_intensity(hu: Tensor, draws: int, settings: ExamAugmentation, rng: np.random.Generator) -> Tensor:
    """Gain, offset, noise, glow beside bone and blur; blank pixels stay blank."""
    if not any((settings.offset_hu, settings.gain, settings.noise_hu, settings.rim_hu, settings.blur)):
        return hu

    def column(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(hu.device).view(-1, 1, 1)

    blank = hu <= LIMITS_HU[0] + 1
    gain = column(rng.uniform(1 - settings.gain, 1 + settings.gain, draws))
    offset = column(rng.uniform(-settings.offset_hu, settings.offset_hu, draws))
    spread = column(rng.uniform(0, settings.noise_hu, draws) * (rng.random(draws) < 0.5))
    glow = column(rng.uniform(0, settings.rim_hu, draws) * (rng.random(draws) < 0.7))
    noise = torch.from_numpy(rng.standard_normal(hu.shape, dtype=np.float32)).to(hu.device)
    near = nearness_to_bone((~blank & (hu < BONE_HU))[:, None])[:, 0]
    changed = hu * gain + offset + noise * spread + glow * near
    smooth = np.broadcast_to(rng.random(draws) < settings.blur, len(hu))
    for n in np.flatnonzero(smooth):
        changed[n] = F.avg_pool2d(changed[n][None], 3, 1, 1, count_include_pad=False)[0] * 0.6 + changed[n] * 0.4
    return torch.where(blank, hu, changed)


def _center(array: Tensor, size: tuple[int, int]) -> Tensor:
    row, column = ((whole - part) // 2 for whole, part in zip(array.shape[1:], size, strict=True))
    return array[:, row : row + size[0], column : column + size[1]]
