"""Zip archives unpacked into a temporary folder, safely: no way out of it, no encryption, no bomb."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from ..core.errors import InputError

MAX_UNPACKED_BYTES = 32 * 2**30
"""Archives that unpack to more than this are refused (the largest CT studies have a few GiB; ours)."""

MAX_MEMBERS = 200_000
"""Archives with more files than this are refused (ours)."""


def is_zip(start: bytes) -> bool:
    """True when a file that begins with these bytes is a zip archive."""
    return start[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def unpack_zip(archive: Path, folder: Path) -> None:
    """Unpack every file of the archive below folder.

    Raises:
        InputError: not a zip, damaged, encrypted, unpacks outside the folder, or too large.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            _check_members(archive, members, folder)
            for member in members:
                _unpack_member(opened, member, folder)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise InputError(
            "The zip archive is damaged or uses an unknown method.",
            where=str(archive),
            next_step="Copy it again, or unpack it and name the folder.",
        ) from error
    except OSError as error:
        raise InputError(
            f"The zip archive cannot be unpacked: {error.strerror or error}.", where=str(archive)
        ) from error


def _check_members(archive: Path, members: list[zipfile.ZipInfo], folder: Path) -> None:
    if any(member.flag_bits & 0x1 for member in members):
        raise InputError(
            "The zip archive is encrypted.",
            where=str(archive),
            next_step="Unpack it with its password and name the folder.",
        )
    for member in members:
        parts = PurePosixPath(member.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in member.filename.split("/")[0]:
            raise InputError(
                "The zip archive would write outside its folder and was not unpacked.",
                where=str(archive),
                next_step="Do not trust this archive; ask for a new one.",
            )
    size = sum(member.file_size for member in members)
    free = shutil.disk_usage(folder).free
    if size > min(MAX_UNPACKED_BYTES, free) or len(members) > MAX_MEMBERS:
        raise InputError(
            f"The zip archive is too large to unpack here ({size / 2**30:.1f} GiB, {len(members)} files).",
            where=str(archive),
            next_step="Free space in the temporary folder, or unpack it yourself and name the folder.",
        )


def _unpack_member(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Write one file; a file that is larger than the archive says stops with an error."""
    target = folder / PurePosixPath(member.filename.replace("\\", "/"))
    target.parent.mkdir(parents=True, exist_ok=True)
    left = member.file_size
    with opened.open(member) as source, target.open("wb") as sink:
        while block := source.read(1 << 20):
            left -= len(block)
            if left < 0:
                raise zipfile.BadZipFile("a member is larger than its header says")
            sink.write(block)
