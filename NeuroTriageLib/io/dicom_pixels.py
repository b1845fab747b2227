"""DICOM pixel data to numbers with a meaning: decoding, rescale, padding."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.pixels import pixel_array
from pydicom.uid import UID, RLELossless

from ..core.errors import DicomError, InputError
from ..core.findings import QualityFlag
from ..core.study import Instance
from .decoding_processes import decode_jobs, process_count
from .dicom_headers import quiet_pydicom
from .hounsfield import AIR_HU, guess_intercept

MAX_VOXELS = 2**31
"""Series larger than this are refused before memory is asked for (4 GiB as int16; ours)."""

MAX_RESCALE = 1e9
"""Scanners' slopes and intercepts have a few digits; beyond this float32 loses every grey value (ours)."""

# Decoders in the order in which they are tried, the fastest first. Measured on 512 x 512 head slices: JPEG 2000
# lossless takes GDCM 14 ms and pylibjpeg-openjpeg 21 ms, lossy 8 and 6 ms; JPEG-LS takes pyjpegls 7 ms, GDCM 1.5
# times that. JPEG lossless: GDCM (the other decoder of it is GPL and is not used).
_DECODERS = {
    RLELossless: ("pylibjpeg", "pydicom", "gdcm"),
    UID("1.2.840.10008.1.2.4.80"): ("pyjpegls", "gdcm"),
    UID("1.2.840.10008.1.2.4.81"): ("pyjpegls", "gdcm"),
    UID("1.2.840.10008.1.2.4.90"): ("gdcm", "pylibjpeg", "pillow"),
    UID("1.2.840.10008.1.2.4.91"): ("pylibjpeg", "gdcm", "pillow"),
    UID("1.2.840.10008.1.2.4.201"): ("pylibjpeg",),
    UID("1.2.840.10008.1.2.4.202"): ("pylibjpeg",),
    UID("1.2.840.10008.1.2.4.203"): ("pylibjpeg",),
    UID("1.2.840.10008.1.2.4.50"): ("gdcm", "pillow"),
    UID("1.2.840.10008.1.2.4.51"): ("gdcm", "pillow"),
    UID("1.2.840.10008.1.2.4.57"): ("gdcm",),
    UID("1.2.840.10008.1.2.4.70"): ("gdcm",),
}
# JPEG 2000, JPEG-LS and JPEG lossless: slow enough for several processes.
_SLOW = {uid for uid in _DECODERS if uid != RLELossless}
_PACKAGES = {"pylibjpeg": "pylibjpeg", "pyjpegls": "jpeg_ls", "gdcm": "gdcm", "pillow": "PIL", "pydicom": "pydicom"}


def read_pixels(instances: Sequence[Instance]) -> tuple[np.ndarray, tuple[QualityFlag, ...]]:
    """(K, J, I) values of the instances in the order given: HU for CT, as int16 where they are whole numbers.

    Raises:
        DicomError: no pixel data, truncated or undecodable frames, an unknown rescale, absurd dimensions.
        InputError: a file that cannot be opened.
    """
    headers = [item.header for item in instances]
    rows, columns = headers[0].get("Rows") or 0, headers[0].get("Columns") or 0
    if not 0 < rows * columns * len(headers) <= MAX_VOXELS:
        raise DicomError(
            f"The image dimensions are absurd: {len(headers)} slices of {rows} x {columns}.",
            where=str(instances[0].path),
            next_step="Export the series again, or choose another.",
        )
    if any(header.get("SamplesPerPixel", 1) != 1 for header in headers):
        raise DicomError(
            "The series is a colour picture, not CT values.", where=str(instances[0].path), next_step="Choose another."
        )
    stored = _decode_all(instances, (rows, columns))
    rescales, flags = _rescales(headers, stored)
    is_ct = headers[0].get("Modality", "CT") == "CT"
    whole = all(_is_whole(*pair) for pair in rescales)
    volume = np.empty((len(stored), rows, columns), dtype=np.int16 if whole else np.float32)
    for k, (header, rescale) in enumerate(zip(headers, rescales, strict=True)):
        volume[k] = _to_values(stored[k], header, rescale, is_ct=is_ct, whole=whole)
        stored[k] = volume[k][:0]  # give the memory back as we go
    return volume, flags


