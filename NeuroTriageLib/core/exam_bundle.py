"""An exchanged exam in one piece of bytes, without its images: what a Slicer scene keeps so that a review reopens."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from .errors import InputError
from .exchange import ARRAYS_FILE, EXAM_FILE

BUNDLE_FILE = "exam_bundle.zip"
_IMAGES = "volume"  # the scene has them already


def write_bundle(folder: Path) -> Path:
    """Write the bundle of an exchange folder into it; maps that are mostly zero shrink to a few percent."""
    arrays = io.BytesIO()
    with np.load(folder / ARRAYS_FILE, allow_pickle=False) as stored:
        np.savez_compressed(arrays, **{name: stored[name] for name in stored.files if name != _IMAGES})
    path = folder / BUNDLE_FILE
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(EXAM_FILE, (folder / EXAM_FILE).read_bytes())
        archive.writestr(zipfile.ZipInfo(ARRAYS_FILE), arrays.getvalue())  # compressed already
    return path


def unpack_bundle(content: bytes, folder: Path) -> None:
    """Make an exchange folder of a bundle; load_exam reads it when it is given the volume.

    Raises InputError when it is damaged or holds anything else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if set(archive.namelist()) != {EXAM_FILE, ARRAYS_FILE}:
                raise InputError("The exam that is kept in the scene holds other files than it should.")
            folder.mkdir(parents=True, exist_ok=True)
            for name in (EXAM_FILE, ARRAYS_FILE):
                (folder / name).write_bytes(archive.read(name))
    except zipfile.BadZipFile as error:
        raise InputError("The exam that is kept in the scene is damaged.", next_step="Run again.") from error
