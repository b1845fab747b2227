"""Label maps of a review: one fixed value per type, whatever system drew the first one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..core.codes import ABNORMAL, ANY, CT_HEMORRHAGE_CODES, MR_CODES, answered_codes
from ..core.findings import Reading
from ..core.opinions import SDH_OR_EDH
from ..measurements.bounding_box import bounding_box

SEGMENT_CODES = (*CT_HEMORRHAGE_CODES, SDH_OR_EDH, ANY, *(code for code in MR_CODES if code != ABNORMAL))
"""Voxel value n is SEGMENT_CODES[n - 1], 0 is nothing; "any" is hemorrhage of undetermined type. Of findings on MRI
abnormality as such is not outlined. Values never change: they stand in the files of the review store."""

TYPE_CODES = tuple(code for code in SEGMENT_CODES if code != ANY)
"""The segments that say what they are."""

SEGMENT_VALUES = {code: value for value, code in enumerate(SEGMENT_CODES, start=1)}


def label_of_reading(reading: Reading) -> np.ndarray:
    """(K, J, I) uint8 of what a reading shows: types that are present, or hemorrhage of undetermined type."""
    lookup = np.zeros(256, np.uint8)
    if reading.is_untyped:
        lookup[1:] = SEGMENT_VALUES[ANY]
    else:
        for value, code in enumerate(reading.codes, start=1):
            lookup[value] = SEGMENT_VALUES.get(code, 0) if reading.is_present(code) else 0
    return lookup[reading.label_kji]


def label_of_segments(masks: Mapping[str, np.ndarray], shape_kji: tuple[int, int, int]) -> np.ndarray:
    """(K, J, I) uint8 of one boolean mask (K, J, I) per code of SEGMENT_CODES; where they overlap, the later one."""
    label = np.zeros(shape_kji, np.uint8)
    for code, mask in masks.items():
        label[np.asarray(mask, bool)] = SEGMENT_VALUES[code]
    return label


def segment_mask(label_kji: np.ndarray, code: str) -> np.ndarray:
    """(K, J, I) bool of one segment; empty for what is never outlined."""
    if code not in SEGMENT_VALUES:
        return np.zeros(label_kji.shape, bool)
    return np.asarray(label_kji == SEGMENT_VALUES[code])


def finding_mask(label_kji: np.ndarray, code: str) -> np.ndarray:
    """(K, J, I) bool of one finding: as segment_mask, but "any" is the hemorrhage of every type."""
    return np.asarray(label_kji > 0) if code == ANY else segment_mask(label_kji, code)


def voxel_counts(label_kji: np.ndarray) -> np.ndarray:
    """(K, segments) voxels of each segment in each slice, in the order of SEGMENT_CODES.

    Counted inside the box that holds them, one value at a time: a bincount of the whole map takes 20 times as long.
    """
    counts = np.zeros((len(label_kji), len(SEGMENT_CODES)), np.int64)
    box = bounding_box(label_kji)
    if box is not None:
        held = label_kji[box]
        for value in SEGMENT_VALUES.values():
            counts[box[0], value - 1] = np.count_nonzero(held == value, axis=(1, 2))
    return counts


def slice_areas(counts: np.ndarray, code: str) -> np.ndarray:
    """(K,) voxels of one finding in each slice, from voxel_counts; "any" is the hemorrhage of every type."""
    if code not in SEGMENT_VALUES:
        return np.zeros(len(counts), counts.dtype)
    return np.asarray(counts.sum(axis=1) if code == ANY else counts[:, SEGMENT_VALUES[code] - 1])


def segment_codes(label_kji: np.ndarray) -> tuple[str, ...]:
    """The segments that have voxels, in the order of SEGMENT_CODES."""
    used = voxel_counts(label_kji).sum(axis=0)
    return tuple(code for code, value in SEGMENT_VALUES.items() if used[value - 1])


def finding_codes(label_kji: np.ndarray) -> tuple[str, ...]:
    """The findings that a label map speaks of: "any" and the types that have voxels; () for an empty one.

    Findings on MRI stand alone, without an "any".
    """
    codes = segment_codes(label_kji)
    return answered_codes(code for code in codes if code != ANY) if codes else ()
