"""What the scanner makes of the slices: kernel, beam, bone glow, motion, noise, surroundings, padding."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from .beam_hardening import BAND_SLICE_MM, GRID, VIEWS, Beam, beam_artefacts
from .canvas import HeadCanvas
from .projections import projector
from .reconstruction_kernel import blurred, draw_kernel, filtered, noise_field
from .settings import HeadCtSettings
from .stack import Stack
from .surroundings import add_surroundings, pad_outside_circle

MOTION_STREAKS = 0.4  # scanners weight views that agree badly down; how much of the streaks they leave (ours)
SHIFT_HU = 4.0  # a band or streak of more than this, in the head, is named in truth (ours)


def finish_image(canvas: HeadCanvas, hu: torch.Tensor, stack: Stack, settings: HeadCtSettings) -> torch.Tensor:
    """(K, J, I) float Hounsfield units as the scanner would show them; what was drawn goes into canvas.truth."""
    canvas.truth["artefacts"] = []
    pixel = stack.grid.spacing_i_mm
    kernel = draw_kernel(canvas, settings)
    level = canvas.uniform(settings.noise_hu)
    canvas.truth["noise_hu"] = round(level, 2)
    hu = filtered(hu, kernel, pixel, canvas.uniform(settings.blur_mm))
    hu = add_surroundings(canvas, hu, pixel, settings)
    if stack.motion_mm > 0.0:
        hu = _moved(canvas, hu, pixel, stack.motion_mm)
    added, gain = _scanner_fields(canvas, hu, stack, level, settings)
    hu = hu + added
    hu = hu.addcmul_(gain, noise_field(canvas, stack, kernel, level))
    hu = hu + canvas.uniform(settings.offset_hu)
    return pad_outside_circle(canvas, hu, settings)


def _scanner_fields(
    canvas: HeadCanvas, hu: torch.Tensor, stack: Stack, level_hu: float, settings: HeadCtSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """(K, J, I) Hounsfield units to add and the factor on the noise.

    Both are smooth: they are made on a coarse grid of some slices and interpolated between.
    """
    beam = Beam(
        hardening=canvas.uniform(settings.beam_hardening),
        metal=canvas.uniform(settings.metal_artefact),
        scatter=canvas.uniform(settings.scatter),
        noise_hu=level_hu,
    )
    generator = torch.Generator(device=canvas.device).manual_seed(int(canvas.rng.integers(1 << 62)))
    picked, weights = _sparse_slices(stack, canvas.device)
    fewer = hu[picked]
    artefacts = beam_artefacts(fewer, stack.grid.spacing_i_mm, beam, generator)
    coarse = F.adaptive_avg_pool2d(fewer[:, None], GRID)[:, 0]
    head = (coarse > -400.0).float()
    _name_artefacts(canvas, artefacts.added_hu, coarse, artefacts.has_metal)
    mm = stack.grid.spacing_i_mm * hu.shape[1] / GRID
    added = artefacts.added_hu + _bone_glow(canvas, coarse, mm, settings) * head
    gain = artefacts.noise_gain * (0.6 + 0.4 * head)  # air is quieter than the head
    added, gain = (torch.einsum("kp,pji->kji", weights, field) for field in (added, gain))
    size = hu.shape[1:]
    fields = [
        F.interpolate(field[:, None], size=size, mode="bilinear", align_corners=False)[:, 0] for field in (added, gain)
    ]
    return fields[0], fields[1]


def _sparse_slices(stack: Stack, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices of slices about BAND_SLICE_MM apart, and (K, P) weights that interpolate between them."""
    count = stack.grid.shape_kji[0]
    heights = np.concatenate([[0.0], np.cumsum(stack.grid.slice_spacings_mm)]) if count > 1 else np.zeros(1)
    picked = [0]
    for k in range(1, count):
        if heights[k] - heights[picked[-1]] >= BAND_SLICE_MM or k == count - 1:
            picked.append(k)
    weights = np.zeros((count, len(picked)), np.float32)
    for p in range(len(picked)):
        hat = np.zeros(len(picked))
        hat[p] = 1.0
        weights[:, p] = np.interp(heights, heights[picked], hat)
    return torch.tensor(picked, device=device), torch.from_numpy(weights).to(device)


