"""Which DICOM files of a folder belong to one study, and which of an exam's series is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pydicom

from ..core.errors import DicomError, InputError, SeriesSelectionError
from ..core.study import Series, Study
from ..core.volume import Volume
from ..io.dicom_headers import quiet_pydicom
from ..io.inputs import open_input, read_volume
from ..series_selection.head_ct import select_head_ct

_TAGS = ["StudyInstanceUID", "SOPInstanceUID", "PatientID", "Rows", "Columns", "BitsAllocated", "SamplesPerPixel"]


@dataclass(frozen=True)
class StudyFiles:
    """The files of one study.

    Args:
        patient: the data set's pseudonym.
        files: SOPInstanceUID -> file.
    """

    patient: str
    files: dict[str, Path]


def group_by_study(paths: Iterable[Path]) -> tuple[dict[str, StudyFiles], list[tuple[str, str]]]:
    """StudyInstanceUID -> its files, and (what is wrong, name) of files that cannot be used.

    A file that is shorter than its own pixels was cut off in the download, or is in the data set like that.
    """
    studies: dict[str, StudyFiles] = {}
    faults = []
    with quiet_pydicom():
        for path in paths:
            try:
                header, left = _header_and_rest(path)
                study, image = str(header.StudyInstanceUID), str(header.SOPInstanceUID)
                is_cut = not header.file_meta.TransferSyntaxUID.is_compressed and left < _bytes(header)
            except Exception:  # pydicom raises many kinds on damaged bytes; each means the same here
                faults.append(("Damaged DICOM files", path.name))
                continue
            if is_cut:
                faults.append(("Files that are cut off", path.name))
                continue
            group = studies.setdefault(study, StudyFiles(str(header.get("PatientID", "")), {}))
            group.files[image] = path
    return studies, faults


def _header_and_rest(path: Path) -> tuple[pydicom.Dataset, int]:
    """The header, and how many bytes of the file follow it."""
    with path.open("rb") as stream:
        header = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=_TAGS)
        return header, path.stat().st_size - stream.tell()


def _bytes(header: pydicom.Dataset) -> int:
    return int(header.Rows * header.Columns * header.get("SamplesPerPixel", 1) * header.BitsAllocated // 8)


def largest_series(files: Iterable[Path]) -> tuple[Study, Series]:
    """The study that files make, and its largest stack. Raises InputError, DicomError when they make several."""
    with open_input(sorted(files)) as studies:
        if len(studies) != 1:
            raise DicomError(f"The files are of {len(studies)} studies.")
        return studies[0], max(studies[0].series, key=lambda series: len(series.instances))


def dicom_below(folder: Path) -> list[Path]:
    """All .dcm files below a folder. Raises InputError when there are none."""
    found = sorted(folder.rglob("*.dcm"))
    if not found:
        raise InputError(
            "The folder holds no DICOM files (*.dcm).", where=str(folder), next_step="Unpack the archives."
        )
    return found


def head_ct_of(studies: Iterable[Study], where: Path) -> Volume:
    """The plain head CT among the series of an exam. Raises SeriesSelectionError when none is one."""
    for study in studies:
        series = select_head_ct(study).series
        if series is not None:
            return read_volume(series)[0]
    raise SeriesSelectionError("None of the exam's series is a plain head CT.", where=str(where))
