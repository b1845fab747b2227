"""Arterial territories of a head: grown from artery landmarks of its own geometry, or carried over from an atlas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from ...core.errors import InputError
from ..anatomy import Anatomy
from ..head_grid import HeadGrid
from ..tissue import BRAIN_TISSUES

COARSE_MM = 3
BORDER_MM = 6.0  # how far territories' borders vary between people (ours; atlases of single brains differ by more)

# Where the centres of each artery's territory lie in a head: (height, depth, side). Height: -1 lowest cerebrum, 0 the
# middle of the lateral ventricles, 1 vertex; depth: -1 frontal pole, 0 the ventricles' middle, 1 occipital pole; side:
# 0 midline, 1 furthest to the side. Placed by hand from the usual maps of textbooks (after Tatu, Neurology 1998; from
# memory).
CEREBRAL_CENTERS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "ACA": (
        (0.9, -0.2, 0.1), (0.9, 0.2, 0.12), (0.75, 0.45, 0.08), (0.6, -0.6, 0.1), (0.3, -0.8, 0.1), (-0.15, -0.75, 0.1),
        (0.35, -0.35, 0.05), (0.35, 0.1, 0.05), (-0.3, -0.6, 0.08), (0.75, -0.45, 0.2),
    ),
    "MCA frontal": ((0.55, -0.35, 0.6), (0.3, -0.55, 0.65), (0.05, -0.5, 0.75), (0.7, -0.1, 0.5), (0.2, -0.7, 0.45)),
    "MCA parietal": ((0.6, 0.25, 0.6), (0.35, 0.35, 0.75), (0.65, 0.1, 0.6), (0.5, 0.55, 0.5)),
    "MCA temporal": ((-0.35, -0.15, 0.85), (-0.3, 0.2, 0.85), (-0.5, -0.35, 0.65), (-0.05, 0.2, 0.9)),
    "MCA occipital": ((0.2, 0.6, 0.7), (0.0, 0.55, 0.75)),
    "MCA insular": ((-0.1, -0.25, 0.62), (-0.05, 0.0, 0.62)),
    "lenticulostriate": ((-0.05, -0.2, 0.32), (0.1, -0.15, 0.3), (0.0, -0.05, 0.34), (0.05, -0.4, 0.18)),
    "anterior choroidal": ((-0.15, 0.02, 0.3), (-0.35, -0.02, 0.35)),
    "thalamoperforators": ((0.0, 0.05, 0.1), (0.02, 0.15, 0.15), (-0.15, 0.05, 0.08)),
    "PCA": (
        (0.15, 0.85, 0.15), (-0.1, 0.75, 0.2), (0.3, 0.7, 0.1), (-0.35, 0.4, 0.35), (-0.5, 0.15, 0.45), (0.0, 0.9, 0.4),
        (-0.3, 0.6, 0.3), (0.35, 0.85, 0.15),
    ),
}  # fmt: skip
# The same below the tentorium, in its own box: height -1 to 1 from the lowest to the highest part, depth -1 to 1.
FOSSA_CENTERS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "basilar": ((0.3, -0.75, 0.05), (-0.3, -0.7, 0.05), (0.7, -0.7, 0.1), (-0.9, -0.5, 0.03)),
    "SCA": ((0.7, 0.1, 0.3), (0.5, 0.0, 0.65), (0.8, -0.1, 0.1)),
    "AICA": ((-0.1, -0.3, 0.6), (-0.2, -0.2, 0.8)),
    "PICA": ((-0.5, 0.3, 0.4), (-0.6, 0.3, 0.1), (-0.4, 0.5, 0.7), (-0.2, 0.7, 0.4)),
}  # fmt: skip
NAMES = (*CEREBRAL_CENTERS, *FOSSA_CENTERS)

# The numbers of the atlas (ArterialAtlas, Liu, Sci Data 2023: left odd, right even) that stand for our territories.
ATLAS_NAMES = {
    1: "ACA", 3: "lenticulostriate", 5: "lenticulostriate", 7: "MCA frontal", 9: "MCA parietal", 11: "MCA temporal",
    13: "MCA occipital", 15: "MCA insular", 17: "PCA", 19: "PCA", 21: "thalamoperforators", 23: "anterior choroidal",
    25: "basilar", 27: "SCA", 29: "PICA",
}  # fmt: skip
FOSSA_FIRST, VENTRICLES_FIRST = 25, 31


@dataclass(frozen=True, eq=False)
class Landmarks:
    """What normalises a head: millimetres k, j, i of cerebrum's and fossa's boxes and of the ventricles' middle."""

    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    fossa_low: np.ndarray
    fossa_high: np.ndarray

    def cerebral(self, points_kji: np.ndarray) -> np.ndarray:
        """(N, 3) height, depth, side: each axis is linear between its ends and the ventricles' middle."""
        away = points_kji - self.middle
        below, above = self.middle - self.low, self.high - self.middle
        out = np.where(away < 0, away / np.maximum(below, 1.0), away / np.maximum(above, 1.0))
        return np.column_stack([out[:, 0], out[:, 1], out[:, 2]])

    def fossa(self, points_kji: np.ndarray) -> np.ndarray:
        """(N, 3) height, depth, side in the box of cerebellum and brain stem."""
        center = (self.fossa_low + self.fossa_high) / 2.0
        center[2] = self.middle[2]
        return (points_kji - center) / np.maximum((self.fossa_high - self.fossa_low) / 2.0, 1.0)


