"""MR headers without images: JSON lines of BIDS sidecars or DICOM keywords, and the sidecar beside a NIfTI file."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import InputError

_SUFFIXES = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class HeaderLine:
    """One header of a file.

    Args:
        line: from 1.
        header: keyword -> value, as dcm2niix or a DICOM reader wrote it.
        labels: what stands beside the header in the line, "truth" left out.
    """

    line: int
    header: dict[str, Any]
    labels: dict[str, Any]


def holds_headers(path: Path) -> bool:
    """True when a file is named like JSON lines (.jsonl, .ndjson) or JSON, also zipped with gzip."""
    name = path.name.lower().removesuffix(".gz")
    return path.is_file() and name.endswith(_SUFFIXES)


def read_header_lines(path: Path) -> Iterator[HeaderLine]:
    """The headers of a file in their order: a header a line, alone or as {"header": {...}, ...}; or one JSON document.

    Raises:
        InputError: the file cannot be read, or a line is no JSON object.
    """
    text = _text(path)
    if path.name.lower().removesuffix(".gz").endswith(".json"):
        try:
            document = json.loads(text)
        except json.JSONDecodeError:
            document = None  # JSON lines under another name
        if document is not None:
            for number, item in enumerate(document if isinstance(document, list) else [document], start=1):
                yield _line(path, number, item)
            return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield _line(path, number, _parsed(path, number, line))


def sidecar_of(image: Path) -> dict[str, Any]:
    """The BIDS sidecar beside an image file (same name, .json), {} when there is none or it is no JSON object."""
    name = image.name.removesuffix(".gz").removesuffix(".nii")
    path = image.with_name(f"{name}.json")
    if name == image.name or not path.is_file():
        return {}
    try:
        document = json.loads(_text(path))
    except json.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(
            f"A file of headers cannot be read ({type(error).__name__}).",
            where=str(path),
            next_step="Check the file: UTF-8 text, one JSON object a line, as it is or zipped with gzip.",
        ) from error


def _parsed(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"Line {number} is not JSON.", where=str(path), next_step="Correct or remove it.") from error


def _line(path: Path, number: int, item: Any) -> HeaderLine:
    header = item.get("header", item) if isinstance(item, dict) else None
    if not isinstance(header, dict):
        raise InputError(
            f"Line {number} holds no header.",
            where=str(path),
            next_step='Write {"header": {...}} or the header itself.',
        )
    beside = item if "header" in item else {}
    labels = {key: value for key, value in beside.items() if key not in ("header", "truth")}
    return HeaderLine(number, header, labels)
