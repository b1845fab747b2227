"""NIfTI-1 files written byte by byte, so that a header can say what no program would write."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np


def write_nifti(
    path: Path,
    array: np.ndarray,
    sform: np.ndarray | None = None,
    quaternion: tuple[float, ...] = (),
    *,
    sform_code: int = 1,
    scale: tuple[float, float] = (1.0, 0.0),
    spacing=(0.5, 0.6, 5.0),
    qfac: float = 1.0,
    datatype: int | None = None,
    dims: tuple[int, ...] = (),
) -> Path:
    """A NIfTI-1 file, byte by byte (nifti1.h): quaternion is (b, c, d, x, y, z) with qform_code 1."""
    codes = {"int16": 4, "uint16": 512, "float32": 16, "uint8": 2}
    header = bytearray(352)
    sizes = dims or array.shape[::-1]
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, len(sizes), *sizes, *[1] * (7 - len(sizes)))
    struct.pack_into("<hh", header, 70, datatype or codes[array.dtype.name], array.dtype.itemsize * 8)
    struct.pack_into("<8f", header, 76, qfac, *spacing, 1, 1, 1, 1)
    struct.pack_into("<fff", header, 108, 352.0, *scale)
    header[123] = 2
    struct.pack_into("<hh", header, 252, 1 if quaternion else 0, sform_code if sform is not None else 0)
    if quaternion:
        struct.pack_into("<6f", header, 256, *quaternion)
    if sform is not None:
        struct.pack_into("<12f", header, 280, *sform[:3].ravel())
    header[344:348] = b"n+1\0"
    data = bytes(header) + array.astype(array.dtype.newbyteorder("<")).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path
