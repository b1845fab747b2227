"""Label maps of geometric heads, for computers without real ones: of different size and proportions, made once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..core.user_data import user_data_folder
from .phantom import phantom_labels

PHANTOM = "phantom"
"""What a user writes in place of a folder of label maps."""

HEADS = 20
"""As many as there are label maps in the set that the shipped models learned from: 01-16 train, 17-18 validate, 19-20
test."""

SCALES = (0.9, 1.06)
"""Smallest and largest head along each axis against the phantom's own (ours; the phantom is a large adult head)."""


def heads_folder() -> Path:
    """Where this computer keeps the heads that it has made and prepared."""
    return user_data_folder() / "heads"


def maps_named(maps: Path | str) -> Path:
    """The folder of label maps that a user named; for "phantom" the geometric heads, made now if they are missing."""
    return phantom_maps(heads_folder()) if str(maps) == PHANTOM else Path(maps)


def phantom_maps(folder: Path) -> Path:
    """The folder below this one that holds the label maps of HEADS geometric heads; those that are missing are made."""
    out = folder / "phantom-v1"
    out.mkdir(parents=True, exist_ok=True)
    for number in range(1, HEADS + 1):
        path = out / f"phantom_{number:02d}.nii.gz"
        if not path.exists():
            _write(path, number)
    return out


def _write(path: Path, number: int) -> None:
    scales = np.random.default_rng(number).uniform(*SCALES, 3)
    image = sitk.GetImageFromArray(phantom_labels())  # axes grow upwards, backwards and to the left
    size = [round(count * scale) for count, scale in zip(image.GetSize(), scales, strict=True)]
    image.SetSpacing([float(scale) for scale in scales])
    image = sitk.Resample(
        image, size, sitk.Transform(), sitk.sitkNearestNeighbor, image.GetOrigin(), (1.0, 1.0, 1.0),
        image.GetDirection(), 0, sitk.sitkInt16,
    )  # fmt: skip
    # Written beside and renamed, so that a process that reads meanwhile never meets half a file.
    temporary = path.with_name(f".{number}-{os.getpid()}.nii.gz")
    sitk.WriteImage(image, str(temporary))
    temporary.replace(path)