def _bone_glow(canvas: HeadCanvas, coarse: torch.Tensor, mm: float, settings: HeadCtSettings) -> torch.Tensor:
    """Bone's far reach: what the kernel's tails and the scanner's own correction leave beside it.

    Real scans show more of it than the beam's physics alone; its ranges were measured on one (HeadCtSettings).
    """
    bone = ((coarse - 250.0) / 1000.0).clamp(0.0, 1.5)
    out = canvas.uniform(settings.bone_glow_hu) * blurred(bone, canvas.uniform((2.0, 5.0)) / mm)
    halo = canvas.uniform(settings.bone_halo_hu)
    canvas.truth["bone_halo_hu"] = round(halo, 1)
    out = out + halo * blurred(bone, canvas.uniform((7.0, 14.0)) / mm)
    head = (coarse > -400.0).float()
    return out - canvas.uniform(settings.cupping_hu) * blurred(head, 25.0 / mm)


def _name_artefacts(canvas: HeadCanvas, added: torch.Tensor, coarse: torch.Tensor, has_metal: bool) -> None:
    brain = added[(coarse > -10.0) & (coarse < 90.0)]
    if not len(brain):
        return
    dark, bright = (float(torch.quantile(brain[:1_000_000], q)) for q in (0.002, 0.998))
    canvas.truth["beam_hu"] = [round(dark, 1), round(bright, 1)]
    if min(dark, -bright) < -SHIFT_HU:
        canvas.truth["artefacts"].append("beam hardening")
    if has_metal:
        canvas.truth["artefacts"].append("metal streaks")


def _moved(canvas: HeadCanvas, hu: torch.Tensor, pixel_mm: float, distance_mm: float) -> torch.Tensor:
    """Some slices in which the head moved half-way through the views: two heads, and streaks between them."""
    slices = sorted(canvas.rng.choice(len(hu), max(1, round(len(hu) * canvas.uniform((0.05, 0.4)))), replace=False))
    rays = projector(GRID, VIEWS, hu.device)
    out = hu.clone()
    for k in slices:
        angle = canvas.uniform((0.0, 2.0 * np.pi))
        away = distance_mm * canvas.uniform((0.3, 1.0)) / pixel_mm
        other = _shifted(hu[k], away * float(np.sin(angle)), away * float(np.cos(angle)))
        difference = F.adaptive_avg_pool2d((other - hu[k]).clamp(-1500.0, 1500.0)[None, None], GRID)[0]
        views = rays.project(difference).reshape(VIEWS, rays.detectors, 1) * _after_the_move(canvas, VIEWS)
        streaks = MOTION_STREAKS * (rays.reconstruct(views.reshape(-1, 1).contiguous()) - 0.5 * difference)
        streaks = F.interpolate(streaks[None], size=hu.shape[1:], mode="bilinear", align_corners=False)[0, 0]
        out[k] = 0.5 * (hu[k] + other) + streaks
    canvas.truth["artefacts"].append("motion")
    canvas.truth["motion_mm"] = round(distance_mm, 2)
    return out


def _after_the_move(canvas: HeadCanvas, views: int) -> torch.Tensor:
    """(views, 1, 1) share of each view that is seen after the head has moved; the scan starts at any angle."""
    middle, width = views * canvas.uniform((0.35, 0.65)), views * canvas.uniform((0.1, 0.35))
    share = ((torch.arange(views, device=canvas.device) - middle) / width + 0.5).clamp(0.0, 1.0)
    return share.roll(int(canvas.rng.integers(views)))[:, None, None]


def _shifted(image: torch.Tensor, down_px: float, right_px: float) -> torch.Tensor:
    """(J, I) moved by parts of pixels."""
    rows, columns = image.shape
    y = torch.linspace(-1, 1, rows, device=image.device) - 2.0 * down_px / (rows - 1)
    x = torch.linspace(-1, 1, columns, device=image.device) - 2.0 * right_px / (columns - 1)
    grid = torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]), -1)
    return F.grid_sample(image[None, None], grid[None], padding_mode="border", align_corners=True)[0, 0]
