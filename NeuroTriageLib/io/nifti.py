"""NIfTI-1 read from its own header, so that a sheared (tilted) sform and a missing one are both seen for what they are.

ITK refuses a sheared sform or silently falls back to the qform, which puts tilted slices in the wrong place.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ..core.errors import GeometryError, InputError

# NIfTI-1 datatype codes that hold one real number per voxel (nifti1.h).
_DTYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}

_HEADER = np.dtype(
    {
        "names": [
            *("size", "dim", "datatype", "pixdim", "offset", "slope", "inter", "units", "qform", "sform"),
            *("quatern", "qoffset", "srow", "magic"),
        ],
        "formats": ["i4", "8i2", "i2", "8f4", "f4", "f4", "f4", "u1", "i2", "i2", "3f4", "3f4", "(3,4)f4", "S4"],
        "offsets": [0, 40, 70, 76, 108, 112, 116, 123, 252, 254, 256, 268, 280, 344],
        "itemsize": 352,
    }
)
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}


@dataclass(frozen=True)
class NiftiHeader:
    """What is needed to read the voxels and to place them."""

    shape_kji: tuple[int, int, int]
    affine_ijk_to_lps: np.ndarray
    dtype: np.dtype
    data_offset: int
    slope: float
    intercept: float


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def read_nifti_header(path: Path) -> NiftiHeader:
    """Read the first 352 bytes.

    Raises:
        InputError: not a single-file NIfTI-1, damaged, not 3D, colour or complex values.
        GeometryError: neither sform nor qform is set.
    """
    try:
        with _open(path) as stream:
            start = stream.read(352)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path) from error
    if start[344:347] == b"ni1" or start[4:7] in (b"n+2", b"ni2"):
        raise InputError(
            "The file is a NIfTI-2 image or a header without its image.",
            where=str(path),
            next_step="Convert it to one NIfTI-1 file (.nii or .nii.gz).",
        )
    if len(start) < 352 or start[344:347] != b"n+1":
        raise _damaged(path)
    raw = np.frombuffer(start, dtype=_HEADER)[0]
    order = "<"
    if raw["size"] != 348:
        raw, order = np.frombuffer(start, dtype=_HEADER.newbyteorder(">"))[0], ">"
    if raw["size"] != 348:
        raise _damaged(path)
    code = int(raw["datatype"])
    if code not in _DTYPES:
        raise InputError("The NIfTI image holds colour or complex values, not CT values.", where=str(path))
    slope, intercept = float(raw["slope"]), float(raw["inter"])
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        slope, intercept = 1.0, 0.0  # nifti1.h: a slope of 0 means no scaling
    return NiftiHeader(
        shape_kji=_shape(path, raw["dim"]),
        affine_ijk_to_lps=_affine(path, raw),
        dtype=np.dtype(order + _DTYPES[code]),
        data_offset=int(raw["offset"]),
        slope=slope,
        intercept=intercept,
    )


def _damaged(path: Path) -> InputError:
    return InputError("The NIfTI file is truncated or damaged.", where=str(path), next_step="Copy it again.")


def _shape(path: Path, dim: np.ndarray) -> tuple[int, int, int]:
    count = int(dim[0])
    sizes = [int(n) for n in dim[1 : count + 1]] if 1 <= count <= 7 else []
    if len(sizes) < 3 or min(sizes) < 1 or any(n > 1 for n in sizes[3:]):
        raise InputError(
            f"The NIfTI image has the size {' x '.join(map(str, sizes)) or 'nothing'}; one 3D stack is needed.",
            where=str(path),
            next_step="Save one time point or channel as a file of its own.",
        )
    return sizes[2], sizes[1], sizes[0]


def _affine(path: Path, raw: np.void) -> np.ndarray:
    """(4, 4) (i, j, k) to LPS mm: the sform when it is scanner or aligned space, else the qform, else the sform."""
    sform, qform = int(raw["sform"]), int(raw["qform"])
    if sform in (1, 2) or (sform > 0 and qform <= 0):
        affine = np.vstack([raw["srow"].astype(float), [0, 0, 0, 1]])
    elif qform > 0:
        affine = _qform_affine(raw)
    else:
        raise GeometryError(
            "The NIfTI header says neither by sform nor by qform where the voxels lie.",
            where=str(path),
            next_step="Convert the series from DICOM again.",
        )
    affine[:3] *= _MM_PER_UNIT.get(int(raw["units"]) & 7, 1.0)
    return _RAS_TO_LPS @ affine


def _qform_affine(raw: np.void) -> np.ndarray:
    """(4, 4) to RAS from the quaternion (nifti1.h, method 2)."""
    b, c, d = (float(value) for value in raw["quatern"])
    a = np.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    pixdim = raw["pixdim"].astype(float)
    handedness = -1.0 if pixdim[0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = rotation * np.array([pixdim[1], pixdim[2], pixdim[3] * handedness])
    affine[:3, 3] = raw["qoffset"]
    return affine


def read_nifti(path: Path) -> tuple[np.ndarray, NiftiHeader]:
    """(K, J, I) values with the header's slope and intercept applied. Raises InputError when truncated."""
    header = read_nifti_header(path)
    count = int(np.prod(header.shape_kji, dtype=np.int64))
    try:
        with _open(path) as stream:
            stream.seek(header.data_offset)
            data = stream.read(count * header.dtype.itemsize)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path) from error
    if len(data) < count * header.dtype.itemsize:
        raise _damaged(path)
    # NIfTI stores i fastest, then j, then k: that is (k, j, i) in C order.
    array = np.frombuffer(data, dtype=header.dtype).reshape(header.shape_kji)
    if (header.slope, header.intercept) != (1.0, 0.0):
        return array.astype(np.float32) * np.float32(header.slope) + np.float32(header.intercept), header
    return array, header
