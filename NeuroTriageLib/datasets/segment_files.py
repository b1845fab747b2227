"""Masks that other programs drew: DICOM SEG, Slicer's .seg.nrrd, and label maps whose values are named beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from ..core.codes import ANY, FINDING_CODES
from ..core.errors import DicomError, GeometryError, InputError
from ..core.geometry import SliceGrid
from ..io.dicom_headers import quiet_pydicom
from ..io.label_files import SAME_PLACE_SHARE, nrrd_fields, on_grid, read_label, segment_values
from ..review.labels import SEGMENT_CODES, SEGMENT_VALUES

MASK_SUFFIXES = (".seg.nrrd", ".nii.gz", ".nii", ".nrrd", ".dcm")

_WORDS = (
    ("IPH", r"intra-?parenchymal|intra-?cerebral|parenchymal|\biph\b|\bcph\b"),
    ("IVH", r"intra-?ventricular|\bivh\b"),
    ("SDH+EDH", r"subdural or epidural|extra-?axial|\bsdh\+edh\b"),
    ("SDH", r"subdural|\bsdh\b"),
    ("EDH", r"epidural|extradural|\bedh\b"),
    ("SAH", r"subarachnoid|\bsah\b"),
    (ANY, r"h(a)?emorrhage|bleed|h(a)?ematoma|\bich\b|\bany\b"),
)
"""What a segment's name means, tried in this order (ours)."""


def code_of_name(name: str) -> str | None:
    """The hemorrhage that a segment's name speaks of; None when it speaks of none."""
    exact = next((code for code in SEGMENT_CODES if name in (code, FINDING_CODES[code].name)), None)
    return exact or next((code for code, words in _WORDS if re.search(words, name, re.IGNORECASE)), None)


def read_segments(path: Path, grid: SliceGrid, codes: Mapping[int, str]) -> np.ndarray:
    """(K, J, I) uint8 in review.labels.SEGMENT_VALUES on an image's voxels, whatever program wrote the file.

    Args:
        path: DICOM SEG, .seg.nrrd (both name their segments), .nrrd or NIfTI.
        grid: of the image.
        codes: value -> code, for a label map that names nothing.

    Raises:
        InputError: damaged, or a segment or value without a meaning. GeometryError: it lies on other voxels.
    """
    if path.suffix == ".dcm":
        return _dicom_segments(path, grid)
    label, own = read_label(path)
    named = _named(path) if path.name.endswith(".nrrd") else {}
    meaning = np.zeros(256, np.uint8)
    for value in np.flatnonzero(np.bincount(label.ravel(), minlength=1)):
        if value:
            code = named.get(int(value)) if named else codes.get(int(value))
            if code is None:
                raise InputError(f"The value {value} of the mask has no meaning.", where=str(path))
            meaning[value] = SEGMENT_VALUES[code]
    return on_grid(meaning[label], own, grid)


def _named(path: Path) -> dict[int, str]:
    """Value -> code of a file that names its segments by ID and by name; {} when it names none."""
    fields, found = nrrd_fields(path), {}
    names = {
        fields[f"Segment{n}_ID"]: fields.get(f"Segment{n}_Name", "") for n in range(256) if f"Segment{n}_ID" in fields
    }
    for value, identifier in segment_values(path).items():
        code = code_of_name(identifier) or code_of_name(names.get(identifier, ""))
        if code is not None:
            found[value] = code
    return found


def _dicom_segments(path: Path, grid: SliceGrid) -> np.ndarray:
    with quiet_pydicom():
        try:
            segmentation = pydicom.dcmread(path)
            frames = segmentation.pixel_array
            groups = segmentation.PerFrameFunctionalGroupsSequence
            kind = segmentation.SegmentationType
        except Exception as error:  # pydicom raises many kinds; each means the same to a user
            raise DicomError("The file is no DICOM segmentation, or it is damaged.", where=str(path)) from error
        values = {int(item.SegmentNumber): _code_of(item, path) for item in segmentation.SegmentSequence}
        frames = frames[None] if frames.ndim == 2 else frames
        half = int(segmentation.get("MaximumFractionalValue", 1)) / 2 if kind == "FRACTIONAL" else 0.5
        label = np.zeros(grid.shape_kji, np.uint8)
        for frame, group in zip(frames, groups, strict=True):
            k = _slice_of(segmentation, group, frame.shape, grid, path)
            if kind == "LABELMAP":
                for number in np.unique(frame[frame > 0]):
                    label[k][frame == number] = values[int(number)]
            else:
                number = int(_group(segmentation, group, "SegmentIdentificationSequence").ReferencedSegmentNumber)
                label[k][frame >= half] = values[number]
    return label


def _code_of(item: Dataset, path: Path) -> int:
    meaning = item.get("SegmentedPropertyTypeCodeSequence")
    names = [str(item.get("SegmentLabel", "")), str(meaning[0].get("CodeMeaning", "")) if meaning else ""]
    code = next((code for code in map(code_of_name, names) if code is not None), None)
    if code is None and str(item.get("SegmentLabel", "")).lower() != "background":
        raise InputError(f'The segment "{names[0]}" is no hemorrhage.', where=str(path))
    return SEGMENT_VALUES[code] if code is not None else 0


def _group(segmentation: Dataset, group: Dataset, name: str) -> Dataset:
    """A functional group of a frame, its own or the one that all share (DICOM PS3.3, C.7.6.16)."""
    return (group if name in group else segmentation.SharedFunctionalGroupsSequence[0])[name][0]


def _slice_of(segmentation: Dataset, group: Dataset, shape: tuple[int, int], grid: SliceGrid, path: Path) -> int:
    """k of the slice that a frame lies on. Raises GeometryError when it lies on none of the image's."""
    place = np.array(_group(segmentation, group, "PlanePositionSequence").ImagePositionPatient, float)
    orientation = _group(segmentation, group, "PlaneOrientationSequence")
    directions = np.array(orientation.ImageOrientationPatient, float).reshape(2, 3)
    i, j, k = grid.lps_to_voxel(place)
    same_directions = np.abs(directions - [grid.direction_i, grid.direction_j]).max() < 1e-3
    near = max(abs(i), abs(j), abs(k - round(k))) < SAME_PLACE_SHARE
    if shape != grid.shape_kji[1:] or not (same_directions and near and 0 <= round(k) < grid.shape_kji[0]):
        raise GeometryError("The segmentation does not lie on the voxels of the image.", where=str(path))
    return round(float(k))
