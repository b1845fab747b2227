"""The exams of one folder of an archive, or of one zip: told from the files' first bytes, pixels untouched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import DicomError, InputError
from ..io.study_uids import FileKind, kind_of_file, studies_in_zip
from ..series_selection.mr_vocabulary import contrast_named


@dataclass(frozen=True)
class FolderExam:
    """What one folder holds of one exam.

    Args:
        study_uid: of DICOM; "" of image files and of files that cannot be read.
        names: its files; None when all files of the folder are its own, () when the "folder" is a zip archive.
    """

    study_uid: str
    names: tuple[str, ...] | None


def exams_in_folder(folder: Path, names: Sequence[str], threads: Executor) -> list[FolderExam]:
    """The exams of which files lie directly in a folder; zip archives among them are left to exams_in_zip.

    Call it in quiet_pydicom(). A DICOM file that cannot be read, or names no study, belongs to every study of its
    folder, so that each is told of the damage; without any, such files are an exam that will fail with its reason.

    Args:
        folder, names: the files.
        threads: open files side by side, since drives on a network answer slowly.
    """
    studies: dict[str, list[str]] = defaultdict(list)
    images: list[str] = []
    damaged: list[str] = []
    for name, (kind, uid) in zip(names, threads.map(_kind, [folder / name for name in names]), strict=True):
        if kind == "dicom" and uid:
            studies[uid].append(name)
        elif kind == "dicom":
            damaged.append(name)
        elif kind == "image":
            images.append(name)
    if len(studies) == 1 and not images:  # the usual case: no list of names is kept
        return [FolderExam(next(iter(studies)), None)]
    exams = [FolderExam(uid, tuple(sorted([*own, *damaged]))) for uid, own in studies.items()]
    exams += [FolderExam("", group) for group in _image_exams(images)]
    return exams or ([FolderExam("", tuple(damaged))] if damaged else [])


def _kind(path: Path) -> tuple[FileKind, str]:
    """As kind_of_file; what cannot be read is DICOM of no study."""
    try:
        return kind_of_file(path)
    except (DicomError, OSError):
        return "dicom", ""


def exams_in_zip(path: Path) -> list[FolderExam]:
    """The exams of a zip; one that cannot be read, or without DICOM, is one exam. Call it in quiet_pydicom()."""
    try:
        return [FolderExam(uid, ()) for uid in studies_in_zip(path)] or [FolderExam("", ())]
    except InputError:
        return [FolderExam("", ())]


def _image_exams(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Image files whose names say different MR contrasts are one exam; otherwise each file is one (ours)."""
    contrasts = [contrast for name in names if (contrast := contrast_named(_stem(name)))]
    if contrasts and len(set(contrasts)) == len(contrasts):
        return [tuple(sorted(names))]
    return [(name,) for name in sorted(names)]


def _stem(name: str) -> str:
    return name.split(".")[0].replace("-", " ")
