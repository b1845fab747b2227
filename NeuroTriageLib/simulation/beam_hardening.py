"""What a polychromatic beam does to the slices: cupping, bands between dense bones, metal streaks, uneven noise.

Every slice is projected on a coarse grid as water, bone and metal; the detector's signal is summed over the spectrum;
the scanner's correction for water is applied; what is left of the error is reconstructed (Brooks and Di Chiro 1976;
Joseph and Spital 1978).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

from .projections import Projector, projector

GRID = 96  # pixels across the field of view, 2-3 mm each (ours: the artefacts are smooth, fine ones are drawn as noise)
VIEWS = 72  # over 180 degrees (ours)
BAND_SLICE_MM = 3.5  # slices closer together than this share their artefacts, interpolated (ours)

# Linear attenuation in 1/cm at energies in keV: mass attenuation (NIST tables of Hubbell and Seltzer 2004) times
# density, water 1.0, cortical bone 1.92 (ICRU 44), titanium 4.506 g/cm3.
ENERGIES_KEV = np.array([40.0, 50.0, 60.0, 80.0, 100.0])
WATER = np.array([0.2683, 0.2269, 0.2059, 0.1837, 0.1707])
BONE = np.array([0.6655, 0.4242, 0.3148, 0.2229, 0.1855]) * 1.92
METAL = np.array([2.214, 1.213, 0.7661, 0.4052, 0.2721]) * 4.506
# Signal per energy bin of an energy-integrating detector at 120 kV behind a usual filter, mean about 66 keV (ours,
# after the shape of tungsten spectra in Boone and Seibert 1997).
SIGNAL = np.array([0.10, 0.19, 0.28, 0.28, 0.15])

BONE_FROM_HU, BONE_HU = 60.0, 1935.0  # soft tissue ends; the HU of the bone above at 60 keV
METAL_FROM_HU, METAL_HU = 3000.0, 15800.0  # denser than any bone; the HU of titanium at 60 keV
LARGEST_ATTENUATION = 9.0  # the detector's floor: what it cannot tell from nothing (ours)
FLOOR_NOISE = 0.3  # of the noise at full resolution, how much lies in the coarse grid's frequencies (ours)


@dataclass(frozen=True)
class Beam:
    """How one scanner suffers from it.

    Args:
        hardening: share of the error of bone that its correction leaves.
        metal: the same for rays through metal.
        scatter: signal of scattered photons, as a share of the open beam.
        noise_hu: noise of a plain slice; rays through more bone carry more.
    """

    hardening: float
    metal: float
    scatter: float
    noise_hu: float


@dataclass(frozen=True)
class BeamArtefacts:
    """On the coarse grid of some slices: Hounsfield units to add, a factor on the noise, and which slices."""

    added_hu: torch.Tensor
    noise_gain: torch.Tensor
    has_metal: bool


def beam_artefacts(hu: torch.Tensor, pixel_mm: float, beam: Beam, generator: torch.Generator) -> BeamArtefacts:
    """The artefacts of slices (N, J, J) whose Hounsfield units are not clipped; results are (N, GRID, GRID)."""
    coarse = F.adaptive_avg_pool2d(hu[:, None], GRID)[:, 0]
    pixel_cm = pixel_mm * hu.shape[1] / GRID / 10.0
    rays = projector(GRID, VIEWS, hu.device)
    metal = ((coarse - METAL_FROM_HU) / (METAL_HU - METAL_FROM_HU)).clamp(0.0, 2.0)
    has_metal = bool((metal > 0).any())
    bone = ((coarse.clamp(max=METAL_FROM_HU) - BONE_FROM_HU) / (BONE_HU - BONE_FROM_HU)).clamp(min=0.0)
    water = (1.0 + coarse.clamp(-1000.0, BONE_FROM_HU) / 1000.0) * (1.0 - bone).clamp(min=0.0)
    paths = [rays.project(part) * pixel_cm for part in ((water, bone, metal) if has_metal else (water, bone))]
    attenuation = _attenuation(paths, beam.scatter)
    error_cm = _error(paths[:2], _attenuation(paths[:2], beam.scatter) if has_metal else attenuation) * beam.hardening
    if has_metal:
        error_cm = error_cm + beam.metal * _metal_error(paths, attenuation)
    noise = _starved_noise(attenuation, beam.noise_hu, pixel_cm, generator)
    added = rays.reconstruct(error_cm * 1000.0 / pixel_cm + noise)
    return BeamArtefacts(added, _noise_gain(rays, attenuation, coarse), has_metal)


def _attenuation(paths_cm: list[torch.Tensor], scatter: float) -> torch.Tensor:
    """-log of the detected signal behind so many centimetres of water, bone and metal."""
    total = torch.zeros_like(paths_cm[0])
    for number, weight in enumerate(SIGNAL / SIGNAL.sum()):
        exponent = paths_cm[0] * float(WATER[number])
        for path, table in zip(paths_cm[1:], (BONE, METAL), strict=False):
            exponent.add_(path, alpha=float(table[number]))
        total.add_(exponent.neg_().exp_(), alpha=float(weight))
    return -(total + (scatter + float(np.exp(-LARGEST_ATTENUATION)))).log()


@lru_cache(maxsize=1)
def _water_correction() -> np.ndarray:
    """Coefficients of the centimetres of water that give an attenuation: a polynomial without constant."""
    depth = np.linspace(0.0, 40.0, 200)
    signal = (SIGNAL / SIGNAL.sum()) @ np.exp(-WATER[:, None] * depth)
    attenuation = -np.log(signal)
    powers = attenuation[:, None] ** np.arange(1, 5)
    return np.linalg.lstsq(powers, depth, rcond=None)[0]


def _as_water_cm(attenuation: torch.Tensor) -> torch.Tensor:
    a, b, c, d = (float(v) for v in _water_correction())
    return attenuation * (a + attenuation * (b + attenuation * (c + attenuation * d)))


def _error(paths_cm: list[torch.Tensor], attenuation: torch.Tensor) -> torch.Tensor:
    """Centimetres of water too many or too few, less what is proportional to the bone (its own calibration)."""
    water, bone = paths_cm
    error = _as_water_cm(attenuation) - water
    squared = float((bone * bone).sum())
    return error - bone * (float((error * bone).sum()) / squared if squared > 0 else 0.0)


def _metal_error(paths_cm: list[torch.Tensor], attenuation: torch.Tensor) -> torch.Tensor:
    """What rays through metal lack in centimetres of water."""
    middle = 2  # 60 keV, where METAL_HU is defined
    ideal = paths_cm[0] + (paths_cm[1] * float(BONE[middle]) + paths_cm[2] * float(METAL[middle])) / float(
        WATER[middle]
    )
    return torch.where(paths_cm[2] > 0.01, _as_water_cm(attenuation) - ideal, 0.0)


def _starved_noise(
    attenuation: torch.Tensor, noise_hu: float, pixel_cm: float, generator: torch.Generator
) -> torch.Tensor:
    """Noise of the rays that fewer photons reach than a plain head lets through; its variance grows as exp.

    Streaks along the densest paths come from it. (Riederer, Pelc and Chesler 1978 for the variance.)
    """
    count = attenuation.shape[1]
    inside = attenuation[:: max(1, count // 64)]
    usual = torch.quantile(inside[inside > 1.0][:100_000], 0.6) if bool((inside > 1.0).any()) else attenuation.max()
    excess = ((attenuation - usual).clamp(max=4.0).exp() - 1.0).clamp(min=0.0).sqrt()
    white = torch.randn(attenuation.shape, generator=generator, device=attenuation.device)
    # White noise of one unit per ray gives 0.7 pi / sqrt(12 * views) per pixel: the ramp's power over the views, and
    # 0.7 for the interpolation between detectors (measured).
    per_ray = FLOOR_NOISE * noise_hu * (12.0 * VIEWS) ** 0.5 / (0.7 * np.pi)
    return excess * white * per_ray


def _noise_gain(rays: Projector, attenuation: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
    """Local standard deviation of the noise relative to the middle of a head: root of the mean of exp(attenuation)."""
    gain = rays.smear(attenuation.clamp(max=8.0).exp()).clamp(min=1.0).sqrt()
    brain = (coarse > 0.0) & (coarse < 80.0)
    usual = gain[brain].median() if bool(brain.any()) else gain.median()
    return (gain / usual).clamp(0.25, 3.0)
