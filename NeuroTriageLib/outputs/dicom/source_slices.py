"""Headers of the source slices as highdicom wants them, and the references to the real images."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from ...core.dicom_source import DicomSource
from ...core.volume import Volume

# highdicom refers to classic slices or to one multi-frame object. A stack may also be spread over several multi-frame
# objects, so frames are handed over as slices under these stand-in UIDs, which put_references replaces.
_STAND_IN = "2.25.0."


def source_slices(volume: Volume, source: DicomSource) -> list[Dataset]:
    """One header per slice, in the order of k, with the geometry of the volume's grid and clean patient data."""
    grid = volume.grid
    slices = []
    for k, origin in enumerate(grid.origins_lps_mm):
        item = Dataset()
        item.SpecificCharacterSet = "ISO_IR 192"
        for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber"):
            setattr(item, keyword, "")  # type 2: there, if empty
        for keyword in ("StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName", "PositionReferenceIndicator"):
            setattr(item, keyword, "")
        for keyword, text in source.header.items():
            setattr(item, keyword, text)
        item.SOPClassUID = CTImageStorage if volume.frame_numbers else source.sop_class_uid
        item.SOPInstanceUID = f"{_STAND_IN}{k + 1}" if volume.frame_numbers else volume.sop_instance_uids[k]
        item.StudyInstanceUID = source.study_instance_uid
        item.SeriesInstanceUID = source.series_instance_uid
        item.FrameOfReferenceUID = source.frame_of_reference_uid
        item.Modality, item.InstanceNumber = volume.modality, k + 1
        item.Rows, item.Columns = grid.shape_kji[1:]
        item.PixelSpacing = [decimal(grid.spacing_j_mm), decimal(grid.spacing_i_mm)]
        item.SliceThickness = decimal(grid.slice_thickness_mm)
        item.ImageOrientationPatient = [decimal(v) for v in (*grid.direction_i, *grid.direction_j)]
        item.ImagePositionPatient = [decimal(v) for v in origin]
        slices.append(item)
    return slices


def decimal(value: float) -> str:
    """A number as a DICOM decimal string: at most 16 characters (PS3.5, table 6.2-1), 10 digits or more."""
    for digits in range(14, 9, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{value:.9g}"


def put_references(dataset: Dataset, volume: Volume, source: DicomSource) -> None:
    """Replace the stand-in UIDs in a finished object by the multi-frame objects and their frame numbers.

    What lists the instances of a series (or stands at the top) names each object once; other references name the frame.
    """
    if not volume.frame_numbers:
        return
    for holder, keyword in list(_reference_lists(dataset)):
        kept: dict[tuple[str, int], Dataset] = {}
        whole_objects = "SeriesInstanceUID" in holder
        for item in holder[keyword].value:
            uid = str(item.ReferencedSOPInstanceUID)
            frame = 0
            if uid.startswith(_STAND_IN):
                k = int(uid.removeprefix(_STAND_IN)) - 1
                frame = 0 if whole_objects else volume.frame_numbers[k]
                item = _reference(item, source.sop_class_uid, volume.sop_instance_uids[k], frame)
                uid = volume.sop_instance_uids[k]
            kept.setdefault((uid, frame), item)
        holder[keyword].value = list(kept.values())


def _reference(template: Dataset, sop_class_uid: str, sop_instance_uid: str, frame: int) -> Dataset:
    """A copy of a reference with other UIDs; highdicom lets lists share their items, and items their elements."""
    item = deepcopy(template)
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    if frame:
        item.ReferencedFrameNumber = frame
    return item


def _reference_lists(dataset: Dataset) -> Iterator[tuple[Dataset, str]]:
    """Every sequence of references to SOP instances, wherever it stands: the item that holds it, and its keyword."""
    for element in dataset:
        if element.VR != "SQ":
            continue
        items = list(element.value)
        if items and "ReferencedSOPInstanceUID" in items[0]:
            yield dataset, element.keyword
        for item in items:
            yield from _reference_lists(item)
