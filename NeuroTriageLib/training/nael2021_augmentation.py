"""Random changes of MRI studies, in all contrasts and both orientations alike; on the training device."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..systems.nael2021_config import FindingNetwork
from .nael2021_recipe import MrAugmentation
from .nael2021_sampler import StudyBatch

# Axial arrays are (z, y, x), sagittal ones (x, z, y); grid_sample counts coordinates from the last axis on. This turns
# (x, y, z) into the sagittal order (y, z, x).
_TO_SAGITTAL = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])

BENDS = 5
"""Places along each axis whose shifts are drawn: one every 50 mm of a head (ours)."""


def augmented(
    batch: StudyBatch, network: FindingNetwork, settings: MrAugmentation, rng: np.random.Generator
) -> StudyBatch:
    """The batch moved, mirrored and with other intensities; absent contrasts stay zero."""
    matrix, shift = _movement(len(batch.label), settings, rng)
    theta = torch.cat([matrix, shift[:, :, None]], dim=2).to(batch.axial)
    turn = _TO_SAGITTAL
    theta_sagittal = torch.cat([turn @ matrix @ turn.T, (shift @ turn.T)[:, :, None]], dim=2).to(batch.axial)
    bend = _bend(len(batch.label), settings, rng).to(batch.axial)
    moved = _moved(torch.cat([batch.axial, batch.share], dim=1), theta, bend)
    channels = batch.axial.shape[1]
    axial = _intensities(moved[:, :channels], batch.axial_present, network.axial, settings, rng)
    sagittal = batch.sagittal
    if batch.sagittal_present.any():
        sagittal = _moved(sagittal, theta_sagittal, bend.permute(0, 1, 4, 2, 3)[:, [1, 2, 0]])
        sagittal = _intensities(sagittal, batch.sagittal_present, network.sagittal, settings, rng)
    return dataclasses.replace(batch, axial=axial, sagittal=sagittal, share=moved[:, channels:])


def _movement(count: int, settings: MrAugmentation, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """(b, 3, 3) and (b, 3): from places of the result to places of the source, in half boxes along x, y, z."""
    angle = np.radians(rng.uniform(-settings.rotation_deg, settings.rotation_deg, count))
    zoom = np.exp(rng.uniform(math.log(settings.scale[0]), math.log(settings.scale[1]), count))
    x_sign = np.where(rng.random(count) < settings.mirror, -1.0, 1.0)
    matrix = np.zeros((count, 3, 3))
    matrix[:, 0, 0], matrix[:, 0, 1] = x_sign * np.cos(angle) / zoom, -np.sin(angle) / zoom
    matrix[:, 1, 0], matrix[:, 1, 1] = x_sign * np.sin(angle) / zoom, np.cos(angle) / zoom
    matrix[:, 2, 2] = 1.0
    reach = 2 * np.array([settings.shift, settings.shift, settings.shift_slices])  # a half box is half an image
    shift = rng.uniform(-1.0, 1.0, (count, 3)) * reach
    return torch.from_numpy(matrix.astype(np.float32)), torch.from_numpy(shift.astype(np.float32))


def _bend(count: int, settings: MrAugmentation, rng: np.random.Generator) -> Tensor:
    """(b, 3, z, y, x) shifts along x, y, z at BENDS places along each axis, in half boxes."""
    reach = 2 * settings.bend  # a half box is half an image
    return torch.from_numpy(rng.uniform(-reach, reach, (count, 3, BENDS, BENDS, BENDS)).astype(np.float32))


def _moved(images: Tensor, theta: Tensor, bend: Tensor) -> Tensor:
    """(b, c, ...) sampled at moved and bent places; zero beyond the box."""
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    fine = F.interpolate(bend, size=images.shape[2:], mode="trilinear", align_corners=True)
    grid = grid + fine.permute(0, 2, 3, 4, 1)
    return F.grid_sample(images, grid, padding_mode="zeros", align_corners=False)


def _intensities(
    images: Tensor, present: Tensor, names: tuple[str, ...], settings: MrAugmentation, rng: np.random.Generator
) -> Tensor:
    """Gain and uniform noise, each contrast by itself."""
    count = (len(images), len(names))
    gain = rng.uniform(1 - settings.gain, 1 + settings.gain, count)
    gain[:, [name == "ADC" for name in names]] = 1.0
    reach = rng.uniform(0.0, settings.noise, count)
    gain_bc, reach_bc = (
        torch.from_numpy(v.astype(np.float32)).to(images)[:, :, None, None, None] for v in (gain, reach)
    )
    noise = torch.from_numpy(rng.random(images.shape, dtype=np.float32)).to(images) * 2 - 1
    changed = (images * gain_bc + noise * reach_bc).clamp(0.0, 1.0)
    return torch.where(present[:, :, None, None, None], changed, 0.0)
