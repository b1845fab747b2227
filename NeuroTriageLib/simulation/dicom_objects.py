"""What every simulated DICOM series has in common: identifiers, patient, study, planes, compression, files."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from ..core.errors import ConfigError, OutputError
from ..core.geometry import SliceGrid

# name: (UID, pydicom's plugin). pyjpegls is 1.5 times faster than gdcm on JPEG-LS.
TRANSFER_SYNTAXES = {
    "explicit": (ExplicitVRLittleEndian, ""),
    "rle": (RLELossless, "pylibjpeg"),
    "jpeg-ls": (JPEGLSLossless, "pyjpegls"),
    "jpeg-2000": (JPEG2000Lossless, "pylibjpeg"),
}


@dataclass(frozen=True)
class SeriesDescription:
    """What the headers of a written series say, whatever its modality.

    Args:
        seed: from which all UIDs are made; the same seed and content of this class give the same UIDs.
        study_seed: seed of the study's UIDs, so that several series share a study; None: the same as seed.
        patient_name, patient_id, patient_sex: DICOM's own fields.
        study_description, series_description, protocol_name, body_part: free text.
        manufacturer, model: of the scanner.
        image_type: values of ImageType.
        series_number: number of the series in the study.
        date: of study, series and images.
    """

    seed: int = 0
    study_seed: int | None = None
    patient_name: str = "Simulated^Head"
    patient_id: str = "SIM0000"
    patient_sex: str = "O"
    study_description: str = ""
    series_description: str = ""
    protocol_name: str = ""
    body_part: str = "HEAD"
    manufacturer: str = "NeuroTriage simulation"
    model: str = "Head label maps"
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    series_number: int = 2
    date: datetime.date = datetime.date(2026, 1, 1)

    def uid(self, kind: str, *parts: object) -> str:
        """A UID under 2.25 made from the seed and what it stands for (DICOM PS3.5 B.2: a 128-bit number)."""
        seed = self.study_seed if kind in ("study", "frame") and self.study_seed is not None else self.seed
        text = "|".join(map(str, ("neurotriage-simulation", kind, seed, *parts)))
        return f"2.25.{int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], 'big')}"


def new_slice(sop_class: UID, about: SeriesDescription, modality: str, k: int) -> FileDataset:
    """One slice's object with its identifiers, patient, study and series."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = UID(about.uid("image", about.series_number, k))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _patient_and_study(dataset, about)
    _series(dataset, about, modality, k)
    return dataset


def _patient_and_study(dataset: pydicom.Dataset, about: SeriesDescription) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = about.patient_name
    dataset.PatientID = about.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = about.patient_sex
    dataset.StudyInstanceUID = about.uid("study")
    dataset.FrameOfReferenceUID = about.uid("frame")
    dataset.StudyID = "1"
    dataset.StudyDescription = about.study_description
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    date = about.date.strftime("%Y%m%d")
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = date
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = "120000"


def _series(dataset: pydicom.Dataset, about: SeriesDescription, modality: str, k: int) -> None:
    dataset.Modality = modality
    dataset.SeriesInstanceUID = about.uid("series", about.series_number)
    dataset.SeriesNumber = about.series_number
    dataset.SeriesDescription = about.series_description
    dataset.ProtocolName = about.protocol_name
    dataset.BodyPartExamined = about.body_part
    dataset.PatientPosition = "HFS"
    dataset.Manufacturer = about.manufacturer
    dataset.ManufacturerModelName = about.model
    dataset.InstitutionName = ""
    dataset.ImageType = list(about.image_type)
    dataset.ImageComments = "Simulated image, no patient"
    dataset.BurnedInAnnotation = "NO"
    dataset.AcquisitionNumber = 1
    dataset.InstanceNumber = k + 1


def place_slice(dataset: pydicom.Dataset, grid: SliceGrid, k: int, thickness_mm: float) -> None:
    """The true position, orientation, pixel size and thickness of a slice."""
    origin = grid.origins_lps_mm[k]
    dataset.ImagePositionPatient = [decimal(v) for v in origin]
    dataset.ImageOrientationPatient = [decimal(v) for v in (*grid.direction_i, *grid.direction_j)]
    dataset.PixelSpacing = [decimal(grid.spacing_j_mm), decimal(grid.spacing_i_mm)]
    dataset.SliceThickness = decimal(round(thickness_mm, 4))


def save_slices(datasets: Iterable[FileDataset], folder: str | Path, transfer_syntax: str) -> list[Path]:
    """Compress and write each slice as IM0001.dcm, ... into a folder (made if needed); return the files in order.

    Raises ConfigError for an unknown transfer syntax, OutputError when the folder cannot be written.
    """
    if transfer_syntax not in TRANSFER_SYNTAXES:
        known = ", ".join(TRANSFER_SYNTAXES)
        raise ConfigError(f"Unknown transfer syntax {transfer_syntax!r}.", next_step=f"Use one of: {known}.")
    uid, plugin = TRANSFER_SYNTAXES[transfer_syntax]
    folder = Path(folder)
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for k, dataset in enumerate(datasets):
            if plugin:
                dataset.compress(uid, encoding_plugin=plugin, generate_instance_uid=False)
            paths.append(folder / f"IM{k + 1:04d}.dcm")
            dataset.save_as(paths[-1], enforce_file_format=True)
    except OSError as error:
        raise OutputError("The DICOM files cannot be written.", where=str(folder)) from error
    return paths


def decimal(value: float) -> str:
    """A DICOM decimal string: at most 16 characters."""
    text = f"{value:.10g}"
    return text if len(text) <= 16 else f"{value:.8g}"
