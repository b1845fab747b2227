"""From a system's reading to the lines of the answer: volume, parts, key slice, size class, ABC/2."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core.codes import ABNORMAL, ANY, CT_HEMORRHAGE_CODES, MR_CODES
from ..core.findings import Abc2, Finding, Reading
from ..core.geometry import SliceGrid
from ..core.opinions import SDH_OR_EDH
from .abc2 import ABC2_CODES, measure_abc2
from .components import Components, find_components
from .volume import largest_slice, size_class

REPORT_ORDER = (ANY, "IPH", "IVH", "SDH", "EDH", SDH_OR_EDH, "SAH", *MR_CODES)
assert set(CT_HEMORRHAGE_CODES) < set(REPORT_ORDER)

UNANSWERED = "None of the systems that answer this could read the exam."


def measure(reading: Reading, grid: SliceGrid) -> tuple[tuple[Finding, ...], tuple[Abc2, ...]]:
    """Findings in the order of REPORT_ORDER, and ABC/2 of each hemorrhage type with a mask (but SAH).

    "any" has the whole mask, also when no type reaches its threshold (Reading.is_untyped). A finding without a mask
    has 0 mL, or None when the system draws no masks at all, and the slice of its highest score as key slice. A type
    that was left unanswered could not be looked at.

    Args:
        reading: a system's answer; its label map lies on the grid.
        grid: the source series' grid.
    """
    found = {code for code in REPORT_ORDER if reading.is_present(code)}
    masks = {code: reading.label_kji == number + 1 for number, code in enumerate(reading.codes) if code in found}
    if ANY in found:
        masks[ANY] = reading.label_kji > 0 if reading.is_untyped else _union(masks, reading.label_kji.shape)
    parts = {code: find_components(mask, grid) for code, mask in masks.items() if _is_drawn(reading, code)}
    findings = tuple(
        _found(reading, code, parts.get(code), masks[code]) if code in found else _absent(reading, code)
        for code in REPORT_ORDER
        if code in reading.probability or code in reading.codes or code in reading.decided
    )
    abc2 = tuple(measure_abc2(code, parts[code], grid) for code in ABC2_CODES if code in parts and parts[code].count)
    return findings, abc2


def _is_drawn(reading: Reading, code: str) -> bool:
    """True when the system outlines the finding: nothing outlines an abnormality as such."""
    return reading.segments and code != ABNORMAL


def _union(masks: dict[str, np.ndarray], shape_kji: tuple[int, ...]) -> np.ndarray:
    return np.logical_or.reduce([np.zeros(shape_kji, bool), *masks.values()])


def could_not_look(system: str, codes: Iterable[str], reason: str) -> tuple[Finding, ...]:
    """Findings that say why a system could not look at these codes: not a negative answer, and without any number."""
    return tuple(Finding(code=code, system=system, status="could_not_look", reason=reason) for code in codes)


def _found(reading: Reading, code: str, parts: Components | None, mask_kji: np.ndarray) -> Finding:
    largest = largest_slice(mask_kji)
    volume_ml = None if parts is None else float(parts.volumes_ml.sum())
    return Finding(
        code=code,
        system=reading.system,
        status="found",
        probability=reading.probability.get(code),
        threshold=reading.threshold.get(code),
        volume_ml=volume_ml,
        components=None if parts is None else parts.count,
        key_slice=_highest_slice(reading, code) if largest is None else largest,
        size_class=None if volume_ml is None else size_class(volume_ml),
        slices=tuple(map(int, np.flatnonzero(mask_kji.any(axis=(1, 2))))) if parts is not None else None,
        slice_scores=_slice_scores(reading, code),
        **_disagreement(reading, code),
    )


def _absent(reading: Reading, code: str) -> Finding:
    if code not in reading.probability and code not in reading.decided:
        return could_not_look(reading.system, (code,), UNANSWERED)[0]
    return Finding(
        code=code,
        system=reading.system,
        status="not_found",
        probability=reading.probability.get(code),
        threshold=reading.threshold.get(code),
        volume_ml=0.0 if _is_drawn(reading, code) else None,
        components=0 if _is_drawn(reading, code) else None,
        slices=() if _is_drawn(reading, code) else None,
        slice_scores=_slice_scores(reading, code),
        **_disagreement(reading, code),
    )


def _disagreement(reading: Reading, code: str) -> dict[str, Any]:
    """Doubt and agreement of a consensus; nothing of a single system."""
    if reading.deliberation is None:
        return {}
    told = reading.deliberation
    return {"doubt": told.doubt.get(code), "agreement": told.agreement.get(code)}


def _highest_slice(reading: Reading, code: str) -> int | None:
    """The slice with the highest score for the code; None when the system scores no slices."""
    scores = _slice_scores(reading, code)
    return None if scores is None else int(np.argmax(scores))


def _slice_scores(reading: Reading, code: str) -> tuple[float, ...] | None:
    scores = reading.slice_probability.get(code)
    return None if scores is None or not len(scores) else tuple(map(float, scores))
