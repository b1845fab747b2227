"""A moved threshold: the mask that goes with it, from the voxels' probabilities alone, without the network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..core.codes import ANY, MR_CODES
from ..core.errors import ConfigError
from ..core.findings import Reading, shown_types
from ..core.voxel_probabilities import LEVELS, VoxelProbabilities
from .labels import SEGMENT_VALUES, label_of_reading


def with_thresholds(reading: Reading, threshold: Mapping[str, float]) -> Reading:
    """The reading with other operating points (code -> 0-1) where they are given; its mask stays as it is."""
    return replace(reading, threshold=reading.threshold | dict(threshold))


def label_at(
    reading: Reading,
    threshold: Mapping[str, float] | None = None,
    pixel_threshold: float | None = None,
    pixel_thresholds: Mapping[str, float] | None = None,
) -> np.ndarray:
    """(K, J, I) uint8 label map (labels.SEGMENT_CODES) as the system would draw it with other thresholds.

    With its own thresholds it is the system's own mask, voxel by voxel. A voxel keeps the type that the system gave it
    as long as that type is shown; any other takes the most probable of the shown types.

    Args:
        reading: with voxel_probabilities.
        threshold: code -> operating point of the exam's probability, where it is moved.
        pixel_threshold: from which probability on a voxel is in the mask; None for the system's own (of findings on
            MRI each one's own).
        pixel_thresholds: code -> the same for one of the findings that stand side by side on MRI.

    Raises:
        ConfigError: the reading holds no probabilities, or the threshold lies below their floor.
    """
    voxels = reading.voxel_probabilities
    moved = with_thresholds(reading, threshold or {})
    shown, own_shown = _shown(moved), _shown(reading)
    own = voxels is not None and not voxels.thresholds and pixel_threshold == voxels.threshold
    single = pixel_thresholds or {}
    if shown == own_shown and (pixel_threshold is None or own) and not single:
        return label_of_reading(moved)
    if voxels is None:
        raise ConfigError(f"{reading.system} draws no mask whose threshold could be moved.")
    at = voxels.threshold if pixel_threshold is None else pixel_threshold
    if (lowest := min(at, *single.values(), 1.0)) < voxels.floor:
        raise ConfigError(f"The threshold {lowest:g} is below {voxels.floor:g}, where probabilities were not kept.")
    label = np.zeros(reading.label_kji.size, np.uint8)
    if voxels.thresholds:
        for code in reversed([code for code in shown if code in voxels.codes]):
            label[voxels.places(code, single.get(code, pixel_threshold))] = SEGMENT_VALUES[code]
    elif shown:
        inside = _inside(voxels, voxels.codes if moved.is_untyped else shown, at)
        places = voxels.index[inside].astype(np.int64)
        drawn = _types(reading, voxels, shown, places, inside)
        label[places] = SEGMENT_VALUES[ANY] if moved.is_untyped else drawn
    return label.reshape(reading.label_kji.shape)


def _shown(reading: Reading) -> tuple[str, ...]:
    if set(reading.codes) <= set(MR_CODES):
        return tuple(code for code in reading.codes if reading.is_present(code))
    codes = tuple(code for code in reading.codes if code in reading.probability)
    return shown_types(reading.probability, reading.threshold, codes)


def _inside(voxels: VoxelProbabilities, codes: tuple[str, ...], threshold: float) -> np.ndarray:
    """(N,) bool: the voxels that a mask of these types holds."""
    if not voxels.per_type:
        return np.asarray(voxels.level >= np.float16(threshold))
    columns = [voxels.codes.index(code) for code in codes]
    return np.asarray(voxels.type_level[:, columns].max(axis=1) >= math.ceil(threshold * LEVELS))


def _types(
    reading: Reading, voxels: VoxelProbabilities, shown: tuple[str, ...], places: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    """(M,) label values of the voxels inside."""
    columns = [voxels.codes.index(code) for code in shown]
    values = np.array([SEGMENT_VALUES[code] for code in shown], np.uint8)
    kept = np.zeros(256, np.uint8)
    for value, code in enumerate(reading.codes, start=1):
        kept[value] = SEGMENT_VALUES[code] if code in shown else 0
    own = kept[reading.label_kji.reshape(-1)[places]]
    probable = values[voxels.type_level[inside][:, columns].argmax(axis=1)]
    return np.where(own > 0, own, probable)
