"""DICOM CT written from geometry: each voxel has a value that follows from its place, so that readers can be checked.

The place of a voxel follows DICOM PS3.3 C.7.6.2.1.1, written out here and not taken from the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
RAMP_HU_PER_MM = np.array([13.0, 7.0, 31.0])

Change = Callable[[int, Dataset], None]
"""Spoils or changes slice k (in the order of the stack) before it is written."""


def ramp_hu(points_lps_mm: np.ndarray) -> np.ndarray:
    """The value at LPS points (..., 3): it changes along all three axes."""
    return np.rint(points_lps_mm @ RAMP_HU_PER_MM)


@dataclass(frozen=True)
class CtStack:
    """A stack of slices to write.

    Args:
        origins_lps_mm: (K, 3) ImagePositionPatient of each slice, in the order of their instance numbers.
        directions: row direction (along which the column index grows) and column direction.
        spacing_ji_mm: PixelSpacing: between rows, between columns.
        shape_ji: rows, columns.
        hu: (K, J, I) values; ramp_hu at each voxel when None.
        tags: attributes set on every slice.
    """

    origins_lps_mm: np.ndarray
    directions: tuple[tuple[float, ...], tuple[float, ...]] = AXIAL
    spacing_ji_mm: tuple[float, float] = (0.8, 0.5)
    shape_ji: tuple[int, int] = (14, 10)
    thickness_mm: float = 5.0
    hu: np.ndarray | None = None
    tags: dict[str, Any] = field(default_factory=dict)
    study_uid: str = field(default_factory=generate_uid)
    series_uid: str = field(default_factory=generate_uid)

    def points(self) -> np.ndarray:
        """(K, J, I, 3) LPS place of each voxel."""
        rows, columns = (np.arange(n, dtype=float) for n in self.shape_ji)
        along_i = columns[None, None, :, None] * self.spacing_ji_mm[1] * np.array(self.directions[0])
        along_j = rows[None, :, None, None] * self.spacing_ji_mm[0] * np.array(self.directions[1])
        return np.asarray(self.origins_lps_mm)[:, None, None, :] + along_i + along_j

    def values(self) -> np.ndarray:
        """(K, J, I) HU."""
        return (ramp_hu(self.points()) if self.hu is None else self.hu).astype(np.int32)


def axial(count: int = 12, spacing_mm: float = 5.0, **values: Any) -> CtStack:
    """A plain axial stack from inferior to superior."""
    origins = np.array([[-3.0, -6.0, 10.0 + spacing_mm * k] for k in range(count)])
    return CtStack(origins_lps_mm=origins, **values)


def slices(stack: CtStack, *, intercept: float = -1024.0, slope: float = 1.0) -> list[Dataset]:
    """One uncompressed CT Image Storage object per slice."""
    stored = np.rint((stack.values() - intercept) / slope).astype(np.int16)
    return [_slice(stack, k, plane, intercept, slope) for k, plane in enumerate(stored)]


def _slice(stack: CtStack, k: int, stored_ji: np.ndarray, intercept: float, slope: float) -> Dataset:
    item = _object(CTImageStorage, stack)
    item.ImageType, item.InstanceNumber, item.AcquisitionNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], k + 1, 1
    item.ImagePositionPatient = [float(v) for v in stack.origins_lps_mm[k]]
    item.ImageOrientationPatient = [float(v) for pair in stack.directions for v in pair]
    item.PixelSpacing, item.SliceThickness = list(stack.spacing_ji_mm), stack.thickness_mm
    item.RescaleIntercept, item.RescaleSlope, item.RescaleType = intercept, slope, "HU"
    _set_pixels(item, stored_ji)
    for keyword, value in stack.tags.items():
        setattr(item, keyword, value)
    return item


def _object(sop_class: str, stack: CtStack) -> Dataset:
    item = Dataset()
    item.file_meta = FileMetaDataset()
    item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    item.file_meta.MediaStorageSOPClassUID = item.SOPClassUID = sop_class
    item.file_meta.MediaStorageSOPInstanceUID = item.SOPInstanceUID = generate_uid()
    item.PatientName, item.PatientID = "Doe^Jane", "A-1"
    item.StudyInstanceUID, item.SeriesInstanceUID, item.FrameOfReferenceUID = stack.study_uid, stack.series_uid, "1.2.3"
    item.StudyDate, item.Modality, item.SeriesNumber = "20240102", "CT", 2
    item.SeriesDescription, item.BodyPartExamined = "Head 5.0 H31s", "HEAD"
    item.Manufacturer, item.ConvolutionKernel = "SIEMENS", "H31s"
    return item


def _set_pixels(item: Dataset, stored: np.ndarray) -> None:
    item.Rows, item.Columns, item.SamplesPerPixel = *stored.shape[-2:], 1
    item.PhotometricInterpretation, item.PixelRepresentation = "MONOCHROME2", 1
    item.BitsAllocated, item.BitsStored, item.HighBit = 16, 16, 15
    item.PixelData = stored.astype("<i2").tobytes()
    item["PixelData"].VR = "OW"


def write(folder: Path, items: Iterable[Dataset], change: Change | None = None, name: str = "s") -> Path:
    """Save the objects as files of a folder (made if needed)."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, item in enumerate(items):
        if change is not None:
            change(k, item)
        item.save_as(folder / f"{name}{k:03d}.dcm", enforce_file_format=True)
    return folder


