"""Study and Series: what is on disk, known from headers only; pixels stay where they are until asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .findings import QualityFlag


@dataclass(frozen=True)
class Instance:
    """One DICOM object of a series, one frame of a multi-frame object, or one image file.

    Args:
        path: file that holds it.
        sop_instance_uid: "" for formats without UIDs.
        frame_number: from 1 for a frame of a multi-frame object, 0 otherwise.
        header: DICOM keyword -> plain value (str, float, int, list, None) for the tags that choosing a series,
            geometry and rescaling need. Holds no patient name or ID.
    """

    path: Path
    sop_instance_uid: str = ""
    frame_number: int = 0
    header: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """Instances that share a SeriesInstanceUID and make one stack of slices, or one NIfTI/NRRD file.

    A SeriesInstanceUID whose images cannot lie in one stack (a scout among the axial slices, two acquisitions of the
    same place) gives one Series per stack, each with that UID and a flag that says so.

    Args:
        series_instance_uid: the UID, or a stable substitute derived from the file name.
        modality: DICOM modality ("CT", "MR", "SR", ...), or "" when the format does not say.
        description: SeriesDescription or the file's name.
        file_format: "dicom", "nifti" or "nrrd".
        instances: at least one.
        flags: what a reader must know and only the headers or the folder tell (dropped duplicates, damaged files).
    """

    series_instance_uid: str
    modality: str
    description: str
    file_format: str
    instances: tuple[Instance, ...]
    flags: tuple[QualityFlag, ...] = ()

    @property
    def header(self) -> dict[str, Any]:
        """Header of the first instance: enough for what is the same in all of them."""
        return self.instances[0].header


@dataclass(frozen=True)
class Study:
    """Series that share a StudyInstanceUID.

    Args:
        study_instance_uid: the UID, or a stable substitute for formats without one.
        patient_key: one-way hash that tells patients apart without naming them ("" when unknown).
        study_date: YYYYMMDD or "".
        series: in the order in which they were made.
    """

    study_instance_uid: str
    patient_key: str
    study_date: str
    series: tuple[Series, ...]
