"""The reconstruction kernel's hold on the picture and on the texture and size of the noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from .canvas import HeadCanvas
from .settings import HeadCtSettings
from .stack import Stack

SOFTEST_SHARP_PER_MM = 0.45
"""Kernels whose MTF falls to one half above this frequency (1/mm) count as sharp: they enhance edges (ours)."""

USUAL_PER_MM = 0.35  # of a soft head kernel, about 3.5 line pairs per cm (ours)
NOISIEST_HU = 12.0  # nobody reads a brain with more: thicker slices are made then (ours)
CANVAS_SIGMA_MM = 0.4  # blur of the 1 mm label map interpolated linearly: the standard deviation of its kernel
HALF_OF_BELL = float(np.sqrt(np.log(2.0) / 2.0) / np.pi)  # frequency times sigma where a Gaussian's MTF is one half


@dataclass(frozen=True)
class Kernel:
    """One reconstruction: where its MTF is one half (1/mm), and how far denoising moves the noise downwards (0-1)."""

    half_per_mm: float
    denoising: float

    @property
    def is_sharp(self) -> bool:
        """True when it enhances edges."""
        return self.half_per_mm > SOFTEST_SHARP_PER_MM


def draw_kernel(canvas: HeadCanvas, settings: HeadCtSettings) -> Kernel:
    """A soft or a sharp kernel; sharp ones are rarer."""
    sharp = canvas.chance(settings.sharp_kernel_probability)
    half = canvas.uniform(settings.sharp_kernel_per_mm if sharp else settings.soft_kernel_per_mm)
    kernel = Kernel(half, canvas.uniform(settings.denoising))
    canvas.truth["kernel"] = "sharp" if kernel.is_sharp else "soft"
    canvas.truth["kernel_half_mtf_per_mm"] = round(half, 3)
    return kernel


def filtered(image: torch.Tensor, kernel: Kernel, pixel_mm: float, extra_blur_mm: float) -> torch.Tensor:
    """(K, J, I) as the kernel shows it: a Gaussian point spread (Nickoloff and Riley 1985), or edges overshooting."""
    sigma = HALF_OF_BELL / kernel.half_per_mm
    blur = float(np.sqrt(max(0.0, sigma**2 - CANVAS_SIGMA_MM**2) + extra_blur_mm**2))
    image = blurred(image, blur / pixel_mm)
    if not kernel.is_sharp:
        return image
    # The finer the kernel, the more it lifts the middle frequencies (ours: 0.15 to 1.2 of the difference).
    gain = min(1.2, 0.15 + 3.0 * (kernel.half_per_mm - SOFTEST_SHARP_PER_MM))
    # What it would lift of edges to bone and air is kept: there the overshoot is what makes rims.
    return image + gain * (image - blurred(image, 0.7 / pixel_mm))


def noise_field(canvas: HeadCanvas, stack: Stack, kernel: Kernel, level_hu: float) -> torch.Tensor:
    """(K, J, I) noise whose power grows with frequency and ends with the kernel, as filtered back-projection makes it.

    Its standard deviation is level_hu at 5 mm with the usual kernel, grows with the kernel's frequency to the power
    of 1.5 and falls with slice thickness (Brooks and Di Chiro 1976: variance as 1 / (width^3 * thickness * dose)),
    by less than the square root, because scanners give thin slices more dose.
    """
    count, rows, columns = stack.grid.shape_kji
    pixel = stack.grid.spacing_i_mm
    shape = _amplitude(rows, columns, pixel, kernel, canvas.device)
    generator = torch.Generator(device=canvas.device).manual_seed(int(canvas.rng.integers(1 << 62)))
    parts = torch.randn((count, *shape.shape, 2), generator=generator, device=canvas.device)
    noise = torch.fft.irfft2(torch.view_as_complex(parts) * shape, s=(rows, columns), norm="ortho")
    overlap = (
        float(np.median(stack.thicknesses_mm) / np.median(stack.grid.slice_spacings_mm)) - 1.0 if count > 1 else 0.0
    )
    if overlap > 0.05:  # neighbours share measurements
        share = min(1.0, overlap)
        noise[1:] = (noise[1:] + share * noise[:-1]) / (1.0 + share**2) ** 0.5
    sharpness = (kernel.half_per_mm / USUAL_PER_MM) ** 1.5
    sharpness *= 1.0 - 0.4 * kernel.denoising  # denoising takes part of it away again (ours)
    power = canvas.uniform((0.25, 0.5))
    per_slice = ((5.0 / stack.thicknesses_mm) ** power).clip(0.7, 2.2) * level_hu * min(sharpness, 3.0)
    per_slice = per_slice.clip(max=max(NOISIEST_HU, level_hu))
    canvas.truth["noise_std_hu"] = round(float(np.median(per_slice)), 2)
    return noise * torch.from_numpy(per_slice).float().to(canvas.device)[:, None, None]


def _amplitude(rows: int, columns: int, pixel_mm: float, kernel: Kernel, device: torch.device) -> torch.Tensor:
    """(rows, columns // 2 + 1) root of the noise power spectrum, scaled so that the noise has unit variance.

    Power = frequency * MTF^2 (Riederer, Pelc and Chesler 1978; Kijewski and Judy 1987), with a floor at low
    frequencies, where real scanners do not fall to zero (ours).
    """
    y = torch.fft.fftfreq(rows, pixel_mm, device=device)[:, None]
    x = torch.fft.rfftfreq(columns, pixel_mm, device=device)[None, :]
    frequency = (x * x + y * y).sqrt()
    mtf = torch.exp(-float(np.log(2.0)) * (frequency / kernel.half_per_mm) ** 2)
    smooth = torch.exp(-kernel.denoising * (frequency / USUAL_PER_MM) ** 2)
    power = (frequency + 0.04) * (mtf * smooth) ** 2
    weights = torch.full_like(x, 2.0)
    weights[0, 0] = 1.0
    # Real and imaginary parts of variance one at each frequency of the half plane give twice the power there.
    variance = 2.0 * (power * weights).sum() / (rows * columns)
    return (power / variance).sqrt()


def blurred(image: torch.Tensor, sigma_px: float) -> torch.Tensor:
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
