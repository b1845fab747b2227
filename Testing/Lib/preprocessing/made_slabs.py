"""Heads made of ellipses on a coarse grid, as preprocessing hands them on: quick to make by the hundred."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

PIXEL_MM = 3.6


@dataclass(frozen=True)
class MadeHead:
    """What a head looks like; HU and millimetres."""

    length_mm: float = 160.0
    width_mm: float = 130.0
    white_hu: float = 29.0
    grey_hu: float = 37.0
    bone_hu: float = 900.0
    fat_mm: float = 4.0
    vessels_hu: float = 45.0
    noise_hu: float = 4.0
    seed: int = 0


def usual(seed: int) -> MadeHead:
    """A head as they vary."""
    rng = np.random.default_rng(seed)
    return MadeHead(
        length_mm=rng.normal(160, 8),
        width_mm=rng.normal(130, 6),
        white_hu=rng.normal(29, 1.5),
        grey_hu=rng.normal(37, 1.5),
        bone_hu=rng.normal(900, 60),
        fat_mm=rng.uniform(3, 7),
        vessels_hu=rng.normal(45, 4),
        noise_hu=rng.uniform(2.5, 5.5),
        seed=seed,
    )


def made_slabs(head: MadeHead, slabs: int = 12, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """(S, H, W) HU and brain mask: white matter in a rim of grey, vessels, skull, scalp with fat."""
    rng = np.random.default_rng(head.seed)
    rows, columns = (np.mgrid[:size, :size] - (size - 1) / 2) * PIXEL_MM
    hu, brain = np.full((slabs, size, size), -1000.0), np.zeros((slabs, size, size), bool)
    for s in range(slabs):
        shrink = np.sin(np.pi * (s + 1) / (slabs + 1)) ** 0.5
        a, b = head.length_mm / 2 * shrink, head.width_mm / 2 * shrink

        def within(extra: float, a: float = a, b: float = b) -> np.ndarray:
            return (rows / (a + extra)) ** 2 + (columns / (b + extra)) ** 2 <= 1

        layers = ((11 + head.fat_mm, 40.0), (9 + head.fat_mm, -90.0), (8, head.bone_hu), (0, head.grey_hu))
        for extra, value in layers:
            hu[s][within(extra)] = value
        hu[s][within(-9)] = head.white_hu
        hu[s][within(-9) & (np.abs(columns) < 4)] = head.vessels_hu
        brain[s] = within(0)
    return (hu + rng.normal(0, head.noise_hu, hu.shape)).astype(np.float32), brain


def variants() -> dict[str, MadeHead]:
    """Heads that no head CT without contrast looks like."""
    plain = MadeHead(seed=77)
    return {
        "magnetic resonance": dataclasses.replace(plain, white_hu=60, grey_hu=20, bone_hu=25, fat_mm=0, noise_hu=2),
        "contrast medium": dataclasses.replace(plain, white_hu=45, grey_hu=62, vessels_hu=240),
        "phantom": dataclasses.replace(plain, white_hu=10, grey_hu=10, vessels_hu=10, fat_mm=0.0, noise_hu=1.0),
        "limb": dataclasses.replace(plain, length_mm=70, width_mm=60, white_hu=55, grey_hu=60),
        "wrong units": dataclasses.replace(plain, white_hu=140, grey_hu=150, vessels_hu=160),
    }