@dataclass(frozen=True, eq=False)
class TerritoryAtlas:
    """An arterial atlas in its own space: (K, J, I) numbers, axes upwards, backwards and to the left, 1 mm."""

    numbers: np.ndarray
    landmarks: Landmarks


@lru_cache(maxsize=2)
def load_atlas(path: Path) -> TerritoryAtlas:
    """Read an atlas with the numbers of ATLAS_NAMES (right: one more). Raises InputError when it cannot be read."""
    try:
        image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    except RuntimeError as error:
        raise InputError("The atlas of arterial territories cannot be read.", where=str(path)) from error
    numbers = np.round(sitk.GetArrayFromImage(image)).astype(np.int16)
    cerebrum = (numbers > 0) & ((numbers < FOSSA_FIRST) | (numbers >= VENTRICLES_FIRST))
    fossa = (numbers >= FOSSA_FIRST) & (numbers < VENTRICLES_FIRST)
    ventricles = numbers >= VENTRICLES_FIRST
    if not (cerebrum.any() and fossa.any() and ventricles.any()):
        raise InputError("The atlas lacks cerebrum, ventricles or posterior fossa.", where=str(path))
    return TerritoryAtlas(numbers, _landmarks(np.argwhere(cerebrum), np.argwhere(fossa), np.argwhere(ventricles)))


def territory_field(grid: HeadGrid, atlas: TerritoryAtlas | None = None) -> torch.Tensor:
    """(k, j, i) uint8: territory of every brain voxel near it, as 1 + its place in NAMES; 0 where there is none.

    Territories of both sides share a number; grid.field("side") tells them apart. Without an atlas each voxel belongs
    to the artery whose centre is nearest. Borders move by about BORDER_MM from exam to exam.
    """
    anatomy = grid.anatomy
    marks = _landmarks_of(anatomy)
    axes = [np.arange(0, n, COARSE_MM) for n in anatomy.shape_kji]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).astype(np.float64)
    shape = tuple(len(axis) for axis in axes)
    wobble = [BORDER_MM * grid.noise(shape, 24.0 / COARSE_MM).cpu().numpy().ravel() for _ in range(3)]
    above = anatomy.supratentorial[tuple(points.astype(int).T)]
    points = points + np.stack(wobble, -1)
    if atlas is None:
        found = np.where(above, _nearest(marks.cerebral(points), CEREBRAL_CENTERS), 0)
        below = _nearest(marks.fossa(points), FOSSA_CENTERS)
    else:
        found, below = _from_atlas(marks, points, atlas)
    coarse = torch.from_numpy(np.where(above, found, below).astype(np.uint8).reshape(shape)).to(grid.device)
    index = [
        torch.arange(n, device=grid.device).add(COARSE_MM // 2).div(COARSE_MM, rounding_mode="floor")
        for n in grid.shape
    ]
    index = [axis.clamp(max=n - 1) for axis, n in zip(index, shape, strict=True)]
    return coarse[index[0]][:, index[1]][:, :, index[2]]


def _nearest(place: np.ndarray, centers: dict[str, tuple[tuple[float, float, float], ...]]) -> np.ndarray:
    """Number (1 + place in NAMES) of the territory whose centre is nearest; both sides are folded onto one."""
    folded = np.column_stack([place[:, :2], np.abs(place[:, 2])])
    best = np.full(len(place), np.inf)
    out = np.zeros(len(place), dtype=np.int64)
    for name, spots in centers.items():
        for spot in spots:
            distance = ((folded - np.array(spot)) ** 2).sum(1)
            nearer = distance < best
            best[nearer], out[nearer] = distance[nearer], 1 + NAMES.index(name)
    return out


def _from_atlas(marks: Landmarks, points: np.ndarray, atlas: TerritoryAtlas) -> tuple[np.ndarray, np.ndarray]:
    """Numbers above and below the tentorium at the atlas's place with the same landmarks' coordinates."""
    table = np.zeros(64, dtype=np.int64)
    for number, name in ATLAS_NAMES.items():
        table[[number, number + 1]] = 1 + NAMES.index(name)
    other = atlas.landmarks
    place = marks.cerebral(points)
    scale = np.where(place < 0, other.middle - other.low, other.high - other.middle)
    cerebral = other.middle + place * scale
    center = (other.fossa_low + other.fossa_high) / 2.0
    center[2] = other.middle[2]
    fossa = center + marks.fossa(points) * (other.fossa_high - other.fossa_low) / 2.0
    size = np.array(atlas.numbers.shape) - 1

    def found(place: np.ndarray) -> np.ndarray:
        return table[atlas.numbers[tuple(np.clip(np.round(place), 0, size).astype(int).T)]]

    return found(cerebral), found(fossa)


@lru_cache(maxsize=24)
def _landmarks_of(anatomy: Anatomy) -> Landmarks:
    brain = np.isin(anatomy.tissue, BRAIN_TISSUES)
    above = np.argwhere(brain & anatomy.supratentorial)
    below = np.argwhere(brain & ~anatomy.supratentorial)
    ventricles = anatomy.points["ventricle"].astype(np.float64)
    return _landmarks(above, below, ventricles if len(ventricles) else above)


def _landmarks(above: np.ndarray, below: np.ndarray, ventricles: np.ndarray) -> Landmarks:
    low, high = np.percentile(above, [0.2, 99.8], axis=0)
    middle = np.array([*ventricles[:, :2].mean(0), (low[2] + high[2]) / 2.0])
    fossa_low, fossa_high = np.percentile(below, [0.2, 99.8], axis=0)
    return Landmarks(low, middle, high, fossa_low, fossa_high)
