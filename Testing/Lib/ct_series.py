"""A small head CT series as DICOM files, written tag by tag so that tests can spoil each of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

PATIENT_NAME, PATIENT_ID = "SECRETNAME^ANNA", "SECRETID77"
SLICES, SIZE, SPACING_MM = 30, 64, 3.5

Change = Callable[[int, Dataset], None]
"""Spoils slice k before it is written."""


def head_hu() -> np.ndarray:
    """(K, J, I) int16: an ellipsoid head of scalp, skull and brain in air, open at its base."""
    k, j, i = np.indices((SLICES, SIZE, SIZE), dtype=float)
    points = np.stack([(i - SIZE / 2) * SPACING_MM, (j - SIZE / 2) * SPACING_MM, k * 5.0 - 55.0])
    hu = np.full((SLICES, SIZE, SIZE), -1000.0)
    noise = np.random.default_rng(0).normal(0, 3, hu.shape)
    for radii, value in (((84, 104, 94), 20.0), ((78, 98, 88), 900.0), ((70, 90, 80), 34.0)):
        hu[((points / np.reshape(radii, (3, 1, 1, 1))) ** 2).sum(0) <= 1.0] = value
    return (hu + noise).round().astype(np.int16)


def ct_slice(k: int, hu_ji: np.ndarray, study: str, series: str) -> Dataset:
    """One valid CT slice, uncompressed."""
    slice_ = Dataset()
    slice_.file_meta = FileMetaDataset()
    slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    slice_.file_meta.MediaStorageSOPClassUID = slice_.SOPClassUID = CTImageStorage
    slice_.file_meta.MediaStorageSOPInstanceUID = slice_.SOPInstanceUID = generate_uid()
    slice_.PatientName, slice_.PatientID = PATIENT_NAME, PATIENT_ID
    slice_.StudyInstanceUID, slice_.SeriesInstanceUID = study, series
    slice_.StudyDate, slice_.Modality, slice_.SeriesDescription = "20200101", "CT", "HEAD 5MM"
    slice_.ImageType, slice_.BodyPartExamined = ["ORIGINAL", "PRIMARY", "AXIAL"], "HEAD"
    slice_.ConvolutionKernel, slice_.InstanceNumber, slice_.SeriesNumber = "H31s", k + 1, 2
    slice_.ImagePositionPatient = [-112.0, -112.0, 5.0 * k]
    slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    slice_.PixelSpacing, slice_.SliceThickness = [SPACING_MM, SPACING_MM], 5.0
    slice_.Rows, slice_.Columns, slice_.SamplesPerPixel = SIZE, SIZE, 1
    slice_.PhotometricInterpretation, slice_.PixelRepresentation = "MONOCHROME2", 1
    slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit = 16, 16, 15
    slice_.RescaleIntercept, slice_.RescaleSlope = 0.0, 1.0
    slice_.PixelData = hu_ji.tobytes()
    return slice_


def write_series(folder: Path, change: Change | None = None, hu: np.ndarray | None = None) -> Path:
    """A study with one head CT series; `change` spoils each slice before it is written."""
    folder.mkdir(parents=True, exist_ok=True)
    study, series = generate_uid(), generate_uid()
    for k, hu_ji in enumerate(head_hu() if hu is None else hu):
        slice_ = ct_slice(k, hu_ji, study, series)
        if change is not None:
            change(k, slice_)
        slice_.save_as(folder / f"{k:03d}.dcm", enforce_file_format=True)
    return folder


def every(**values) -> Change:
    """A change that sets the same attributes on every slice."""

    def change(k: int, slice_: Dataset) -> None:
        for name, value in values.items():
            setattr(slice_, name, value)

    return change


def without(*names: str) -> Change:
    """A change that removes attributes from every slice."""

    def change(k: int, slice_: Dataset) -> None:
        for name in names:
            delattr(slice_, name)

    return change