def _decode_all(instances: Sequence[Instance], shape_ji: tuple[int, int]) -> list[np.ndarray]:
    """Stored values of each instance, in order; each file is opened once."""
    wanted: dict[Path, list[int]] = defaultdict(list)
    for index, item in enumerate(instances):
        wanted[item.path].append(index)
    jobs = [(path, [instances[index].frame_number for index in indices]) for path, indices in wanted.items()]
    slow = instances[0].header.get("TransferSyntaxUID") in _SLOW
    with quiet_pydicom():
        frames = decode_jobs(jobs, decode_file, process_count(len(instances)) if slow else 1)
    stored: list[np.ndarray] = [np.empty(0)] * len(instances)
    order = [index for indices in wanted.values() for index in indices]
    for index, frame in zip(order, frames, strict=True):
        if frame.shape != shape_ji:
            raise DicomError("A frame's size differs from its header.", where=str(instances[index].path))
        stored[index] = frame
    return stored


def decode_file(path: Path, frames: list[int]) -> list[np.ndarray]:
    """Stored values of the frames (numbers from 1; 0 for a classic image) of one file, within quiet_pydicom().

    Raises:
        InputError: the file cannot be opened.
        DicomError: no pixel data, truncated or undecodable.
    """
    try:
        dataset = pydicom.dcmread(path, force=True)
    except Exception as error:  # pydicom raises many kinds on damaged bytes, OSError without a number among them
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"A file cannot be read: {error.strerror}.", where=str(path)) from error
        raise _undecodable(path, error) from error
    if "PixelData" not in dataset:
        raise DicomError(
            "A DICOM file has no pixel data.", where=str(path), next_step="Export the series again, with its images."
        )
    _complete_file_meta(dataset)
    return [_decode_frame(path, dataset, frame) for frame in frames]


def _complete_file_meta(dataset: pydicom.Dataset) -> None:
    """Files without file meta information are implicit or explicit little endian, as pydicom found when parsing."""
    if not dataset.file_meta.get("TransferSyntaxUID"):
        dataset.file_meta.TransferSyntaxUID = UID(
            "1.2.840.10008.1.2" if dataset.is_implicit_VR else "1.2.840.10008.1.2.1"  # type: ignore[attr-defined]
        )


def _decode_frame(path: Path, dataset: pydicom.Dataset, frame: int) -> np.ndarray:
    syntax = dataset.file_meta.TransferSyntaxUID
    index = None if frame == 0 else frame - 1
    if not syntax.is_transfer_syntax:
        raise DicomError("The transfer syntax is unknown.", where=str(path), next_step="Export the series again.")
    if not syntax.is_compressed or syntax.is_deflated:
        plugins: tuple[str, ...] = ("",)
    else:
        plugins = _installed_decoders(syntax)
    if not plugins:
        raise DicomError(
            f"No decoder for {syntax.name} is installed.",
            where=str(path),
            next_step="Install python-gdcm, pyjpegls, pylibjpeg, pylibjpeg-openjpeg and pylibjpeg-rle, "
            "or export the series uncompressed.",
        )
    for number, name in enumerate(plugins):
        try:
            return pixel_array(dataset, index=index, raw=True, decoding_plugin=name)
        except MemoryError:
            raise
        except Exception as error:  # each decoder has kinds of its own; the next one may know better
            if number == len(plugins) - 1:
                raise _undecodable(path, error) from error
    raise AssertionError("unreachable")


@cache
def _installed_decoders(syntax: UID) -> tuple[str, ...]:
    return tuple(name for name in _DECODERS.get(syntax, ()) if importlib.util.find_spec(_PACKAGES[name]))


def _undecodable(path: Path, error: Exception) -> DicomError:
    return DicomError(
        f"A DICOM image is truncated or damaged ({type(error).__name__}).",
        where=str(path),
        next_step="Copy or export the series again.",
    )


