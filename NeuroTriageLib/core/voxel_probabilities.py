"""The voxels where a mask could be drawn, with their probabilities: what a moved threshold needs, and no more.

Whole maps of every type would take 400 MB of a thin-slice exam; the voxels above the floor are a few in a hundred.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

PROBABILITY_FLOOR = 0.1
"""No mask can be drawn below this threshold (ours: below it nearly everything is noise)."""

LEVELS = 254
"""A type's probability is kept in whole steps of 1 / 254, rounded down; one half is a whole step (ours)."""


@dataclass(frozen=True, eq=False)
class VoxelProbabilities:
    """Probabilities of the voxels at or above the floor, in the order of the voxels.

    Args:
        codes: types, in the order of the columns of type_level.
        threshold: the model's own: a voxel is in the mask when its level is at least this, 0-1.
        index: (N,) uint32 places in the flattened (K, J, I) array, rising.
        level: (N,) float16 probability of any hemorrhage, 0-1.
        type_level: (N, types) uint8 probability of each type in steps of 1 / LEVELS, rounded down.
        per_type: the mask is drawn type by type: a voxel's level is that of the shown types alone.
        thresholds: of findings that stand side by side (MRI) each one's own; () where `threshold` holds for all.
    """

    codes: tuple[str, ...]
    threshold: float
    index: np.ndarray
    level: np.ndarray
    type_level: np.ndarray
    per_type: bool = False
    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        assert self.type_level.shape == (len(self.index), len(self.codes)), "one row per voxel, one column per type"
        assert len(self.level) == len(self.index), "one level per voxel"
        assert len(self.thresholds) in (0, len(self.codes)), "one threshold per finding, or none"

    @property
    def floor(self) -> float:
        """The lowest threshold for which the voxels are known."""
        return min(PROBABILITY_FLOOR, self.threshold)

    def threshold_of(self, code: str) -> float:
        """From which probability on a voxel belongs to the mask of a finding."""
        return self.thresholds[self.codes.index(code)] if self.thresholds and code in self.codes else self.threshold

    @classmethod
    def of_maps(cls, maps_kji: Mapping[str, np.ndarray], thresholds: Mapping[str, float]) -> VoxelProbabilities:
        """Of findings that stand side by side, each with a map of its own.

        Args:
            maps_kji: code -> (K, J, I) probability 0-1, at least one.
            thresholds: code -> from which probability on a voxel belongs to the mask.
        """
        codes = tuple(maps_kji)
        lowest = min(thresholds[code] for code in codes)
        collector = VoxelCollector(codes, lowest, per_type=True)
        types = np.stack([maps_kji[code] for code in codes])
        collector.add(0, types.max(axis=0).astype(np.float16), types)
        return replace(collector.collected(), thresholds=tuple(thresholds[code] for code in codes))

    def places(self, code: str, threshold: float | None = None) -> np.ndarray:
        """(M,) places of one finding's mask in the flattened array; by its own threshold unless another is given."""
        column = self.codes.index(code)
        steps = math.ceil((self.threshold_of(code) if threshold is None else threshold) * LEVELS)
        return self.index[self.type_level[:, column] >= steps].astype(np.int64)


@dataclass(eq=False)
class VoxelCollector:
    """Gathers VoxelProbabilities slice by slice.

    Args:
        codes, threshold, per_type: of VoxelProbabilities.
    """

    codes: tuple[str, ...]
    threshold: float
    per_type: bool = False
    _parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)

    @property
    def floor(self) -> float:
        """Voxels below it are not kept."""
        return min(PROBABILITY_FLOOR, self.threshold)

    def wanted(self, level: np.ndarray) -> np.ndarray:
        """Bool array: which voxels of these levels are kept."""
        return np.asarray(level >= np.float16(self.floor))

    def add(self, first_slice: int, level_kji: np.ndarray, types_ckji: np.ndarray) -> None:
        """Keep what counts of neighbouring slices.

        Args:
            first_slice: k of the first of them; they come in rising order.
            level_kji: (slices, J, I) float16.
            types_ckji: (types, slices, J, I) probability 0-1.
        """
        wanted = self.wanted(level_kji)
        places = np.flatnonzero(wanted.reshape(-1))
        steps = np.floor(np.clip(types_ckji[:, wanted].T.astype(np.float32), 0, 1) * np.float32(LEVELS))
        offset = first_slice * level_kji[0].size
        self._parts.append(((places + offset).astype(np.uint32), level_kji[wanted], steps.astype(np.uint8)))

    def collected(self) -> VoxelProbabilities:
        """Everything that was added."""
        empty = (np.zeros(0, np.uint32), np.zeros(0, np.float16), np.zeros((0, len(self.codes)), np.uint8))
        index, level, steps = (np.concatenate(column) for column in zip(empty, *self._parts, strict=True))
        return VoxelProbabilities(self.codes, self.threshold, index, level, steps, self.per_type)
