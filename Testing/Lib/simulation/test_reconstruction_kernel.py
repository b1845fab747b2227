"""The kernel's blur and overshoot, and the size and texture of filtered back-projection's noise."""

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.simulation.canvas import HeadCanvas
from NeuroTriageLib.simulation.reconstruction_kernel import Kernel, blurred, filtered, noise_field
from NeuroTriageLib.simulation.stack import Stack

SOFT, SHARP = Kernel(0.35, 0.0), Kernel(0.65, 0.0)


def _stack(spacing=5.0, thickness=5.0, count=6, pixel=0.5):
    affine = np.diag([pixel, pixel, spacing, 1.0])
    grid = SliceGrid.from_affine((count, 128, 128), affine)
    return Stack(grid, np.full(count, thickness), 0.0, 0.0, np.zeros((count, 3)), 0.0)


def _noise(anatomy, stack, kernel):
    return noise_field(HeadCanvas(anatomy, 3, torch.device("cpu")), stack, kernel, 4.0).numpy()


def test_noise_has_the_asked_standard_deviation_at_five_millimetres(anatomy):
    assert _noise(anatomy, _stack(), SOFT).std() == pytest.approx(4.0, rel=0.05)


def test_a_sharp_kernel_and_thin_slices_are_noisier(anatomy):
    usual = _noise(anatomy, _stack(), SOFT).std()
    assert _noise(anatomy, _stack(), SHARP).std() > 2.0 * usual
    assert _noise(anatomy, _stack(1.0, 1.0), SOFT).std() > 1.4 * usual


def test_noise_power_rises_with_frequency_and_ends_with_the_kernel(anatomy):
    spectrum = np.abs(np.fft.rfft2(_noise(anatomy, _stack(count=24), SOFT))) ** 2
    y, x = np.fft.fftfreq(128, 0.5)[:, None], np.fft.rfftfreq(128, 0.5)[None, :]
    frequency = np.hypot(y, x)
    power = [spectrum.mean(0)[(frequency >= f) & (frequency < f + 0.05)].mean() for f in (0.01, 0.2, 0.85)]
    assert power[1] > 1.8 * power[0]
    assert power[2] < 0.1 * power[1]


def test_denoising_makes_the_noise_smaller_and_coarser(anatomy):
    def neighbours(noise):
        return np.corrcoef(noise[:, :, 1:].ravel(), noise[:, :, :-1].ravel())[0, 1]

    plain, smooth = (_noise(anatomy, _stack(), Kernel(0.35, d)) for d in (0.0, 1.0))
    assert smooth.std() < 0.7 * plain.std()
    assert neighbours(smooth) > neighbours(plain)


def test_neighbouring_slices_share_noise_only_when_they_overlap(anatomy):
    def between(noise):
        return np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1]

    assert abs(between(_noise(anatomy, _stack(), SOFT))) < 0.05
    assert between(_noise(anatomy, _stack(2.5, 5.0), SOFT)) > 0.3


def test_a_soft_kernel_keeps_within_the_edge_and_a_sharp_one_overshoots():
    edge = torch.zeros(1, 64, 64)
    edge[:, :, 32:] = 100.0
    soft, sharp = filtered(edge, SOFT, 0.5, 0.0), filtered(edge, SHARP, 0.5, 0.0)
    assert soft.max() <= 100.001
    assert sharp.max() > 103.0
    assert sharp.min() < -3.0
    assert soft.mean() == pytest.approx(float(sharp.mean()), abs=0.1)


def test_blur_by_shifts_and_by_matrix_keep_the_sum_and_the_width():
    point = torch.zeros(1, 101, 101)
    point[0, 50, 50] = 1.0
    place = torch.arange(101.0) - 50.0
    for sigma in (1.5, 6.0):
        row = blurred(point, sigma)[0].sum(0)
        assert float(row.sum()) == pytest.approx(1.0, abs=1e-4)
        assert float((row * place**2).sum().sqrt()) == pytest.approx(sigma, rel=0.06)
