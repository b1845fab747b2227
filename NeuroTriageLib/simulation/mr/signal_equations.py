"""Signal of a material in a pulse sequence: spin echo, inversion recovery, gradient echo, diffusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .materials import Material

TECHNIQUES = ("spin echo", "inversion recovery", "gradient echo", "magnetisation prepared", "diffusion")

ECHO_PLANAR_SHARE = 0.12
"""Share of 1/T2' that a spin-echo echo-planar image feels, whose k-space is not all read at the echo (ours)."""

INFLOW_GAIN = 0.6
"""Gradient echoes show blood that flows in brighter by up to this share (ours)."""


@dataclass(frozen=True)
class PulseSequence:
    """What the scanner plays.

    Args:
        technique: one of TECHNIQUES.
        tr_ms, te_ms, ti_ms, flip_deg: repetition, echo and inversion time (0 without inversion), flip angle.
        b_s_per_mm2: diffusion weighting.
        fat_left: share of the fat's signal that is left (1 without fat suppression).
        contrast_medium: given before.
        susceptibility_gain: how often 1/T2' counts (phase masks of susceptibility-weighted images: over 1).
    """

    technique: str
    tr_ms: float
    te_ms: float
    ti_ms: float = 0.0
    flip_deg: float = 90.0
    b_s_per_mm2: float = 0.0
    fat_left: float = 1.0
    contrast_medium: bool = False
    susceptibility_gain: float = 1.0

    @property
    def reads_gradient_echoes(self) -> bool:
        """True when static field differences take signal away."""
        return self.technique in ("gradient echo", "magnetisation prepared")

    @property
    def static_dephasing_s(self) -> float:
        """How long static field differences act, in seconds: multiply with 1/T2' for the logarithm of the loss."""
        if self.reads_gradient_echoes:
            return self.susceptibility_gain * self.te_ms / 1000.0
        return ECHO_PLANAR_SHARE * self.te_ms / 1000.0 if self.technique == "diffusion" else 0.0


def signals(materials: Sequence[Material], sequence: PulseSequence) -> np.ndarray:
    """(N,) float32 magnitude of each material's signal, relative to fully relaxed water without any decay.

    The equations are those of Bernstein, Handbook of MRI Pulse Sequences, 2004 (from memory): spin echo, inversion
    recovery with a spin echo or a gradient echo, the spoiled gradient echo in steady state, mono-exponential diffusion.
    """
    return np.array([_signal(material, sequence) for material in materials], dtype=np.float32)


def _signal(m: Material, s: PulseSequence) -> float:
    t1 = m.t1_ms if not s.contrast_medium else 1.0 / (1.0 / m.t1_ms + m.uptake_per_s / 1000.0)
    recovered = np.exp(-s.tr_ms / t1)
    decay = np.exp(-s.te_ms / m.t2_ms - s.static_dephasing_s * m.r2prime_per_s)
    if s.technique in ("inversion recovery", "magnetisation prepared"):
        longitudinal = abs(1.0 - 2.0 * np.exp(-s.ti_ms / t1) + recovered)
    elif s.technique == "gradient echo":
        angle = np.radians(s.flip_deg)
        longitudinal = np.sin(angle) * (1.0 - recovered) / (1.0 - np.cos(angle) * recovered)
    else:
        longitudinal = 1.0 - recovered
    value = m.density * longitudinal * decay * np.exp(-s.b_s_per_mm2 * m.adc * 1e-3)
    if m.is_fat:
        value *= s.fat_left
    if s.reads_gradient_echoes:
        return float(value * (1.0 + INFLOW_GAIN * m.flow_void))
    return float(value * m.magnetisation_transfer * (1.0 - m.flow_void))
