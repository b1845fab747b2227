"""Which study each file of a folder or a zip belongs to, told from the first bytes of its header."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import BinaryIO, Literal

from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

from ..core.errors import DicomError, InputError
from .archives import MAX_MEMBERS, is_zip
from .dicom_headers import MEDIA_DIRECTORY, is_dicom
from .image_files import image_format

FileKind = Literal["dicom", "image", "zip", ""]
"""DICOM, an image file (NIfTI or NRRD), a zip archive, anything else."""

START_BYTES = 352
"""As many as image_format needs to know a NIfTI file."""

MAX_HEADER_BYTES = 1 << 20
"""The study UID stands within these first bytes of a zip's member, or the member is damaged (ours; 2 kB are usual)."""

_STUDY_UID = Tag("StudyInstanceUID")


def kind_of_file(path: Path) -> tuple[FileKind, str]:
    """What a file is, and of DICOM the study UID ("" when it has none, and of a DICOMDIR the kind "").

    Raises:
        DicomError: it begins like DICOM and cannot be parsed.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        start = stream.read(START_BYTES)
        if is_dicom(start):
            stream.seek(0)
            uid = _study_uid(stream, str(path))
            return ("", "") if uid is None else ("dicom", uid)
    if image_format(path, start):
        return "image", ""
    return ("zip", "") if is_zip(start) else ("", "")


def studies_in_zip(path: Path) -> tuple[str, ...]:
    """The study UIDs of the DICOM files in a zip, without unpacking it; () when it holds none. Call in quiet_pydicom().

    Raises:
        InputError: not a zip, damaged, encrypted, or too many files.
    """
    uids: dict[str, None] = {}
    try:
        with zipfile.ZipFile(path) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            if len(members) > MAX_MEMBERS:
                raise InputError(f"The zip archive holds {len(members)} files: too many.", where=str(path))
            for member in members:
                with opened.open(member) as stream:
                    beginning = stream.read(MAX_HEADER_BYTES)
                uid = _study_uid_in(beginning, str(path)) if is_dicom(beginning) else None
                if uid is not None:
                    uids[uid] = None
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, OSError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise InputError("The zip archive is damaged or encrypted.", where=str(path)) from error
    return tuple(uids)


def _study_uid_in(beginning: bytes, where: str) -> str | None:
    try:
        return _study_uid(io.BytesIO(beginning), where)
    except DicomError:
        return None  # one damaged member is told when the exam is read


def _study_uid(stream: BinaryIO, where: str) -> str | None:
    """The study UID, "" when the header has none; None for a DICOMDIR, which is no image."""
    try:
        dataset = read_partial(stream, stop_when=_behind_study_uid, force=True, specific_tags=[_STUDY_UID])
        if str(dataset.file_meta.get("MediaStorageSOPClassUID", "")) == MEDIA_DIRECTORY:
            return None
        return str(dataset.get(_STUDY_UID).value or "").strip("\0 ") if _STUDY_UID in dataset else ""
    except (OSError, MemoryError):
        raise
    except Exception as error:  # pydicom raises many kinds on damaged bytes; each means the same to a user
        raise DicomError(
            f"A DICOM file is damaged ({type(error).__name__}).", where=where, next_step="Copy or export it again."
        ) from error


def _behind_study_uid(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag > _STUDY_UID
