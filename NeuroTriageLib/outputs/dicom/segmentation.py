"""The masks as a DICOM segmentation, on the slices of the source series."""

from __future__ import annotations

from typing import Literal

import numpy as np
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from ...core.findings import Reading
from ..shown_masks import ShownMask
from .concepts import BRAIN, MORPHOLOGICALLY_ABNORMAL, finding_concept
from .exam import DicomExam
from .frames import algorithm_sequence, frame_geometry, is_evenly_spaced

MaskForm = Literal["binary", "labelmap"]
# BINARY has no compressed form that others read; one byte per voxel of a label map is packed without loss.
_FORMS = {
    "binary": (SegmentationTypeValues.BINARY, ExplicitVRLittleEndian),
    "labelmap": (SegmentationTypeValues.LABELMAP, RLELossless),
}


def tracking_uid(exam: DicomExam, code: str) -> str:
    """The UID under which segmentation and structured report speak of the same finding."""
    return exam.uid("tracking", code)


def segmentation(exam: DicomExam, form: MaskForm = "binary") -> Dataset | None:
    """The segmentation; None without masks: an empty one would say that a place had been outlined.

    Of evenly spaced stacks only the slices with a mask are stored. Of others every slice is: a reader then knows how
    far apart they lie, and finds the same volume.
    """
    reading = exam.reading
    if reading is None or not exam.masks:
        return None
    kind, transfer_syntax = _FORMS[form]
    numbers = np.zeros(256, np.uint8)
    for number, mask in enumerate(exam.masks, start=1):
        numbers[mask.value] = number
    return exam.finish(
        Segmentation(
            source_images=exam.slices,
            pixel_array=numbers[exam.label_kji],
            segmentation_type=kind,
            segment_descriptions=[_segment(exam, reading, n, mask) for n, mask in enumerate(exam.masks, start=1)],
            omit_empty_frames=is_evenly_spaced(exam.result.grid),
            content_label="FINDINGS" if exam.result.contrast else "HEMORRHAGE",
            content_description=f"Masks of {exam.subject}. Research software",
            transfer_syntax_uid=transfer_syntax,
            **frame_geometry(exam.result.grid),
            **exam.series("segmentation", variant=form),
        ),
        "segmentation",
    )


def _drawn_by(exam: DicomExam, code: str) -> SegmentAlgorithmTypeValues:
    """AUTOMATIC as the model drew it, SEMIAUTOMATIC when a reader changed that, MANUAL when the model drew nothing."""
    review = exam.result.review
    if review is None:
        return SegmentAlgorithmTypeValues.AUTOMATIC
    change = (review.difference or {}).get(code)
    if review.difference is None or (change is not None and change.model_ml == 0):
        return SegmentAlgorithmTypeValues.MANUAL
    edited = change is not None and change.changed
    return SegmentAlgorithmTypeValues.SEMIAUTOMATIC if edited else SegmentAlgorithmTypeValues.AUTOMATIC


def _segment(exam: DicomExam, reading: Reading, number: int, mask: ShownMask) -> SegmentDescription:
    drawn_by = _drawn_by(exam, mask.entry.code)
    is_manual = drawn_by == SegmentAlgorithmTypeValues.MANUAL
    red, green, blue = (255.0 * part for part in mask.entry.color_rgb)
    return SegmentDescription(
        segment_number=number,
        segment_label=mask.name,
        segmented_property_category=MORPHOLOGICALLY_ABNORMAL,
        segmented_property_type=finding_concept(mask.entry.code),
        algorithm_type=drawn_by,
        algorithm_identification=None if is_manual else algorithm_sequence(reading, mask.entry.code),
        tracking_uid=tracking_uid(exam, mask.entry.code),
        tracking_id=f"NeuroTriage {mask.entry.code}",
        anatomic_regions=[BRAIN],
        display_color=CIELabColor.from_rgb(red, green, blue),
    )
