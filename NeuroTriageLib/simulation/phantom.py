"""A geometric head label map, so that simulation, tests and demo need no atlas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..core.geometry import SliceGrid
from ..core.volume import Volume
from .anatomy import Anatomy, anatomy_from_labels
from .tissue import HU_TABLE, tissue_of_labels

PHANTOM_NAME = "geometric phantom"


@dataclass(frozen=True)
class _Space:
    """Millimetre coordinates of the phantom's voxels: up, back and left of the middle of the cerebrum."""

    up: np.ndarray
    back: np.ndarray
    left: np.ndarray

    def ball(self, center: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
        """Mask of an ellipsoid; centre and radii in mm along up, back and left."""
        return self.radius(center, radii) <= 1.0

    def radius(self, center: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
        """Relative radius of an ellipsoid: 1 on its surface."""
        axes = (self.up, self.back, self.left)
        squared = [((a - c) / r) ** 2 for a, c, r in zip(axes, center, radii, strict=True)]
        return np.sqrt(squared[0] + squared[1] + squared[2]).astype(np.float32)


@lru_cache(maxsize=2)
def phantom_anatomy(scale: float = 1.0) -> Anatomy:
    """The phantom with its derived fields; smaller scales are made faster (a child's head)."""
    return anatomy_from_labels(phantom_labels(scale), PHANTOM_NAME)


def phantom_head_ct(seed: int = 0) -> Volume:
    """A plain head CT of the phantom in a fraction of a second: 2 mm pixels, 4 mm slices, no blood, no tilt.

    For tests that need some head; simulate_head_ct makes better ones.
    """
    voxel_mm = 2.0
    labels = phantom_labels(1.0 / voxel_mm)[::2]
    table = np.zeros(256, dtype=np.float32)
    for tissue, (hu, _, _) in HU_TABLE.items():
        table[tissue] = hu
    image = table[tissue_of_labels(labels)]
    image += np.random.default_rng(seed).normal(0.0, 3.0, image.shape)
    rows, columns = image.shape[1:]
    size = 128
    padded = np.full((len(image), size, size), -1000.0, dtype=np.float32)
    j, i = (size - rows) // 2, (size - columns) // 2
    padded[:, j : j + rows, i : i + columns] = image
    affine = np.diag([voxel_mm, voxel_mm, 2 * voxel_mm, 1.0])
    affine[:3, 3] = -np.array([size - 1, size - 1, len(image) - 1]) / 2.0 * np.diag(affine)[:3]
    grid = SliceGrid.from_affine(padded.shape, affine)
    return Volume(np.clip(np.round(padded), -1024, 3071).astype(np.int16), grid, source="geometric phantom")


def phantom_labels(scale: float = 1.0) -> np.ndarray:
    """(K, J, I) int16 label map at 1 mm; axes grow upwards, backwards and to the left; numbers as in FreeSurfer.

    Skin, skull with diploe, CSF, folded cortex, white matter, deep nuclei, ventricles, cerebellum, brain stem, sinuses,
    arteries, eyes and air spaces, all ellipsoids and planes.
    """
    size = [round(n * scale) for n in (200, 212, 170)]
    axes = [
        ((np.arange(n) - n * share) / scale)[tuple(slice(None) if a == axis else None for a in range(3))]
        for axis, (n, share) in enumerate(zip(size, (0.56, 0.48, 0.5), strict=True))
    ]
    space = _Space(*(axis.astype(np.float32) for axis in axes))
    labels = np.zeros(size, dtype=np.int16)
    _skin_and_skull(labels, space)
    _cerebrum(labels, space)
    _deep_structures(labels, space)
    _posterior_fossa(labels, space)
    return labels


def _inner_space(space: _Space, grown_mm: float = 0.0) -> np.ndarray:
    """The intracranial space, grown outwards by so many millimetres."""
    g = grown_mm
    upper = space.ball((0, 0, 0), (72 + g, 84 + g, 68 + g)) & (space.up > -28 - g)
    fossa = space.ball((-34, 34, 0), (36 + g, 43 + g, 54 + g))
    return upper | fossa


def _skin_and_skull(labels: np.ndarray, space: _Space) -> None:
    head = space.ball((0, 0, 0), (84, 97, 80)) | space.ball((-40, 0, 0), (60, 92, 72))
    neck = ((space.back - 20) / 58) ** 2 + (space.left / 56) ** 2 <= 1
    labels[head | neck & (space.up < -30) | space.ball((-70, -35, 0), (60, 55, 55))] = 511
    inside = space.ball((0, 0, 0), (79, 92, 75)) | space.ball((-40, 0, 0), (55, 87, 67))
    labels[inside | (space.up < -60) & (labels == 511) & space.ball((-70, 5, 0), (90, 80, 60))] = 507
    skull = _inner_space(space, 7.0)
    labels[skull] = 515
    labels[_inner_space(space, 4.8) & ~_inner_space(space, 2.2) & (space.up > -10)] = 516
    for side in (-1, 1):
        labels[space.ball((-45, -62, side * 24), (16, 14, 11))] = 0  # maxillary sinus
        labels[space.ball((-34, 18, side * 52), (8, 9, 7))] = 0  # mastoid
        labels[space.ball((-24, -78, side * 32), (12, 12, 12))] = 506
    labels[space.ball((-25, -60, 0), (9, 14, 8))] = 0  # ethmoid and sphenoid
    labels[_inner_space(space)] = 24
    foramen = ((space.back - 22) / 16) ** 2 + (space.left / 16) ** 2 <= 1
    labels[foramen & (space.up < -60) & (labels >= 507)] = 24


def _cerebrum(labels: np.ndarray, space: _Space) -> None:
    around = np.arctan2(space.back, space.left)
    above = np.arctan2(space.up, np.sqrt(space.back**2 + space.left**2))
    folds = np.abs(np.sin(9.0 * around + 2.0 * np.sin(5.0 * above)) * np.cos(7.0 * above)) < 0.12
    radius = space.radius((0, 0, 0), (68.5, 80.5, 64.5))
    cerebrum = (radius <= 1.0) & (space.up > -25) & ~(folds & (radius > 0.82))
    cerebrum &= ~((space.up < -12) & (space.back > 12))
    cleft = (np.abs(space.left) < 1.5) & ((space.up > 24) | (np.abs(space.back) > 46))
    sylvian = space.ball((-5, -12, 46), (3, 26, 16)) | space.ball((-5, -12, -46), (3, 26, 16))
    cistern = space.ball((-22, -5, 0), (8, 14, 16))
    cerebrum &= ~cleft & ~sylvian & ~cistern
    white = (radius < 0.93) & ~(folds & (radius > 0.77)) & (np.abs(space.left) > 4.0)
    white |= (np.abs(space.up - 18) < 5) & (np.abs(space.back) < 40)  # callosum
    white &= ~(space.ball((-5, -12, 46), (7, 30, 20)) | space.ball((-5, -12, -46), (7, 30, 20)))
    left = space.left > 0
    labels[cerebrum & left] = 3
    labels[cerebrum & ~left] = 42
    labels[cerebrum & white & left] = 2
    labels[cerebrum & white & ~left] = 41
    sinus = (np.abs(space.left) < 3.5) & _inner_space(space) & (space.radius((0, 0, 0), (72, 84, 68)) > 0.94)
    labels[sinus & (space.up > -10) & (labels == 24)] = 514


def _deep_structures(labels: np.ndarray, space: _Space) -> None:
    for side, (lateral, caudate, putamen, pallidum, thalamus) in ((1, (4, 11, 12, 13, 10)), (-1, (43, 50, 51, 52, 49))):
        labels[space.ball((4, -10, side * 25), (13, 17, 6))] = putamen
        labels[space.ball((2, -5, side * 18), (8, 9, 4))] = pallidum
        labels[space.ball((3, 10, side * 11), (10, 15, 9))] = thalamus
        labels[space.ball((10, -22, side * 15), (9, 12, 5))] = caudate
        labels[space.ball((14, -2, side * 9), (7, 32, 5))] = lateral
        labels[space.ball((6, 30, side * 20), (9, 14, 6))] = lateral
    labels[(np.abs(space.left) < 1.6) & (np.abs(space.up - 1) < 9) & (np.abs(space.back - 4) < 13)] = 14
    labels[space.ball((-24, -8, 8), (1.6, 1.6, 12)) | space.ball((-24, -8, -8), (1.6, 1.6, 12))] = 502


def _posterior_fossa(labels: np.ndarray, space: _Space) -> None:
    below = (space.up < -15) & _inner_space(space)
    cerebellum = space.ball((-36, 40, 0), (26, 32, 46)) & below & (space.up < -15)
    core = space.ball((-36, 38, 0), (13, 18, 30)) & cerebellum
    left = space.left > 0
    for mask, numbers in ((cerebellum, (8, 47)), (core, (7, 46))):
        labels[mask & left] = numbers[0]
        labels[mask & ~left] = numbers[1]
    stem = ((space.back - 12) / 13) ** 2 + (space.left / 14) ** 2 <= 1
    labels[stem & (space.up < -8) & (space.up > -66)] = 16
    cord = ((space.back - 20) / 7) ** 2 + (space.left / 7) ** 2 <= 1
    labels[cord & (space.up <= -60)] = 512
    labels[space.ball((-36, 26, 0), (9, 4, 7))] = 15