def _rescales(
    headers: list[dict[str, Any]], stored: list[np.ndarray]
) -> tuple[list[tuple[float, float]], tuple[QualityFlag, ...]]:
    """(slope, intercept) of each slice, and a flag when they had to be inferred from the values."""
    pairs = [(_one_number(h, "RescaleSlope"), _one_number(h, "RescaleIntercept")) for h in headers]
    if all(intercept is not None for _, intercept in pairs):
        return [(1.0 if slope is None else slope, float(intercept or 0.0)) for slope, intercept in pairs], ()
    if headers[0].get("Modality", "CT") != "CT":
        return [(1.0 if slope is None else slope, intercept or 0.0) for slope, intercept in pairs], ()
    missing = [k for k, (_, intercept) in enumerate(pairs) if intercept is None]
    middle = missing[len(missing) // 4 : len(missing) - len(missing) // 4] or missing
    guess = guess_intercept(np.stack([stored[k][::2, ::2] for k in middle]))
    if guess is None:
        raise DicomError(
            "The rescale intercept is missing and the values do not show what it was: no Hounsfield units.",
            next_step="Export the series again with its rescale tags.",
        )
    message = (
        f"The rescale tags are missing in {len(missing)} of {len(pairs)} images; "
        f"intercept {guess:.0f} was inferred from the values of air, soft tissue and bone."
    )
    inferred = [
        (1.0 if slope is None else slope, guess if intercept is None else intercept) for slope, intercept in pairs
    ]
    return inferred, (QualityFlag("rescale_missing", message, guess),)


def _is_whole(slope: float, intercept: float) -> bool:
    """True when every 16-bit value rescaled is a whole number that an int32 holds."""
    return slope.is_integer() and intercept.is_integer() and abs(slope) * 2**16 + abs(intercept) < 2**31


def _one_number(header: dict[str, Any], keyword: str) -> float | None:
    """The value; of several equal values the first; None when missing. Raises DicomError when they differ."""
    value = header.get(keyword)
    values = [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, int | float)]
    if not values:
        return None
    if len(set(values)) > 1 or not abs(values[0]) <= MAX_RESCALE or (keyword == "RescaleSlope" and values[0] == 0):
        raise DicomError(
            f"{keyword} has no usable value ({', '.join(map(str, values))}): no Hounsfield units.",
            next_step="Export the series again with its rescale tags.",
        )
    return float(values[0])


def _to_values(
    stored: np.ndarray, header: dict[str, Any], rescale: tuple[float, float], *, is_ct: bool, whole: bool
) -> np.ndarray:
    """One slice rescaled; for CT padding and everything below -1024 becomes -1024, int16 saturates at 32767.

    With fractions it is computed in double precision and rounded once, as other readers do: by its values a mask knows
    its image.
    """
    slope, intercept = rescale
    number: Any = np.int32 if whole else np.float64
    values: np.ndarray = stored.astype(number) * number(slope) + number(intercept)
    if is_ct:
        values[_padding_mask(stored, header, rescale)] = AIR_HU
        np.maximum(values, AIR_HU, out=values)
    return np.clip(values, -32768, 32767, out=values) if whole else values.astype(np.float32)


def _padding_mask(stored: np.ndarray, header: dict[str, Any], rescale: tuple[float, float]) -> np.ndarray:
    """(J, I) bool: pixels that are padding.

    A padding value that tissue can have too counts only outside the circle that is inscribed in the image.
    """
    low = header.get("PixelPaddingValue")
    if not isinstance(low, int | float):
        return np.zeros(stored.shape, dtype=bool)
    high = header.get("PixelPaddingRangeLimit", low)
    bits = 2 ** int(header.get("BitsAllocated", 16))
    low, high = (_as_stored(value, stored.dtype, bits) for value in (low, high))
    low, high = min(low, high), max(low, high)
    mask = (stored >= low) & (stored <= high)
    slope, intercept = rescale
    if low * slope + intercept > 3071 or high * slope + intercept < -900:
        return mask
    j, i = (np.arange(n) - (n - 1) / 2 for n in stored.shape)
    return mask & (j[:, None] ** 2 + i**2 > (min(stored.shape) / 2) ** 2)


def _as_stored(value: float, dtype: np.dtype, bits: int) -> float:
    """The padding value in the sign convention of the pixels (some writers use the other one)."""
    if dtype.kind == "i" and value >= bits // 2:
        return value - bits
    return value + bits if dtype.kind == "u" and value < 0 else value
