"""What the pixels of a head MR series show of its contrast: whether fluid is bright or dark, and the tissues' spread.

It is a fallback for headers that leave the contrast open. It can tell bright fluid (T2, no diffusion weighting, T2*)
from dark fluid (T1, FLAIR, trace), an ADC map by its values, and, less surely, T1 by the narrow top of its histogram:
white matter is the brightest tissue, and fluid, fat and grey matter lie below it. It cannot tell contrast agent, T2*
from T2, FLAIR from trace, or anything in images that do not show the brain; large bleedings, tumours and oedema shift
its figures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core.geometry import SliceGrid
from ..core.inner_head import MIN_VOXELS, inner_head
from .mr_contrast import Identification
from .mr_contrasts import WEAK

# Shares and ratios are ours, set on eight real series of three patients (1.5 and 3 T) and on geometry; the distance
# of those series from the limits is in docs/series_identification.md.
BRIGHT_FLUID_SHARE = 0.03  # voxels brighter than 1.8 times the median
BRIGHT_FACTOR = 1.8
NARROW_TOP = 0.27  # (95th percentile - median) / median of T1; FLAIR and trace are wider
ADC_FLUID_RATIO = 4.0  # 99th to 25th percentile: free water 3.0e-3 to tissue 0.7e-3 mm2/s
PIXELS_ALONE = 0.5
"""Confidence when nothing but the pixels speaks (ours)."""

_BRIGHT = ("T2", "B0", "T2star", "SWI", "BOLD", "SSFP", "PERFUSION", "SBREF")
_DARK_NARROW = ("T1", "T1post", "ANGIO", "FLAIR", "TRACE", "DWI", "PD")
_DARK_WIDE = ("FLAIR", "TRACE", "DWI", "T1", "T1post", "PD")


@dataclass(frozen=True)
class PixelLook:
    """Figures of the middle of the head.

    Args:
        median: of its values.
        bright_share: share of voxels brighter than BRIGHT_FACTOR medians.
        top_spread: (95th percentile - median) / median.
        fluid_ratio: 99th to 25th percentile.
    """

    median: float
    bright_share: float
    top_spread: float
    fluid_ratio: float

    @property
    def contrasts(self) -> tuple[str, ...]:
        """Contrasts that fit, the likeliest first; () when the figures mean nothing.

        Bright or dark fluid excludes contrasts; the spread of the tissues only puts them in order.
        """
        if not self.median > 0:
            return ()
        if self.bright_share >= BRIGHT_FLUID_SHARE:
            return ("ADC", *_BRIGHT) if self.fluid_ratio >= ADC_FLUID_RATIO else _BRIGHT
        return _DARK_NARROW if self.top_spread < NARROW_TOP else _DARK_WIDE

    def sentence(self) -> str:
        """The figures in words."""
        if self.bright_share >= BRIGHT_FLUID_SHARE:
            return f"In the pixels {self.bright_share:.0%} of the inner head is bright, as fluid is on T2 weighting."
        top = "white matter is the brightest tissue" if self.top_spread < NARROW_TOP else "grey matter or lesions are"
        return f"In the pixels fluid is not bright, and {top}."


def look_at(array_kji: np.ndarray, grid: SliceGrid) -> PixelLook | None:
    """The figures of a series, None when the image shows no head (too few voxels with signal)."""
    values = inner_head(array_kji, grid)
    if values.size < MIN_VOXELS:
        return None
    median = float(np.median(values))
    q25, q95, q99 = (float(q) for q in np.percentile(values, [25, 95, 99]))
    safe = median if median > 0 else np.inf
    return PixelLook(
        median=median,
        bright_share=float((values > BRIGHT_FACTOR * median).mean()),
        top_spread=(q95 - median) / safe,
        fluid_ratio=q99 / q25 if q25 > 0 else 0.0,
    )


def is_open(known: Identification) -> bool:
    """True when pixels may decide: a weak answer, or an ADC map or unweighted image could have the same header."""
    return known.confidence < WEAK or bool({"ADC", "B0"} & set(known.alternatives))


def weigh_pixels(known: Identification, look: PixelLook) -> Identification:
    """An open identification with what the pixels say: confirmed, changed among what it leaves open, or doubted."""
    if not is_open(known) or not look.contrasts:
        return known
    if known.contrast == "OTHER" and not known.alternatives:
        first, *rest = look.contrasts
        reasons = (*known.reasons, look.sentence())
        return replace(known, contrast=first, confidence=PIXELS_ALONE, reasons=reasons, alternatives=tuple(rest))
    fitting = [name for name in (known.contrast, *known.alternatives) if name in look.contrasts]
    if not fitting:
        reasons = (*known.reasons, f"{look.sentence()} That does not fit.")
        return replace(known, confidence=round(known.confidence - 0.2, 2), reasons=reasons)
    if fitting[0] == known.contrast:
        reasons = (*known.reasons, f"{look.sentence()} That fits.")
        raised = max(known.confidence, min(0.9, known.confidence + 0.1))
        return replace(known, confidence=round(raised, 2), reasons=reasons)
    chosen = min(fitting, key=look.contrasts.index)
    reasons = (*known.reasons, f"{look.sentence()} So it is {chosen}, which the header leaves open.")
    others = tuple(name for name in fitting if name != chosen)
    return replace(known, contrast=chosen, confidence=0.7, reasons=reasons, alternatives=others)
