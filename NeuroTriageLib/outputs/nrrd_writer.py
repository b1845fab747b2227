"""NRRD files with any slice direction: sheared stacks too, which image libraries refuse or straighten."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..core.geometry import SliceGrid

_TYPES = {"uint8": "unsigned char", "int16": "short", "uint16": "unsigned short", "float32": "float"}
# zlib's own default: level 9 takes three times as long for a hundredth less (ours).
_COMPRESSION_LEVEL = 6


def write_nrrd(path: Path, array_kji: np.ndarray, grid: SliceGrid, fields: Mapping[str, str]) -> None:
    """Write a gzip-compressed NRRD (NRRD0004) in LPS millimetres.

    The voxels are those of the grid one to one, (k, j, i). Its space directions are the affine that fits the slices
    best: exact for a tilted stack. Of an uneven stack, which no NRRD can describe, the true centre of the first voxel
    of every slice stands in the field NeuroTriage_SliceOriginsLPS, "x y z|x y z|...".

    Args:
        path: file to write.
        array_kji: (K, J, I), one of uint8, int16, uint16, float32.
        grid: its grid.
        fields: additional key := value pairs.
    """
    path.write_bytes(nrrd_bytes(array_kji, grid, fields))


def nrrd_bytes(array_kji: np.ndarray, grid: SliceGrid, fields: Mapping[str, str]) -> bytes:
    """The content of the file that write_nrrd writes."""
    fields = dict(fields)
    if not grid.is_regular:
        fields["NeuroTriage_SliceOriginsLPS"] = "|".join(_numbers(point, " ") for point in grid.origins_lps_mm)
    content = _header(array_kji, grid.affine_ijk_to_lps, fields).encode("utf-8")
    little_endian = np.ascontiguousarray(array_kji).astype(array_kji.dtype.newbyteorder("<"), copy=False)
    return content + gzip.compress(little_endian.tobytes(), _COMPRESSION_LEVEL, mtime=0)


def _header(array_kji: np.ndarray, affine: np.ndarray, fields: Mapping[str, str]) -> str:
    lines = [
        "NRRD0004",
        "# Complete NRRD file format specification at:",
        "# http://teem.sourceforge.net/nrrd/format.html",
        f"type: {_TYPES[array_kji.dtype.name]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(str(n) for n in array_kji.shape[::-1])}",
        f"space directions: {' '.join(f'({_numbers(affine[:3, axis])})' for axis in range(3))}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: ({_numbers(affine[:3, 3])})",
        *(f"{key}:={_escaped(value)}" for key, value in fields.items()),
    ]
    return "\n".join(lines) + "\n\n"


def _numbers(values: np.ndarray, separator: str = ",") -> str:
    """Shortest decimals that read back as the same numbers; no negative zero."""
    return separator.join(repr(float(value) + 0.0) for value in values)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")
