"""Writes a volume as a classic CT series, one DICOM file per slice, with the true position of each."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from ..core.errors import ConfigError, InputError, OutputError
from ..core.volume import Volume

LOWEST_HU = -3024  # the lowest value that scanners pad with
INTERCEPT_HU = -1024.0  # most vendors' rescale intercept for CT
# name: (UID, pydicom's plugin). pyjpegls is 1.5 times faster than gdcm on JPEG-LS.
TRANSFER_SYNTAXES = {
    "explicit": (ExplicitVRLittleEndian, ""),
    "rle": (RLELossless, "pylibjpeg"),
    "jpeg-ls": (JPEGLSLossless, "pyjpegls"),
    "jpeg-2000": (JPEG2000Lossless, "pylibjpeg"),
}


@dataclass(frozen=True)
class CtSeriesDescription:
    """What the headers of a written series say.

    Args:
        seed: from which all UIDs are made; the same seed and content of this class give the same UIDs.
        study_seed: seed of the study's UIDs, so that several series share a study; None: the same as seed.
        patient_name, patient_id, patient_sex: DICOM's own fields.
        study_description, series_description, protocol_name, body_part: free text.
        convolution_kernel, kvp, tube_current_ma: scan parameters.
        manufacturer, model: of the scanner.
        image_type: values of ImageType.
        series_number: number of the series in the study.
        date: of study, series and images.
        padding_hu: Hounsfield units written outside the reconstruction circle (-1500 and -2000 occur); None: as it is.
    """

    seed: int = 0
    study_seed: int | None = None
    patient_name: str = "Simulated^Head"
    patient_id: str = "SIM0000"
    patient_sex: str = "O"
    study_description: str = "Head CT without contrast"
    series_description: str = "HEAD H31s"
    protocol_name: str = "HeadRoutine"
    body_part: str = "HEAD"
    convolution_kernel: str = "H31s"
    kvp: float = 120.0
    tube_current_ma: int = 250
    manufacturer: str = "NeuroTriage simulation"
    model: str = "Head label maps"
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    series_number: int = 2
    date: datetime.date = datetime.date(2026, 1, 1)
    padding_hu: float | None = None

    def uid(self, kind: str, *parts: object) -> str:
        """A UID under 2.25 made from the seed and what it stands for (DICOM PS3.5 B.2: a 128-bit number)."""
        seed = self.study_seed if kind in ("study", "frame") and self.study_seed is not None else self.seed
        text = "|".join(map(str, ("neurotriage-simulation", kind, seed, *parts)))
        return f"2.25.{int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], 'big')}"


def write_dicom_study(
    volume: Volume,
    folder: str | Path,
    *,
    transfer_syntax: str = "explicit",
    description: CtSeriesDescription | None = None,
    thicknesses_mm: Sequence[float] | np.ndarray | None = None,
) -> list[Path]:
    """Write one CT image per slice into a folder (made if needed) and return the files in the order of k.

    Args:
        volume: CT with whole Hounsfield units between LOWEST_HU and 3071; below -1024 only as padding.
        transfer_syntax: a key of TRANSFER_SYNTAXES.
        thicknesses_mm: of each slice; default: the grid's nominal thickness.

    Raises:
        ConfigError: unknown transfer syntax.
        InputError: no CT, or values that do not fit.
        OutputError: the folder cannot be written.
    """
    description = description or CtSeriesDescription()
    if transfer_syntax not in TRANSFER_SYNTAXES:
        known = ", ".join(TRANSFER_SYNTAXES)
        raise ConfigError(f"Unknown transfer syntax {transfer_syntax!r}.", next_step=f"Use one of: {known}.")
    array = np.asarray(volume.array_kji)
    if volume.modality != "CT" or array.min() < LOWEST_HU or array.max() > 3071:
        raise InputError(f"Only CT between {LOWEST_HU} and 3071 HU can be written as a simulated series.")
    thicknesses = [volume.grid.slice_thickness_mm] * len(array) if thicknesses_mm is None else thicknesses_mm
    folder = Path(folder)
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for k in range(len(array)):
            dataset = _slice_dataset(volume, k, float(thicknesses[k]), description)
            uid, plugin = TRANSFER_SYNTAXES[transfer_syntax]
            if plugin:
                dataset.compress(uid, encoding_plugin=plugin, generate_instance_uid=False)
            paths.append(folder / f"IM{k + 1:04d}.dcm")
            dataset.save_as(paths[-1], enforce_file_format=True)
    except OSError as error:
        raise OutputError("The DICOM files cannot be written.", where=str(folder)) from error
    return paths


def _slice_dataset(volume: Volume, k: int, thickness_mm: float, about: CtSeriesDescription) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(about.uid("image", about.series_number, k))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _patient_and_study(dataset, about)
    _series(dataset, about, k)
    _geometry(dataset, volume, k, thickness_mm)
    _pixels(dataset, np.asarray(volume.array_kji[k]), about.padding_hu)
    return dataset


def _patient_and_study(dataset: pydicom.Dataset, about: CtSeriesDescription) -> None:
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


def _series(dataset: pydicom.Dataset, about: CtSeriesDescription, k: int) -> None:
    dataset.Modality = "CT"
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
    dataset.KVP = _decimal(about.kvp)
    dataset.XRayTubeCurrent = about.tube_current_ma
    dataset.ConvolutionKernel = about.convolution_kernel


def _geometry(dataset: pydicom.Dataset, volume: Volume, k: int, thickness_mm: float) -> None:
    grid = volume.grid
    origin = grid.origins_lps_mm[k]
    dataset.PositionReferenceIndicator = "OM"
    dataset.ImagePositionPatient = [_decimal(v) for v in origin]
    dataset.ImageOrientationPatient = [_decimal(v) for v in (*grid.direction_i, *grid.direction_j)]
    dataset.PixelSpacing = [_decimal(grid.spacing_j_mm), _decimal(grid.spacing_i_mm)]
    dataset.SliceThickness = _decimal(round(thickness_mm, 4))
    dataset.SliceLocation = _decimal(round(float(origin[2]), 4))
    # The sign as GE writes it: positive when the planes rise towards the front.
    tilt = np.degrees(np.arctan2(-grid.direction_j[2], grid.direction_j[1])) if grid.tilt_deg > 0.01 else 0.0
    dataset.GantryDetectorTilt = _decimal(round(float(tilt), 3))
    dataset.ReconstructionDiameter = _decimal(round(grid.spacing_i_mm * grid.shape_kji[2], 3))


def _pixels(dataset: FileDataset, hu: np.ndarray, padding_hu: float | None) -> None:
    stored = np.round(hu.astype(np.float64) - INTERCEPT_HU)
    rows, columns = stored.shape
    if padding_hu is None and stored.min() < 0.0:  # the picture itself is padded with less than air
        dataset.add_new("PixelPaddingValue", "SS", int(stored.min()))
    signed = padding_hu is not None or stored.min() < 0.0
    if padding_hu is not None:
        y, x = np.linspace(-1, 1, rows)[:, None], np.linspace(-1, 1, columns)[None, :]
        padding = round(padding_hu - INTERCEPT_HU)
        stored[x * x + y * y > 1.0] = padding
        dataset.add_new("PixelPaddingValue", "SS", padding)
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 16
    dataset.BitsStored = 16 if signed else 12
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(signed)
    dataset.RescaleIntercept = _decimal(INTERCEPT_HU)
    dataset.RescaleSlope = "1"
    dataset.RescaleType = "HU"
    dataset.WindowCenter, dataset.WindowWidth = "40", "80"
    dataset.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()


def _decimal(value: float) -> str:
    """A DICOM decimal string: at most 16 characters."""
    text = f"{value:.10g}"
    return text if len(text) <= 16 else f"{value:.8g}"
