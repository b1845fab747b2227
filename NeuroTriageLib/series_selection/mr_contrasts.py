"""The names of MR contrasts: those that a role can take, and the kinds that are told apart only to be left out."""

from __future__ import annotations

from dataclasses import dataclass

ROLES = ("FLAIR", "ADC", "TRACE", "T2star", "SWI", "T1", "T1post", "T2")
"""Contrasts that a system may read (Nael 2021, table 1; SWI stands beside T2* because sites make one or the other)."""

CONTRASTS = {
    "FLAIR": "inversion recovery that darkens cerebrospinal fluid, T2-weighted",
    "ADC": "map of the apparent diffusion coefficient",
    "TRACE": "diffusion-weighted image averaged over the directions (isotropic)",
    "T2star": "T2*-weighted gradient echo",
    "SWI": "susceptibility-weighted image, or the 3D gradient echo that it is made from",
    "T1": "T1-weighted, no sign of contrast agent",
    "T1post": "T1-weighted after contrast agent",
    "T2": "T2-weighted spin echo",
    "DWI": "diffusion images of single directions, or of b-values and directions in one stack",
    "B0": "echo-planar image without diffusion weighting",
    "DIFFUSION_MAP": "other map from diffusion: anisotropy, exponential ADC, tensor",
    "SBREF": "spin-echo or single-band echo-planar reference without diffusion weighting",
    "BOLD": "functional series: gradient-echo echo-planar volumes over time",
    "PERFUSION": "images of a bolus over time",
    "ASL": "arterial spin labelling",
    "PERFUSION_MAP": "map from perfusion: blood flow, blood volume, transit time",
    "PD": "proton-density-weighted spin echo",
    "STIR": "short inversion time: fat is dark, not fluid",
    "DIR": "double inversion recovery",
    "SSFP": "balanced steady state or cisternography",
    "ANGIO": "angiography: time of flight, phase contrast, contrast-enhanced",
    "PHASE": "phase image",
    "PROJECTION": "projection over slices (maximum, minimum) or rendering",
    "FIELDMAP": "map of the magnetic field, or the echoes it is made from",
    "MAP": "other computed map: relaxation times, statistics",
    "LOCALIZER": "localiser",
    "SPECTROSCOPY": "spectra, not images",
    "OTHER": "nothing in header or pixels says what it is",
    "NOT_MR": "not an MR image",
}
"""Every answer of the identification, and what it means."""


@dataclass(frozen=True)
class Verdict:
    """What one rule says of a series.

    Args:
        contrast: key of CONTRASTS.
        confidence: 0-1; ours: 0.95 and more when the header says it in so many words or numbers allow nothing else,
            0.8-0.95 when they fit one contrast well, below 0.8 when others are possible.
        reason: a sentence with the entry or the numbers that say so.
        alternatives: contrasts that this reason does not exclude; a description or the pixels may choose among them.
    """

    contrast: str
    confidence: float
    reason: str
    alternatives: tuple[str, ...] = ()


WEAK = 0.8
"""Below this confidence description and pixels are asked (ours)."""
