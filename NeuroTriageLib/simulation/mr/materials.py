"""What tissue and lesions are made of in MRI: relaxation times, proton density, diffusion; drawn from ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class Material:
    """One material at one field strength.

    Args:
        t1_ms, t2_ms: relaxation times without contrast medium.
        r2prime_per_s: what static field differences in it add to 1/T2 in gradient echoes: 1/T2* - 1/T2.
        density: proton density relative to water.
        adc: mean apparent diffusion coefficient, 1e-3 mm2/s.
        uptake_per_s: what contrast medium adds to 1/T1 some minutes after 0.1 mmol/kg.
        magnetisation_transfer: share of the signal that multi-slice spin echo trains leave of it.
        is_fat: its signal vanishes when fat is suppressed, and stays high in echo trains.
        flow_void: share of its signal that flow takes away in spin echoes.
    """

    t1_ms: float
    t2_ms: float
    r2prime_per_s: float
    density: float
    adc: float
    uptake_per_s: float = 0.0
    magnetisation_transfer: float = 1.0
    is_fat: bool = False
    flow_void: float = 0.0

    def mixed(self, other: Material, share: float) -> Material:
        """This material with a share (0-1) of another: rates and densities are averaged, as in one compartment."""

        def between(a: float, b: float) -> float:
            return (1.0 - share) * a + share * b

        return replace(
            self,
            t1_ms=1.0 / between(1.0 / self.t1_ms, 1.0 / other.t1_ms),
            t2_ms=1.0 / between(1.0 / self.t2_ms, 1.0 / other.t2_ms),
            r2prime_per_s=between(self.r2prime_per_s, other.r2prime_per_s),
            density=between(self.density, other.density),
            adc=between(self.adc, other.adc),
            uptake_per_s=between(self.uptake_per_s, other.uptake_per_s),
            magnetisation_transfer=between(self.magnetisation_transfer, other.magnetisation_transfer),
        )


@dataclass(frozen=True)
class MaterialRange:
    """Ranges that a Material is drawn from, at 1.5 T and at 3 T; one draw places both fields alike.

    Args:
        t1_ms, t2_ms, t2star_ms: (range at 1.5 T, range at 3 T).
        density, adc, uptake_per_s, magnetisation_transfer, flow_void: as in Material.
    """

    t1_ms: tuple[Range, Range]
    t2_ms: tuple[Range, Range]
    t2star_ms: tuple[Range, Range]
    density: Range
    adc: Range
    uptake_per_s: Range = (0.0, 0.05)
    magnetisation_transfer: Range = (1.0, 1.0)
    is_fat: bool = False
    flow_void: Range = (0.0, 0.0)

    def draw(self, rng: np.random.Generator, field_tesla: float) -> Material:
        """One material at a field strength, between or beyond 1.5 and 3 T by its logarithm."""
        share = float(np.log2(field_tesla / 1.5))

        def at(ranges: Sequence[Range]) -> float:
            place = rng.random()
            low, high = (np.log(r[0] + place * (r[1] - r[0])) for r in ranges)
            return float(np.exp(low + share * (high - low)))

        t1, t2, t2star = at(self.t1_ms), at(self.t2_ms), at(self.t2star_ms)
        return Material(
            t1_ms=t1,
            t2_ms=t2,
            r2prime_per_s=max(0.0, 1000.0 / t2star - 1000.0 / t2),
            density=float(rng.uniform(*self.density)),
            adc=float(rng.uniform(*self.adc)),
            uptake_per_s=float(rng.uniform(*self.uptake_per_s)),
            magnetisation_transfer=float(rng.uniform(*self.magnetisation_transfer)),
            is_fat=self.is_fat,
            flow_void=float(rng.uniform(*self.flow_void)),
        )


def single(
    t1_ms: Range,
    t2_ms: Range,
    density: Range,
    adc: Range,
    *,
    t2star_ms: Range | None = None,
    uptake_per_s: Range = (0.0, 0.05),
) -> MaterialRange:
    """A range whose relaxation does not depend on the field, without static differences unless t2star_ms is given.

    For fluids and lesions, of which no values at both fields are known.
    """
    t2star = t2star_ms or t2_ms
    return MaterialRange((t1_ms, t1_ms), (t2_ms, t2_ms), (t2star, t2star), density, adc, uptake_per_s)
