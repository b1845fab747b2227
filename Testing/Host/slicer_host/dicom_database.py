"""slicer.dicomDatabase and DICOMLib.DICOMUtils: a folder of files as Slicer's database shows it, read-only."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pydicom
import slicer


class DicomDatabase:
    """ctkDICOMDatabase, as far as the panel asks it.

    Args:
        folder: DICOM files, in any folders below it.
    """

    isOpen = True  # noqa: N815

    def __init__(self, folder: Path) -> None:
        self._headers = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self._headers[str(path)] = pydicom.dcmread(path, stop_before_pixels=True)

    def patients(self) -> tuple[str, ...]:
        return self._distinct("PatientID", {})

    def studiesForPatient(self, patient: str) -> tuple[str, ...]:
        return self._distinct("StudyInstanceUID", {"PatientID": patient})

    def seriesForStudy(self, study: str) -> tuple[str, ...]:
        return self._distinct("SeriesInstanceUID", {"StudyInstanceUID": study})

    def filesForSeries(self, series: str) -> tuple[str, ...]:
        return tuple(path for path, header in self._headers.items() if header.SeriesInstanceUID == series)

    def nameForPatient(self, patient: str) -> str:
        return self._first("PatientName", {"PatientID": patient})

    def descriptionForStudy(self, study: str) -> str:
        return self.fieldForStudy("StudyDescription", study)

    def fieldForStudy(self, field: str, study: str) -> str:
        return self._first(field, {"StudyInstanceUID": study})

    def fieldForSeries(self, field: str, series: str) -> str:
        return self._first(field, {"SeriesInstanceUID": series})

    def fileForInstance(self, instance: str) -> str:
        return next((path for path, header in self._headers.items() if header.SOPInstanceUID == instance), "")

    def instanceValue(self, instance: str, tag: str) -> str:
        group, element = (int(part, 16) for part in tag.split(","))
        path = self.fileForInstance(instance)
        value = self._headers[path].get((group, element)) if path else None
        return "" if value is None else str(value.value)

    def _matching(self, where: dict[str, str]) -> list:
        found = self._headers.values()
        return [header for header in found if all(str(header.get(key, "")) == value for key, value in where.items())]

    def _distinct(self, field: str, where: dict[str, str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(str(header.get(field, "")) for header in self._matching(where)))

    def _first(self, field: str, where: dict[str, str]) -> str:
        return next((str(header.get(field, "")) for header in self._matching(where)), "")


def install(folder: Path) -> DicomDatabase:
    """Make the folder Slicer's DICOM database."""
    database = DicomDatabase(folder)
    slicer.dicomDatabase = database
    utils = types.ModuleType("DICOMLib.DICOMUtils")
    utils.loadSeriesByUID = lambda uids: [_load(database, uid) for uid in uids]
    package = types.ModuleType("DICOMLib")
    package.DICOMUtils = utils
    sys.modules["DICOMLib"], sys.modules["DICOMLib.DICOMUtils"] = package, utils
    return database


def remove() -> None:
    """Slicer without a database."""
    del slicer.dicomDatabase


def _load(database: DicomDatabase, series: str) -> str:
    """What the DICOM module does with a CT: volume, acquisition transform, patient and study in the hierarchy."""
    from NeuroTriageLib.io.inputs import open_input, read_volume
    from NeuroTriagePanel.result_nodes import add_ct_node
    from NeuroTriagePanel.subject_tree import Subject, place_in_study

    with open_input(list(database.filesForSeries(series))) as studies:
        volume, _ = read_volume(studies[0].series[0])
    node = add_ct_node(volume, database.fieldForSeries("SeriesDescription", series))
    header = next(iter(database._headers.values()))
    subject = Subject(
        patient_name=str(header.PatientName),
        study_instance_uid=header.StudyInstanceUID,
        series_instance_uid=series,
        patient_key=header.PatientID,
        study_date=header.get("StudyDate", ""),
    )
    place_in_study(node, subject)
    return node.GetID()
