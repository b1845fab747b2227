"""Vendors' private DICOM elements that say what the standard's diffusion attributes say, under the standard's names.

Sources: vendors' conformance statements as collected by the NA-MIC wiki ("DICOM for DWI and DTI") and the notes on each
vendor that accompany dcm2niix. None of these elements is required; each is used only when its creator is the vendor's.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

MAX_B_VALUE = 50_000.0
"""s/mm2; larger numbers mean that nothing was set: Philips writes 1e37 (ours)."""

GE_B_OFFSET = 1_000_000_000
"""GE adds it to the b-value of multi-b and synthetic diffusion series."""

# (0043,1030), "Vas collapse flag": which image of a diffusion series this is.
_GE_DIRECTIONS = {3: "DIRECTIONAL", 4: "DIRECTIONAL", 5: "DIRECTIONAL", 14: "NONE", 15: "ISOTROPIC", 16: "DIRECTIONAL"}


@dataclass(frozen=True)
class PrivateElement:
    """One private element in the vendor's first block: its creator, what it means, how it is read."""

    group: int
    element: int
    creator: str
    keyword: str
    read: Callable[[Any], Any]

    @property
    def tag(self) -> tuple[int, int]:
        """(group, element) with the block number 0x10, which the vendors named here always use."""
        return self.group, 0x1000 | self.element


def _number(value: Any) -> float | None:
    """The first number of a decoded or undecoded value; None when there is none."""
    if isinstance(value, bytes):
        return _number_in_bytes(value)
    if not isinstance(value, str) and hasattr(value, "__getitem__"):
        value = value[0] if len(value) else None
    try:
        return float(str(value).split("\\")[0])
    except ValueError:
        return None


def _number_in_bytes(value: bytes) -> float | None:
    """A value whose representation got lost: text, or a little-endian float, double or short."""
    try:
        return float(value.decode("ascii").strip("\0 ").split("\\")[0])
    except ValueError:
        form = {8: "<d", 4: "<f", 2: "<h"}.get(len(value))
        return float(struct.unpack(form, value)[0]) if form else None


def _b_value(value: Any) -> float | None:
    number = _number(value)
    if number is None or number < 0:
        return None
    number = number - GE_B_OFFSET if number >= GE_B_OFFSET else number
    return number if number <= MAX_B_VALUE else None


def _direction(value: Any) -> str | None:
    """Siemens' own words are the standard's; Philips writes I for isotropic and the axes' letters for the rest."""
    text = _text(value)
    if text in ("NONE", "DIRECTIONAL", "ISOTROPIC", "BMATRIX"):
        return text
    if text in (None, "U"):
        return None
    return {"I": "ISOTROPIC", "N": "NONE"}.get(text, "DIRECTIONAL")


def _ge_direction(value: Any) -> str | None:
    number = _number(value)
    return None if number is None else _GE_DIRECTIONS.get(int(number))


def _text(value: Any) -> str | None:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return text.strip("\0 ").upper() or None


PRIVATE_ELEMENTS = (
    PrivateElement(0x0019, 0x0C, "SIEMENS MR HEADER", "DiffusionBValue", _b_value),
    PrivateElement(0x0019, 0x0D, "SIEMENS MR HEADER", "DiffusionDirectionality", _direction),
    PrivateElement(0x0043, 0x39, "GEMS_PARM_01", "DiffusionBValue", _b_value),
    PrivateElement(0x0043, 0x30, "GEMS_PARM_01", "DiffusionDirectionality", _ge_direction),
    PrivateElement(0x0019, 0x9C, "GEMS_ACQU_01", "PulseSequenceName", _text),
    PrivateElement(0x2001, 0x03, "PHILIPS IMAGING DD 001", "DiffusionBValue", _b_value),
    PrivateElement(0x2001, 0x04, "PHILIPS IMAGING DD 001", "DiffusionDirectionality", _direction),
    PrivateElement(0x2001, 0x20, "PHILIPS IMAGING DD 001", "ScanningTechnique", _text),
    PrivateElement(0x2001, 0x22, "PHILIPS IMAGING DD 001", "WaterFatShift", _number),
    PrivateElement(0x0065, 0x09, "IMAGE PRIVATE HEADER", "DiffusionBValue", _b_value),  # United Imaging
)
"""In the order in which they are tried; the standard's own attribute comes before all of them."""

PRIVATE_TAGS = tuple(dict.fromkeys(tag for item in PRIVATE_ELEMENTS for tag in ((item.group, 0x0010), item.tag)))
"""What must be read from a file: the elements and their groups' creators."""


_COMMENT_B_VALUE = re.compile(r"\bb ?= ?(\d+)(?:\.\d+)?(\(-?\d)?", re.IGNORECASE)


def comment_values(comment: str) -> dict[str, Any]:
    """What scanners write into ImageComments: Canon "b=1500(0.445,0.000,0.895)", multi-band "Single-band reference"."""
    values: dict[str, Any] = {}
    if "single-band ref" in comment.lower():
        values["SingleBandReference"] = True
    if written := _COMMENT_B_VALUE.search(comment):
        values["DiffusionBValue"] = float(written[1])
        if written[2]:
            values["DiffusionDirectionality"] = "DIRECTIONAL"
    return values


def private_values(dataset: Dataset) -> dict[str, Any]:
    """Standard keyword -> value of the private elements that a file holds.

    An image that a GE scanner marks as made without diffusion weighting has b = 0, whatever the series' b-value is.
    """
    found: dict[str, Any] = {}
    for item in PRIVATE_ELEMENTS:
        creator = dataset.get((item.group, 0x0010))
        element = dataset.get(item.tag)
        if creator is None or element is None or not (_text(creator.value) or "").startswith(item.creator):
            continue
        value = item.read(element.value)
        if value is not None:
            found.setdefault(item.keyword, value)
    if "GEMS_PARM_01" in _creator(dataset, 0x0043) and found.get("DiffusionDirectionality") == "NONE":
        found["DiffusionBValue"] = 0.0
    return found


def _creator(dataset: Dataset, group: int) -> str:
    creator = dataset.get((group, 0x0010))
    return "" if creator is None else _text(creator.value) or ""
