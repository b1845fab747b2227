"""Measurements of a mask while it is edited: mL per segment on any grid, and ABC/2 with the reader's own lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..core.codes import ANY, MR_CODES
from ..core.findings import Abc2, SizeClass
from ..core.geometry import SliceGrid
from ..core.pauses import Pausing, without_pauses
from ..measurements.abc2 import ABC2_CODES, measure_abc2
from ..measurements.components import Components, find_components, prepare
from ..measurements.volume import largest_slice, size_class
from .labels import SEGMENT_CODES, finding_codes, finding_mask, voxel_counts

FLAGGED_ABOVE_ML = 30.0
"""A volume that weighs in decisions: an epidural hematoma above 30 cm3 is evacuated (Bullock 2006, Neurosurgery
58:S2-7), 30 cm3 of parenchymal hemorrhage score a point (Hemphill 2001, Stroke 32:891)."""

Ends = tuple[tuple[float, float, float], tuple[float, float, float]]
"""The two ends of a line, LPS millimetres."""


@dataclass(frozen=True)
class AbcLines:
    """The lines A, B and C of one hematoma; None where the program's proposal stands."""

    a_ends_lps_mm: Ends | None = None
    b_ends_lps_mm: Ends | None = None
    c_ends_lps_mm: Ends | None = None


@dataclass(frozen=True)
class LiveAbc2:
    """ABC/2 with the reader's lines where there are any.

    Args:
        a_mm, b_mm, c_mm: lengths; a reader's line wins over the proposal.
        volume_ml: A x B x C / 2.
        percent_off: 100 x (ABC/2 - voxels) / voxels.
        lines: all three, the proposed C along the stack's normal through the middle of the largest part.
        edited: which of "A", "B", "C" are the reader's.
        key_slice: slice of the proposed A and B.
        caveat: where the formula is known to fail, "" otherwise.
    """

    a_mm: float
    b_mm: float
    c_mm: float
    volume_ml: float
    percent_off: float
    lines: AbcLines
    edited: frozenset[str]
    key_slice: int
    caveat: str


@dataclass(frozen=True)
class LiveMeasurement:
    """Figures of one finding.

    Args:
        code: "any" is all hemorrhage.
        volume_ml: sum of the voxel volumes.
        components: number of 26-connected parts.
        key_slice: k (from 0) of the slice with the largest area.
        size_class: as in Finding.
        flagged: more than FLAGGED_ABOVE_ML.
        abc2: None for "any" and for types that nobody measures so (SAH).
    """

    code: str
    volume_ml: float
    components: int
    key_slice: int
    size_class: SizeClass | None
    flagged: bool
    abc2: LiveAbc2 | None


def segment_volumes_ml(label_kji: np.ndarray, grid: SliceGrid) -> dict[str, float]:
    """Code -> mL of "any" and of every type that has voxels (on MRI of these alone); fast enough for every stroke."""
    return counted_volumes_ml(voxel_counts(label_kji), grid)


def counted_volumes_ml(counts: np.ndarray, grid: SliceGrid) -> dict[str, float]:
    """The same from labels.voxel_counts (K, segments)."""
    volumes = dict(zip(SEGMENT_CODES, (grid.voxel_volumes_ml @ counts).tolist(), strict=True))
    typed = {code: ml for code, ml in volumes.items() if ml > 0 and code != ANY}
    if typed and set(typed) <= set(MR_CODES):  # findings on MRI stand alone
        return typed
    return {ANY: sum(volumes.values()), **typed}


def measure_label(
    label_kji: np.ndarray, grid: SliceGrid, lines: Mapping[str, AbcLines] | None = None
) -> dict[str, LiveMeasurement]:
    """Code -> figures of "any" and of every type that has voxels; {} for an empty label map.

    Args:
        label_kji: (K, J, I) uint8 in the values of labels.SEGMENT_CODES.
        grid: its grid.
        lines: code -> the reader's lines.
    """
    return without_pauses(measure_label_pausing(label_kji, grid, lines))


