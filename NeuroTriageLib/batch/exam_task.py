"""One exam of an archive: what it is called, where its files lie, and what was chosen for it alone."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from ..core.errors import InputError

_UID = re.compile(r"[0-9][0-9.]{0,63}")  # PS3.5, 9.1: digits and points, at most 64


@dataclass(frozen=True)
class Place:
    """Some files of an exam that lie in one folder.

    Args:
        folder: absolute path.
        names: files in it; None means whatever files lie in it, () that it is not a folder but one file.
        with_subfolders: what lies below the folder belongs to the exam too; only without names.
    """

    folder: str
    names: tuple[str, ...] | None
    with_subfolders: bool = False

    def files(self) -> list[Path]:
        """The files that are there now. Raises InputError when they are not there any more."""
        folder = Path(self.folder)
        try:
            if self.names is None:
                return _files_in(folder, self.with_subfolders)
            paths = [folder / name for name in self.names] or [folder]
            if all(path.is_file() for path in paths):
                return paths
            reason = "files are missing"
        except OSError as error:
            reason = error.strerror or str(error)
        raise InputError(
            f"The exam's files can no longer be read where they were found: {reason}.",
            next_step="Check that the archive is there, then use --retry-failed.",
        )


def _files_in(folder: Path, with_subfolders: bool) -> list[Path]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    files = [folder / entry.name for entry in found if entry.is_file()]
    if with_subfolders:
        files += [path for entry in found if entry.is_dir() for path in _files_in(folder / entry.name, True)]
    return files


@dataclass(frozen=True)
class ExamTask:
    """One exam to read; it crosses to worker processes as JSON.

    Args:
        key: its name in the results: the study UID, or a hash where there is none. Never a patient's name or ID.
        study_uid: StudyInstanceUID to choose in its files; "" for image files.
        places: where its files lie; none for an exam that is fetched by DICOMweb.
        series: as the options --series of `neurotriage triage`, for this exam alone.
    """

    key: str
    study_uid: str
    places: tuple[Place, ...] = ()
    series: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of to_json."""
        places = tuple(
            Place(**{**item, "names": None if item["names"] is None else tuple(item["names"])})
            for item in values["places"]
        )
        return cls(values["key"], values["study_uid"], places, tuple(values["series"]))


def exam_key(study_uid: str, paths: Sequence[str] = ()) -> str:
    """The exam's name in table and folders: the UID when it is one, else a hash of the UID or of the paths.

    A path may hold a patient's name, so it is never used itself.

    Args:
        study_uid: as the header says, "" without one.
        paths: relative to the source, so that an archive which was moved keeps its results.
    """
    if _UID.fullmatch(study_uid):
        return study_uid
    kind, text = ("study", study_uid) if study_uid else ("file", "\n".join(sorted(paths)))
    return f"{kind}-{hashlib.blake2b(text.encode('utf-8', 'surrogateescape'), digest_size=12).hexdigest()}"
