"""The images of a brain-MRI study by contrast, as a system reads them."""

from __future__ import annotations

from dataclasses import dataclass

from .volume import Volume

AXIAL_CONTRASTS = ("FLAIR", "ADC", "TRACE", "T2star", "SWI", "T1", "T2")
"""Contrasts that are read in axial slices (Nael 2021, table 1; SWI is ours: sites make it or T2*)."""

SAGITTAL_CONTRASTS = ("T1_sagittal", "T1post_sagittal")
"""Contrasts that are read in sagittal slices (Nael 2021, table 1)."""

CONTRASTS = (*AXIAL_CONTRASTS, *SAGITTAL_CONTRASTS)


@dataclass(frozen=True, eq=False)
class MrImage:
    """One series for one contrast.

    Args:
        contrast: one of CONTRASTS.
        volume: magnitude values in any unit; of an ADC map multiples of mm2_per_s.
        mm2_per_s: unit of an ADC map; None for everything else.
        note: what a reader must know about it ("" when nothing): its slices lie in another plane, its unit was guessed.
    """

    contrast: str
    volume: Volume
    mm2_per_s: float | None = None
    note: str = ""


CONTRAST_NAMES = {
    "FLAIR": "FLAIR",
    "ADC": "ADC",
    "TRACE": "trace-weighted",
    "T2star": "T2*",
    "SWI": "SWI",
    "T1": "T1",
    "T2": "T2",
    "T1_sagittal": "sagittal T1",
    "T1post_sagittal": "sagittal T1 after contrast agent",
}
"""Contrast -> its name for people."""
