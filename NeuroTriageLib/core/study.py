"""Study and Series: what is on disk, known from headers only; pixels stay where they are until asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Instance:
    """One DICOM object of a series, or one image file.

    Args:
        path: file that holds it.
        sop_instance_uid: "" for formats without UIDs.
        header: DICOM keyword -> plain value (str, float, int, list, None) for the tags that choosing a series,
            geometry and rescaling need. Holds no patient name or ID.
    """

    path: Path
    sop_instance_uid: str = ""
    header: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """Instances that share a SeriesInstanceUID, or one NIfTI/NRRD file.

    Args:
        series_instance_uid: the UID, or a stable substitute derived from the file name.
        modality: DICOM modality ("CT", "MR", "SR", ...), or "" when the format does not say.
        description: SeriesDescription or the file's name.
        file_format: "dicom", "nifti" or "nrrd".
        instances: at least one.
    """

    series_instance_uid: str
    modality: str
    description: str
    file_format: str
    instances: tuple[Instance, ...]

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
