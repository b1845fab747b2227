"""Which masks of an exam the outputs show, and under which names and colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.codes import ANY, FINDING_CODES, FindingCode
from ..core.findings import ExamResult, Reading


@dataclass(frozen=True)
class ShownMask:
    """One segment.

    Args:
        entry: code, colour and terminology.
        name: name for readers.
        value: its voxel value in shown_label's label map.
    """

    entry: FindingCode
    name: str
    value: int


def shown_reading(result: ExamResult) -> Reading | None:
    """The reading whose masks and heatmap are shown: the one that the findings speak of; None when there is none."""
    named = {finding.system for finding in result.findings[:1]}
    matching = [reading for reading in result.readings if reading.system in named]
    return next(iter([*matching, *result.readings]), None)


def shown_masks(reading: Reading) -> tuple[ShownMask, ...]:
    """The types that are present and have voxels; the others are findings of their own, not empty segments.

    Hemorrhage whose type is undetermined is one mask of its own, with a value that no type has.
    """
    if reading.is_untyped:
        return (_mask(ANY, len(reading.codes) + 1),) if reading.label_kji.any() else ()
    used = np.bincount(reading.label_kji.ravel(), minlength=len(reading.codes) + 1)
    return tuple(
        _mask(code, number)
        for number, code in enumerate(reading.codes, start=1)
        if reading.is_present(code) and used[number]
    )


def mask_name(code: str) -> str:
    """The name of a segment: one of the code "any" claims no type."""
    name = FINDING_CODES[code].name
    return f"{name}, type undetermined" if code == ANY else name


def _mask(code: str, value: int) -> ShownMask:
    return ShownMask(FINDING_CODES[code], mask_name(code), value)


def shown_label(reading: Reading) -> np.ndarray:
    """(K, J, I) uint8 label map with the values of shown_masks and nothing else."""
    masks = shown_masks(reading)
    lookup = np.zeros(256, np.uint8)
    if reading.is_untyped and masks:
        lookup[1:] = masks[0].value
    for mask in masks:
        lookup[mask.value] = mask.value
    return lookup[reading.label_kji]
