"""Random changes of a batch of crops on the training device: intensity first, then one affine cut to the patch."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .kuo2019_recipe import PatchAugmentation
from .patch_sampler import PatchBatch
from .windowed_exam import OUTSIDE


def augmented(
    batch: PatchBatch,
    size: tuple[int, int],
    settings: PatchAugmentation | None,
    window_hu: float,
    rng: np.random.Generator,
    device: str,
) -> tuple[Tensor, Tensor]:
    """(b, slices, *size) float32 image 0-1 and (b, *size) int64 target (labels or OUTSIDE) of crops.

    Without settings the crops' centres are cut out unchanged. window_hu is how many HU the range 0-1 stands for.
    """
    image = torch.from_numpy(batch.image).to(device).float().div_(255.0)
    target = torch.from_numpy(batch.target).to(device)
    if settings is None:
        return _center(image, size), _center(target, size).long()
    image = changed_intensity(image, settings, window_hu, rng)
    grid = _cut(len(image), (image.shape[-2], image.shape[-1]), size, settings, rng).to(device)
    patch = F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    # Shifted by one, so that the zeros beyond the crop mean OUTSIDE and 0 (no blood) stays itself.
    shifted = (target.long() + 1) % (OUTSIDE + 1)
    labels = F.grid_sample(shifted[:, None].float(), grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return patch, (labels[:, 0].long() + OUTSIDE) % (OUTSIDE + 1)


def changed_intensity(image: Tensor, settings: PatchAugmentation, window_hu: float, rng: np.random.Generator) -> Tensor:
    """Offset, gain, noise, glow beside bone, and blur inside the brain; what lies outside stays 0."""
    count = len(image)
    brain = image > 0
    gain = _column(rng.uniform(1 - settings.gain, 1 + settings.gain, count), image)
    offset = _column(rng.uniform(-settings.offset_hu, settings.offset_hu, count) / window_hu, image)
    spread = _column(rng.uniform(0, settings.noise_hu, count) * (rng.random(count) < 0.5) / window_hu, image)
    noise = torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32)).to(image.device)
    glow = _column(rng.uniform(0, settings.rim_hu, count) * (rng.random(count) < 0.7) / window_hu, image)
    changed = image * gain + offset + noise * spread + glow * nearness_to_bone(brain)
    for b in np.flatnonzero(rng.random(count) < settings.blur):
        changed[b] = F.avg_pool2d(changed[b : b + 1], 3, 1, 1, count_include_pad=False)[0] * 0.6 + changed[b] * 0.4
    return changed.clamp_(0.0, 1.0) * brain


def nearness_to_bone(brain: Tensor) -> Tensor:
    """(b, s, n, n) about 0.5 at the edge of the brain, falling to 0 over 15 mm: beam hardening and scatter."""
    outside = F.avg_pool2d((~brain).float(), 4)
    for _ in range(2):
        outside = F.avg_pool2d(outside, 5, 1, 2, count_include_pad=False)
    return F.interpolate(outside, size=brain.shape[-2:], mode="bilinear", align_corners=False)


def _column(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(like.device).view(-1, 1, 1, 1)


def _cut(
    count: int, crop: tuple[int, int], patch: tuple[int, int], settings: PatchAugmentation, rng: np.random.Generator
) -> Tensor:
    """(b, *patch, 2) sampling grid: rotation, zoom and mirroring around the crop's centre."""
    angle = np.radians(rng.uniform(-settings.rotation_deg, settings.rotation_deg, count))
    zoom = np.exp(rng.uniform(math.log(settings.scale[0]), math.log(settings.scale[1]), count))
    mirror = np.where(rng.random(count) < settings.mirror, -1.0, 1.0)
    (rows, columns), (crop_rows, crop_columns) = patch, crop
    matrix = np.zeros((count, 2, 3), np.float32)  # from -1..1 on the patch to -1..1 on the crop; x first
    matrix[:, 0, 0], matrix[:, 0, 1] = columns * np.cos(angle) * mirror, -rows * np.sin(angle)
    matrix[:, 1, 0], matrix[:, 1, 1] = columns * np.sin(angle) * mirror, rows * np.cos(angle)
    matrix[:, :, :2] /= (zoom[:, None] * np.array([crop_columns, crop_rows]))[:, :, None]
    return F.affine_grid(torch.from_numpy(matrix), [count, 1, rows, columns], align_corners=False)


def _center(array: Tensor, size: tuple[int, int]) -> Tensor:
    top, left = ((have - want) // 2 for have, want in zip(array.shape[-2:], size, strict=True))
    return array[..., top : top + size[0], left : left + size[1]]
