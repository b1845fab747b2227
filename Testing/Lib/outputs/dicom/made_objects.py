"""DICOM objects of exams built by hand, written to a folder and read back."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom

from NeuroTriageLib.core.dicom_source import DicomSource
from NeuroTriageLib.core.findings import ExamResult
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.outputs.dicom.writer import DicomForms, write_dicom

CREATED = datetime.datetime(2026, 1, 2, 3, 4, 5)
SOURCE = DicomSource(
    header={
        "PatientName": "Doe^Jane",
        "PatientID": "A-1",
        "PatientBirthDate": "19500101",
        "PatientSex": "F",
        "StudyDate": "20240102",
        "StudyTime": "101500",
        "StudyID": "7",
        "AccessionNumber": "ACC-9",
    },
    study_instance_uid="1.2.826.0.1.3680043.8.498.1",
    series_instance_uid="1.2.826.0.1.3680043.8.498.2",
    frame_of_reference_uid="1.2.826.0.1.3680043.8.498.9",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
)

HAS_DCIODVFY = shutil.which("dciodvfy") is not None


def objects(
    exam: ExamResult, folder: Path, *, source: DicomSource = SOURCE, forms: DicomForms | None = None
) -> dict[str, pydicom.Dataset]:
    """File name -> the object as read back from its file."""
    folder.mkdir(parents=True, exist_ok=True)
    write_dicom(exam, folder, source=source, forms=forms, created=CREATED)
    return {path.name: pydicom.dcmread(path) for path in sorted(folder.iterdir())}


def errors_of(path: Path) -> list[str]:
    """What dciodvfy calls an error in a file."""
    done = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, errors="replace", timeout=60)
    return [line for line in (done.stdout + done.stderr).splitlines() if "Error" in line]


def frames_of(segmentation: pydicom.Dataset, number: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(position in LPS mm, mask (J, I)) of every frame of one segment, straight from the functional groups."""
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    frames = []
    for group, pixels in zip(segmentation.PerFrameFunctionalGroupsSequence, _pixels(segmentation), strict=True):
        item = group if "SegmentIdentificationSequence" in group else shared
        if int(item.SegmentIdentificationSequence[0].ReferencedSegmentNumber) == number:
            position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
            frames.append((position, pixels > 0))
    return frames


def on_slices(dataset: pydicom.Dataset, frames: np.ndarray, grid: SliceGrid) -> np.ndarray:
    """Frames of an object with one frame per slice, in the order of k: each at the slice where it lies."""
    stack = np.full(grid.shape_kji, -1.0)
    for group, frame in zip(dataset.PerFrameFunctionalGroupsSequence, frames, strict=True):
        position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        stack[int(np.abs(grid.origins_lps_mm - position).sum(axis=1).argmin())] = frame
    return stack


def _pixels(dataset: pydicom.Dataset) -> np.ndarray:
    array = dataset.pixel_array
    return array[None] if array.ndim == 2 else array


def volume_ml(segmentation: pydicom.Dataset, number: int) -> float:
    """What a reader that knows nothing but the object finds: pixel area times half-way distances, in mL.

    With SpacingBetweenSlices every frame stands for that distance; without it all slices are there.
    """
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    measures = shared.PixelMeasuresSequence[0]
    normal = np.cross(*np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3))
    frames = frames_of(segmentation, number)
    heights = np.array([position @ normal for position, _ in frames])
    if "SpacingBetweenSlices" in measures:
        extents = np.full(len(frames), float(measures.SpacingBetweenSlices))
    else:
        order = np.argsort(heights)
        half = np.diff(heights[order]) / 2
        extents = np.empty(len(frames))
        extents[order] = np.concatenate([half[:1], half]) + np.concatenate([half, half[-1:]])
    area = float(measures.PixelSpacing[0]) * float(measures.PixelSpacing[1])
    counts = np.array([np.count_nonzero(mask) for _, mask in frames])
    return float(counts @ extents * area / 1000)
