"""Turns sampled signals into a scanner's image: k-space, filter, ghosts, motion, Rician noise, coil, grey values."""

from __future__ import annotations

import numpy as np
import torch

from .prescription import SeriesPlan

SLICE_UNEVENNESS = 0.02  # neighbouring slices differ by so much (ours)
PULSATION_GHOST = (0.0, 0.015)  # faint copies along the phase axis, from flow (ours)
AVERAGED_DIRECTIONS = 3  # a trace image is the geometric mean of three diffusion directions
LARGEST_ADC = 4.5e-3  # mm2/s, where maps end (ours)
BACKGROUND_SHARE = 0.06  # of the tissue's level, below which an ADC map is masked (ours)
GREY_SHARE = (0.25, 0.45)  # of the upper grey value at which white matter lies (ours)


class ImageFormer:
    """Makes images of one series; every call continues its random numbers.

    Args:
        plan: the series.
        level: signal of white matter, which noise refers to.
    """

    def __init__(self, plan: SeriesPlan, level: float) -> None:
        self.plan, self.level = plan, level
        self.noise = level / plan.snr
        self._shifts = self._motion()

    def magnitude(self, sampled: torch.Tensor, *, averages: int = 1, still: bool = False) -> torch.Tensor:
        """(K, J, I) magnitude image on the final grid of (K, R, A) signals on the acquired one."""
        plan = self.plan
        unevenness = 1.0 + SLICE_UNEVENNESS * plan.rng.standard_normal((len(sampled), 1, 1))
        image = sampled * torch.from_numpy(unevenness.astype(np.float32)).to(sampled.device)
        image = image + self._ghosts(image)
        space = torch.fft.fftshift(torch.fft.fft2(image), dim=(-2, -1))
        if plan.motion_mm > 0 and plan.readout_s == 0.0 and not still:
            space = space * self._shifts.to(space.device)
        rows, columns = plan.acquired
        deviation = self.noise * (rows * columns) ** 0.5 / averages**0.5
        noise = plan.rng.standard_normal((2, *space.shape), dtype=np.float32) * deviation
        space = space + torch.complex(*torch.from_numpy(noise).to(space.device))
        space = space * self._window(rows, 0).to(space.device) * self._window(columns, 1).to(space.device)
        final = plan.stack.grid.shape_kji[1:]
        padded = torch.zeros((len(space), *final), dtype=space.dtype, device=space.device)
        j, i = final[0] // 2 - rows // 2, final[1] // 2 - columns // 2
        padded[:, j : j + rows, i : i + columns] = space
        out = torch.fft.ifft2(torch.fft.ifftshift(padded, dim=(-2, -1))).abs()
        return out * (final[0] * final[1] / (rows * columns))

    def _window(self, count: int, axis: int) -> torch.Tensor:
        place = (torch.arange(count) - count // 2) / (count / 2.0)
        window = 1.0 - self.plan.filter_strength * (0.5 - 0.5 * torch.cos(np.pi * place))
        return window[:, None] if axis == 0 else window[None, :]

    def _ghosts(self, image: torch.Tensor) -> torch.Tensor:
        plan = self.plan
        dim = -2 if plan.phase_axis == 0 else -1
        count = image.shape[dim]
        ghost = torch.zeros_like(image)
        if plan.readout_s != 0.0:
            ghost += plan.ghost * torch.roll(image, count // 2, dim)
        else:
            share, apart = plan.rng.uniform(*PULSATION_GHOST), int(plan.rng.integers(count // 12, count // 3))
            ghost += share * (torch.roll(image, apart, dim) - torch.roll(image, -apart, dim))
        return ghost

    def _motion(self) -> torch.Tensor:
        """Phase of each k-space line: the head jumps to a few places while the lines are read."""
        plan = self.plan
        count = plan.acquired[plan.phase_axis]
        place = np.zeros(count)
        for _ in range(int(plan.rng.integers(1, 5))):
            place[int(plan.rng.integers(0, count)) :] += plan.rng.normal(0.0, 0.5 * plan.motion_mm)
        place -= place[count // 2]
        grid = plan.stack.grid
        spacing = grid.spacing_j_mm if plan.phase_axis == 0 else grid.spacing_i_mm
        length = spacing * grid.shape_kji[1 + plan.phase_axis]
        phase = -2.0 * np.pi * (np.arange(count) - count // 2) / length * place
        lines = torch.from_numpy(np.exp(1j * phase).astype(np.complex64))
        return lines[:, None] if plan.phase_axis == 0 else lines[None, :]

    def corrected(self, image: torch.Tensor, coil: torch.Tensor) -> torch.Tensor:
        """The image with the coil's sensitivity divided out but for the plan's share of it."""
        return image / coil.clamp(min=0.05) ** (1.0 - self.plan.bias)

    def in_units(self, image: torch.Tensor, upper: float) -> np.ndarray:
        """int16 grey values: white matter lies at a drawn share of the upper one; brighter tissue may exceed it."""
        scale = upper * self.plan.rng.uniform(*GREY_SHARE) / self.level
        return (image * scale).round().clamp(0, 32767).to(torch.int16).cpu().numpy()


def adc_map(b0: torch.Tensor, trace: torch.Tensor, b_s_per_mm2: float, *, background: float) -> torch.Tensor:
    """mm2/s from two magnitude images; 0 where b0 lies below background."""
    ratio = (b0.clamp(min=1e-12) / trace.clamp(min=1e-12)).log() / b_s_per_mm2
    return torch.where(b0 < background, torch.zeros_like(ratio), ratio.clamp(0.0, LARGEST_ADC))
