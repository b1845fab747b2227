"""The unit of an ADC map, from its header and its values: scanners and converters write 1e-6, 1e-3 or 1 mm2/s."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.geometry import SliceGrid
from ..core.inner_head import MIN_VOXELS, inner_head

UNITS_MM2_PER_S = (1e-6, 1e-3, 1.0)

BRAIN_MM2_PER_S = (3.0e-4, 2.5e-3)
"""Where the median of the inner head lies: tissue has 0.7e-3 to 0.9e-3, fluid 3e-3 (Sener 2001, Neuroradiology); fluid
in the region raises the median, large infarcts lower it. The range spans less than 1000, so one unit fits at most."""

# Unit texts: UCUM codes of real-world value mappings and RescaleType's free text, blanks removed, lower case.
_TEXTS = (
    (1e-6, r"um2/s|(10\^?-0?6|10\*-6|1e-0?6|10e-6)[.*x]?mm(2|\^2|²)/s(ec)?"),
    (1e-3, r"(10\^?-0?3|10\*-3|1e-0?3|10e-3)[.*x]?mm(2|\^2|²)/s(ec)?|um2/ms"),
    (1.0, r"mm(2|\^2|²)/s(ec)?"),
)


@dataclass(frozen=True)
class AdcUnit:
    """What one in the map's values means.

    Args:
        mm2_per_s: factor from value to mm2/s; None when it cannot be known.
        reason: a sentence.
    """

    mm2_per_s: float | None
    reason: str

    @property
    def name(self) -> str:
        """ "1e-6 mm2/s", "1e-3 mm2/s", "mm2/s" or "unknown"."""
        if self.mm2_per_s is None:
            return "unknown"
        return "mm2/s" if self.mm2_per_s == 1.0 else f"1e{round(np.log10(self.mm2_per_s))} mm2/s"


def unit_said(header: Mapping[str, Any]) -> float | None:
    """The unit that a header states (RealWorldUnit, RescaleType), in mm2/s; None when it states none.

    Descriptions are not read: GE calls maps in 1e-6 mm2/s "Apparent Diffusion Coefficient (mm2/s)".
    """
    for keyword in ("RealWorldUnit", "RescaleType"):
        text = re.sub(r"\s+", "", str(header.get(keyword) or "")).lower()
        for unit, pattern in _TEXTS:
            if text and re.fullmatch(pattern, text):
                return unit
    return None


def adc_unit(header: Mapping[str, Any], array_kji: np.ndarray | None = None, grid: SliceGrid | None = None) -> AdcUnit:
    """The unit of a map; the values decide, because a wrong unit is off by 1000 and cannot hide.

    Args:
        header: DICOM keywords.
        array_kji, grid: the map with its rescale applied, when its pixels are known.
    """
    said = unit_said(header)
    values = inner_head(array_kji, grid) if array_kji is not None and grid is not None else np.empty(0)
    if values.size < MIN_VOXELS:
        return AdcUnit(said, "The header states the unit." if said else "Neither header nor pixels tell the unit.")
    median = float(np.median(values))
    low, high = BRAIN_MM2_PER_S
    fitting = [unit for unit in UNITS_MM2_PER_S if low <= median * unit <= high]
    if not fitting:
        return AdcUnit(None, f"The median of the inner head is {median:.3g}: no unit of an ADC map fits.")
    found = AdcUnit(fitting[0], f"The median of the inner head is {median:.3g}.")
    if said is not None and said != found.mm2_per_s:
        return AdcUnit(found.mm2_per_s, f"{found.reason} The header states another unit, which cannot be.")
    return found
