"""What the scanner adds to the slices: blur, cupping, glow beside bone, streaks, noise, head rest, air."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from .canvas import HeadCanvas
from .settings import HeadCtSettings
from .stack import Stack

COARSE_MM = 2.5  # grid of the smooth artefacts (ours)
AIR_HU = -1024.0


def finish_image(canvas: HeadCanvas, hu: torch.Tensor, stack: Stack, settings: HeadCtSettings) -> torch.Tensor:
    """(K, J, I) float Hounsfield units as the scanner would show them; what was drawn goes into canvas.truth."""
    pixel = stack.grid.spacing_i_mm
    hu = _blur(hu, canvas.uniform(settings.blur_mm) / pixel)
    if canvas.chance(settings.head_rest_probability):
        hu = _add_head_rest(canvas, hu, pixel)
    artefact, noise_gain = _artefacts(canvas, hu, pixel, settings)
    size = hu.shape[1:]
    hu = hu + F.interpolate(artefact[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
    gain = F.interpolate(noise_gain[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
    hu = hu + gain * _noise(canvas, stack, pixel, settings)
    hu = hu + canvas.uniform(settings.offset_hu)
    return _cut_to_circle(hu)


def _blur(image: torch.Tensor, sigma_px: float) -> torch.Tensor:
    """In-plane Gaussian blur of (K, J, I)."""
    if sigma_px < 0.2:
        return image
    reach = max(1, int(np.ceil(2.5 * sigma_px)))
    for axis in (1, 2):
        image = _blur_along(image, axis, sigma_px, reach)
    return image


def _blur_along(image: torch.Tensor, axis: int, sigma_px: float, reach: int) -> torch.Tensor:
    """Blur one axis, edges repeated. As sums of shifted copies or one matrix product: torch's convolution of a single
    channel is several times slower on a CPU."""
    count = image.shape[axis]
    if reach > 8:
        place = torch.arange(count, device=image.device)
        matrix = torch.exp(-0.5 * ((place[:, None] - place) / sigma_px) ** 2)
        matrix = matrix / matrix.sum(1, keepdim=True)
        return matrix @ image if axis == 1 else image @ matrix.T
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    weights = [float(w) for w in bell / bell.sum()]
    pad = [0, 0, reach, reach] if axis == 1 else [reach, reach, 0, 0]
    padded = F.pad(image[:, None], pad, mode="replicate")[:, 0]
    out = padded.narrow(axis, reach, count) * weights[reach]
    for shift in range(1, reach + 1):
        both = padded.narrow(axis, reach - shift, count) + padded.narrow(axis, reach + shift, count)
        out.add_(both, alpha=weights[reach + shift])
    return out


def _artefacts(
    canvas: HeadCanvas, hu: torch.Tensor, pixel: float, settings: HeadCtSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """(K, h, w) Hounsfield units to add and a factor on the noise, on a coarse grid."""
    step = max(1, round(COARSE_MM / pixel))
    low = F.avg_pool2d(hu[:, None], step)[:, 0]
    mm = step * pixel
    bone = ((low - 250.0) / 1000.0).clamp(0.0, 1.5)
    head = (low > -400.0).float()
    glow = _blur(bone, canvas.uniform((2.0, 5.0)) / mm)
    out = canvas.uniform(settings.bone_glow_hu) * glow
    halo = canvas.uniform(settings.bone_halo_hu)
    canvas.truth["bone_halo_hu"] = round(halo, 1)
    out = out + halo * _blur(bone, canvas.uniform((7.0, 14.0)) / mm)
    shape = _blur(head, 25.0 / mm)
    out = out - canvas.uniform(settings.cupping_hu) * shape * head
    band = _bone_bands(canvas, bone, mm)
    streak = canvas.uniform(settings.streak_hu)
    canvas.truth["streak_hu"] = round(streak, 1)
    out = (out - streak * band) * head
    # More bone on the way, fewer photons: noise grows in the bands; air is quieter than the head.
    gain = (0.55 + 0.35 * shape + 0.25 * head + 0.5 * band.abs()).clamp(0.3, 2.5)
    return out, gain


def _bone_bands(canvas: HeadCanvas, bone: torch.Tensor, mm: float) -> torch.Tensor:
    """Dark bands and fine streaks between dense bones on the left and right, strongest at the skull base.

    Bands are dark where X-rays pass thick bone on the left and on the right, as between the petrous ridges (a simple
    stand-in for beam hardening).
    """
    left, right = bone.cumsum(2) * mm, bone.flip(2).cumsum(2).flip(2) * mm
    both = torch.minimum(left, right)
    level = ((both - 9.0) / 18.0).clamp(0.0, 1.5)  # plain skull on both sides (about 7-9 mm) makes no band
    level = _blur(level, 3.0 / mm)
    count, rows, columns = bone.shape
    fine = canvas.rng.standard_normal((count, rows, 3), dtype=np.float32)
    lines = F.interpolate(torch.from_numpy(fine).to(bone.device)[:, None], size=(rows, columns), mode="bilinear")[:, 0]
    return level * (0.6 + 0.5 * lines)


def _noise(canvas: HeadCanvas, stack: Stack, pixel: float, settings: HeadCtSettings) -> torch.Tensor:
    """Correlated noise; thinner slices have more, at a dose that is only partly adapted."""
    level = canvas.uniform(settings.noise_hu)
    correlation = canvas.uniform(settings.noise_correlation_mm) / pixel
    canvas.truth["noise_hu"] = round(level, 2)
    generator = torch.Generator(device=canvas.device).manual_seed(int(canvas.rng.integers(1 << 62)))
    white = torch.randn(stack.grid.shape_kji, generator=generator, device=canvas.device)
    noise = _blur(white, correlation)
    noise = noise / noise[:: max(1, len(noise) // 4)].std().clamp(min=1e-3)
    power = canvas.uniform((0.25, 0.5))
    per_slice = torch.from_numpy((5.0 / stack.thicknesses_mm) ** power).float().clamp(0.7, 2.2).to(canvas.device)
    return noise * (level * per_slice)[:, None, None]


def _add_head_rest(canvas: HeadCanvas, hu: torch.Tensor, pixel: float) -> torch.Tensor:
    """A shell behind the head, in the air only, open at the top."""
    count, rows, columns = hu.shape
    gap, width = canvas.uniform((6.0, 20.0)), canvas.uniform((2.0, 5.0))
    value = canvas.uniform((-600.0, 150.0))
    used = (hu[:: max(1, count // 8)] > -500).any(0)
    at_rows, at_columns = torch.nonzero(used.any(1)).flatten(), torch.nonzero(used.any(0)).flatten()
    if len(at_rows) < 2:
        return hu
    bottom = float(at_rows[-1]) * pixel + gap
    middle = float(at_columns[0] + at_columns[-1]) / 2.0 * pixel
    half = float(at_columns[-1] - at_columns[0]) / 2.0 * pixel + gap + 12.0
    y = torch.arange(rows, device=hu.device)[:, None] * pixel - (bottom - 1.3 * half)
    x = torch.arange(columns, device=hu.device)[None, :] * pixel - middle
    radius = ((x / half) ** 2 + (y / (1.3 * half)) ** 2).sqrt() * half
    shell = (1.0 - (radius - half).abs() / width).clamp(0.0, 1.0) * (y > 0.25 * half)
    return torch.where(hu < -900, hu + shell * (value - hu), hu)


def _cut_to_circle(hu: torch.Tensor) -> torch.Tensor:
    """Air outside the reconstruction circle."""
    _, rows, columns = hu.shape
    y = torch.linspace(-1, 1, rows, device=hu.device)[:, None]
    x = torch.linspace(-1, 1, columns, device=hu.device)[None, :]
    return torch.where(x * x + y * y <= 1.0, hu, AIR_HU).clamp(AIR_HU, 3071.0)