def write_stack(folder: Path, stack: CtStack, change: Change | None = None, **rescale: float) -> Path:
    """Save a stack as classic CT files."""
    return write(folder, slices(stack, **rescale), change, name=stack.series_uid[-6:] + "-")


def every(**values: Any) -> Change:
    """A change that sets the same attributes on every slice."""

    def change(k: int, item: Dataset) -> None:
        for keyword, value in values.items():
            setattr(item, keyword, value)

    return change


def without(*keywords: str) -> Change:
    """A change that removes attributes from every slice."""

    def change(k: int, item: Dataset) -> None:
        for keyword in keywords:
            delattr(item, keyword)

    return change


def compressed(item: Dataset, transfer_syntax: str) -> Dataset:
    """The object in a compressed transfer syntax, by pydicom's encoders (JPEG lossless: see write_jpeg_lossless)."""
    item.compress(transfer_syntax, generate_instance_uid=False)
    return item


def write_jpeg_lossless(source: Path, target: Path) -> None:
    """Copy a DICOM file as JPEG lossless, process 14 selection value 1, with GDCM."""
    import gdcm

    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(source))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def enhanced(stack: CtStack, *, intercept: float = -1024.0, order: Iterable[int] | None = None) -> Dataset:
    """One Enhanced CT Image Storage object; frames in the given order of the stack's slices.

    Each frame has an intercept of its own (intercept - k), so that a reader that takes the first one for all fails.
    """
    item = _object(EnhancedCTImageStorage, stack)
    item.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    chosen = list(order) if order is not None else list(range(len(stack.origins_lps_mm)))
    stored = np.stack([stack.values()[k] - (intercept - k) for k in chosen])
    _set_pixels(item, stored)
    item.NumberOfFrames = len(chosen)
    shared = Dataset()
    shared.PixelMeasuresSequence = [_item(PixelSpacing=list(stack.spacing_ji_mm), SliceThickness=stack.thickness_mm)]
    directions = [float(v) for pair in stack.directions for v in pair]
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=directions)]
    shared.CTReconstructionSequence = [_item(ConvolutionKernel="H31s")]
    item.SharedFunctionalGroupsSequence = Sequence([shared])
    item.PerFrameFunctionalGroupsSequence = Sequence([_frame(stack, k, intercept - k) for k in chosen])
    del item.ConvolutionKernel
    for keyword, value in stack.tags.items():
        setattr(item, keyword, value)
    return item


def _frame(stack: CtStack, k: int, intercept: float) -> Dataset:
    frame = Dataset()
    frame.PlanePositionSequence = [_item(ImagePositionPatient=[float(v) for v in stack.origins_lps_mm[k]])]
    frame.PixelValueTransformationSequence = [
        _item(RescaleIntercept=intercept, RescaleSlope=1.0, RescaleType="HU"),
    ]
    frame.FrameContentSequence = [_item(FrameAcquisitionNumber=1)]
    frame.CTImageFrameTypeSequence = [_item(FrameType=["ORIGINAL", "PRIMARY", "AXIAL", "NONE"])]
    return frame


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def shifted(stack: CtStack, **values: Any) -> CtStack:
    """The stack with other fields and a series UID of its own."""
    return replace(stack, **({"series_uid": generate_uid()} | values))
