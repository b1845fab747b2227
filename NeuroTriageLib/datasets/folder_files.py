"""Files of a downloaded folder as they really are: nested, half downloaded, links that were never fetched."""

from __future__ import annotations

import csv
import itertools
import os
import struct
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import InputError
from ..io.nifti import read_nifti, read_nifti_header

NESTED_LEVELS = 2  # archives unpack into a folder of their own, sometimes twice; ours
FOLDERS_LOOKED_AT = 3000  # a whole disk that was named by mistake must not be searched for minutes; ours
POINTER_BYTES = 1024  # a pointer file is smaller, an image larger; ours
NIFTI_SUFFIXES = (".nii.gz", ".nii")


def find_root(path: Path, needed: tuple[str, ...], title: str) -> Path:
    """The folder that holds everything needed: the named one, or one below it.

    Args:
        path: what the user named.
        needed: names or patterns of files and folders that must lie in it; "a|b" is one of several.
        title: of the data set, for the message.

    Raises:
        InputError: no such folder; the message names what is missing in the nearest one.
    """
    if not path.is_dir():
        raise InputError(f"The folder of {title} does not exist.", where=str(path), next_step="Check the path.")
    best: tuple[int, list[str], Path] = (len(needed) + 1, [], path)
    for folder in itertools.islice(_folders(path, NESTED_LEVELS), FOLDERS_LOOKED_AT):
        missing = [name.replace("|", " or ") for name in needed if not _holds(folder, name)]
        if not missing:
            return folder
        if len(missing) < best[0]:
            best = (len(missing), missing, folder)
    raise InputError(
        f"This is not {title}, or it is not all there: {' and '.join(best[1])} missing.",
        where=str(best[2]),
        next_step="Name the folder that the download was unpacked into, or download what is missing.",
    )


def _holds(folder: Path, patterns: str) -> bool:
    return any(next(folder.glob(pattern), None) is not None for pattern in patterns.split("|"))


def _folders(path: Path, levels: int) -> Iterator[Path]:
    """The folder, then those below it, level by level."""
    waiting = deque([(path, levels)])
    while waiting:
        folder, below = waiting.popleft()
        yield folder
        if below and os.access(folder, os.R_OK | os.X_OK):
            waiting.extend((child, below - 1) for child in sorted(folder.iterdir()) if child.is_dir())


def stem(path: Path) -> str:
    """A file's name without .nii or .nii.gz, which some downloads lack."""
    return next((path.name.removesuffix(s) for s in NIFTI_SUFFIXES if path.name.endswith(s)), path.name)


def by_stem(folder: Path) -> dict[str, Path]:
    """Name without suffix -> path, of everything in a folder that does not begin with a dot."""
    if not folder.is_dir():
        return {}
    return {stem(path): path for path in sorted(folder.iterdir()) if not path.name.startswith(".")}


def real_file(path: Path) -> Path:
    """The file itself: some programs unpack x.nii.gz into a folder x.nii with the file in it.

    Raises:
        InputError: not there, or only a pointer to a content that was never fetched.
    """
    if path.is_dir():
        inside = [child for child in sorted(path.iterdir()) if child.is_file() and not child.name.startswith(".")]
        if len(inside) != 1:
            raise InputError(f"A folder stands where a file should, with {len(inside)} files in it.", where=str(path))
        path = inside[0]
    pointer = pointer_kind(path)
    if pointer:
        raise InputError(
            f"The file is a {pointer} pointer whose content was not fetched.",
            where=str(path),
            next_step="Fetch it: git annex get . or datalad get ." if pointer == "git-annex" else "Run git lfs pull.",
        )
    if not path.is_file():
        raise InputError("The file is missing.", where=str(path), next_step="Download it again.")
    return path


def pointer_kind(path: Path) -> str:
    """ "git-annex" or "git-lfs" for a file that stands for one that was not fetched, else ""."""
    if path.is_symlink() and not path.exists():
        return "git-annex" if "annex" in str(path.readlink()) else ""
    if not path.is_file() or path.stat().st_size > POINTER_BYTES:
        return ""
    start = path.read_bytes()
    if start.startswith(b"version https://git-lfs"):
        return "git-lfs"
    return "git-annex" if b"annex/objects" in start[:POINTER_BYTES] and start[:2] != b"\x1f\x8b" else ""


def nifti_fault(path: Path) -> str:
    """What is wrong with a NIfTI file, as one phrase; "" when its header is sound and its voxels are all there.

    A gzip file ends with the size of what it holds, so that a half-downloaded one is found without unpacking it.
    """
    try:
        path = real_file(path)
        header = read_nifti_header(path)
        count = header.shape_kji[0] * header.shape_kji[1] * header.shape_kji[2]
        needed = header.data_offset + count * header.dtype.itemsize
        if _unpacked_size(path) != needed % 2**32:
            read_nifti(path)  # extensions, several gzip members: only reading tells
    except InputError as error:
        return error.what.removesuffix(".")
    return ""


def _unpacked_size(path: Path) -> int:
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
        size = stream.seek(0, 2)
        if not zipped:
            return size % 2**32
        stream.seek(max(0, size - 4))
        last = stream.read(4)
    return int(struct.unpack("<I", last)[0]) if len(last) == 4 else -1


def read_table(path: Path, needed: tuple[str, ...], delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a table; line breaks and doubled blanks in its headers become single blanks.

    Raises:
        InputError: missing, unreadable, or without one of the needed columns.
    """
    path = real_file(path)
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
            rows = list(csv.reader(stream, delimiter=delimiter))
    except (OSError, csv.Error) as error:
        raise InputError("The table cannot be read.", where=str(path), next_step="Download it again.") from error
    header = [" ".join(name.split()) for name in rows[0]] if rows else []
    missing = [name for name in needed if name not in header]
    if missing:
        raise InputError(f"The table has no column {', '.join(missing)}.", where=str(path))
    filled = [row + [""] * (len(header) - len(row)) for row in rows[1:] if any(cell.strip() for cell in row)]
    return [{name: cell.strip() for name, cell in zip(header, row, strict=False) if name} for row in filled]


def only_file(folder: Path, *endings: str) -> Path | None:
    """The nearest file or folder below a folder whose name ends so in any case; None when there is none."""
    found = [path for path in folder.rglob("*") if path.name.lower().endswith(tuple(end.lower() for end in endings))]
    return min(found, key=lambda path: (len(path.parts), path.name)) if found else None