def measure_label_pausing(
    label_kji: np.ndarray, grid: SliceGrid, lines: Mapping[str, AbcLines] | None = None
) -> Pausing[dict[str, LiveMeasurement]]:
    """The same with a pause before each finding."""
    result = {}
    codes = finding_codes(label_kji)
    if codes:
        yield
        prepare()
    for code in codes:
        yield
        mask = finding_mask(label_kji, code)
        parts = find_components(mask, grid)
        volume_ml = float(parts.volumes_ml.sum())
        abc2 = live_abc2(code, parts, grid, (lines or {}).get(code)) if code in ABC2_CODES else None
        result[code] = LiveMeasurement(
            code=code,
            volume_ml=volume_ml,
            components=parts.count,
            key_slice=int(largest_slice(mask) or 0),
            size_class=size_class(volume_ml),
            flagged=volume_ml > FLAGGED_ABOVE_ML,
            abc2=abc2,
        )
    return result


def live_abc2(code: str, parts: Components, grid: SliceGrid, lines: AbcLines | None = None) -> LiveAbc2:
    """ABC/2 of a non-empty mask with the reader's lines."""
    proposed, own = measure_abc2(code, parts, grid), lines or AbcLines()
    shown = AbcLines(
        own.a_ends_lps_mm or proposed.a_ends_lps_mm,
        own.b_ends_lps_mm or proposed.b_ends_lps_mm,
        own.c_ends_lps_mm or _proposed_c(parts.largest_kji, grid, proposed.c_mm),
    )
    drawn = (own.a_ends_lps_mm, own.b_ends_lps_mm, own.c_ends_lps_mm)
    proposals_mm = (proposed.a_mm, proposed.b_mm, proposed.c_mm)
    a_mm, b_mm, c_mm = (mm if ends is None else _length_mm(ends) for ends, mm in zip(drawn, proposals_mm, strict=True))
    volume_ml = a_mm * b_mm * c_mm / 2 / 1000
    voxels_ml = proposed.voxel_volume_ml
    return LiveAbc2(
        a_mm=a_mm,
        b_mm=b_mm,
        c_mm=c_mm,
        volume_ml=volume_ml,
        percent_off=100 * (volume_ml - voxels_ml) / voxels_ml,
        lines=shown,
        edited=frozenset(letter for letter, ends in zip("ABC", drawn, strict=True) if ends is not None),
        key_slice=proposed.key_slice,
        caveat=proposed.caveat,
    )


def with_reader_lines(proposed: Abc2, measured: LiveAbc2) -> Abc2:
    """The outputs' ABC/2 with the reader's figures and lines."""
    assert measured.lines.a_ends_lps_mm and measured.lines.b_ends_lps_mm, "live_abc2 fills all lines"
    return replace(
        proposed,
        a_mm=measured.a_mm,
        b_mm=measured.b_mm,
        c_mm=measured.c_mm,
        volume_ml=measured.volume_ml,
        percent_off=measured.percent_off,
        a_ends_lps_mm=measured.lines.a_ends_lps_mm,
        b_ends_lps_mm=measured.lines.b_ends_lps_mm,
        edited=tuple(sorted(measured.edited)),
    )


def _proposed_c(part_kji: np.ndarray, grid: SliceGrid, c_mm: float) -> Ends:
    """A line of length C along the normal, its middle in the middle of the part's height."""
    used = np.flatnonzero(part_kji.any(axis=(1, 2)))
    heights = grid.slice_positions_mm[used]
    k = float(np.interp((heights[0] + heights[-1]) / 2, grid.slice_positions_mm, np.arange(grid.shape_kji[0])))
    j, i = (float(axis.mean()) for axis in np.nonzero(part_kji.any(axis=0)))
    middle, half = grid.voxel_to_lps(np.array([i, j, k])), grid.normal * c_mm / 2
    first, second = (tuple(float(x) for x in middle + sign * half) for sign in (-1, 1))
    return first, second  # type: ignore[return-value]


def _length_mm(ends: Ends) -> float:
    return float(np.linalg.norm(np.subtract(ends[1], ends[0])))
