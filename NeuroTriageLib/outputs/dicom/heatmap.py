"""The heatmap in DICOM: a fractional segmentation, or a parametric map of the probability."""

from __future__ import annotations

from typing import Literal

import numpy as np
from highdicom import VOILUTTransformation
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationFractionalTypeValues,
    SegmentationTypeValues,
    SegmentDescription,
)
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from ...core.codes import ANY, FINDING_CODES
from ...core.findings import Reading
from ...core.geometry import SliceGrid
from ..heatmap import heat_meaning, percent
from .concepts import BRAIN, HEAD, MORPHOLOGICALLY_ABNORMAL, NO_UNITS, PROBABILITY, finding_concept
from .exam import DicomExam
from .frames import algorithm_sequence, frame_geometry

HeatmapForm = Literal["fractional", "parametric", "none"]
_FULL = 100  # stored values of the fractional form are whole percents, as in heatmap.nrrd


def heatmap(exam: DicomExam, form: HeatmapForm = "fractional") -> Dataset | None:
    """The heatmap in the form asked for; None without a reading, or when none is asked for."""
    reading = exam.reading
    if reading is None or form == "none":
        return None
    made = _parametric(exam, reading) if form == "parametric" else _fractional(exam, reading)
    return exam.finish(made, "heatmap")


def _parametric(exam: DicomExam, reading: Reading) -> Dataset:
    """Floats without compression: dcmqi, and with it Slicer, reads neither 16 bits nor packed ones."""
    mapping = RealWorldValueMapping(
        lut_label="PROBABILITY",
        lut_explanation=heat_meaning(reading)[:64],
        unit=NO_UNITS,
        value_range=(0.0, 1.0),
        slope=1.0,
        intercept=0.0,
        quantity_definition=PROBABILITY,
    )
    made = ParametricMap(
        source_images=exam.slices,
        pixel_array=_shares(reading.heatmap_kji),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[VOILUTTransformation(window_center=0.5, window_width=1.0)],
        transfer_syntax_uid=ExplicitVRLittleEndian,
        content_label="HEATMAP",
        content_description=_description(reading),
        **frame_geometry(exam.result.grid),
        **exam.series("heatmap", variant="parametric"),
    )
    anatomy = Dataset()  # without it dcmqi 1.5 ends in a crash
    anatomy.FrameLaterality, anatomy.AnatomicRegionSequence = "U", [HEAD]
    made.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [anatomy]
    _put_in_ascending_order(made, exam.result.grid)
    return made


def _put_in_ascending_order(made: Dataset, grid: SliceGrid) -> None:
    """Store the frames along the slices' normal: dcmqi 1.5 takes that order for granted, and would show others flipped.

    highdicom stores them the other way round.
    """
    groups = list(made.PerFrameFunctionalGroupsSequence)
    heights = [np.array(g.PlanePositionSequence[0].ImagePositionPatient, float) @ grid.normal for g in groups]
    order = np.argsort(heights, kind="stable")
    frames = np.frombuffer(made.FloatPixelData, "<f4").reshape(grid.shape_kji)
    made.FloatPixelData = frames[order].tobytes()
    for index, number in enumerate(order, start=1):
        groups[number].FrameContentSequence[0].DimensionIndexValues = [index]
    made.PerFrameFunctionalGroupsSequence = [groups[number] for number in order]


def _fractional(exam: DicomExam, reading: Reading) -> Dataset:
    # Findings on MRI have a map each, which may overlap; of CT there is one of any hemorrhage.
    maps = reading.heatmaps_kji or {ANY: reading.heatmap_kji}
    return Segmentation(
        source_images=exam.slices,
        pixel_array=np.stack([_shares(heat) for heat in maps.values()], axis=-1),
        segmentation_type=SegmentationTypeValues.FRACTIONAL,
        fractional_type=SegmentationFractionalTypeValues.PROBABILITY,
        max_fractional_value=_FULL,
        segment_descriptions=[_segment(reading, number, code) for number, code in enumerate(maps, start=1)],
        omit_empty_frames=False,
        transfer_syntax_uid=RLELossless,
        content_label="HEATMAP",
        content_description=_description(reading),
        **frame_geometry(exam.result.grid),
        **exam.series("heatmap", variant="fractional"),
    )


def _segment(reading: Reading, number: int, code: str) -> SegmentDescription:
    return SegmentDescription(
        segment_number=number,
        segment_label=f"{FINDING_CODES[code].name}, probability",
        segmented_property_category=MORPHOLOGICALLY_ABNORMAL,
        segmented_property_type=finding_concept(code),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm_sequence(reading),
        anatomic_regions=[BRAIN],
    )


def _shares(heatmap_kji: np.ndarray) -> np.ndarray:
    """(K, J, I) float32 0-1 in steps of one percent, as in heatmap.nrrd."""
    return percent(heatmap_kji).astype(np.float32) / _FULL


def _description(reading: Reading) -> str:
    """64 characters at most (LO)."""
    shown = "findings" if reading.heatmaps_kji else "hemorrhage"
    return f"Probability of {shown}; {reading.heatmap_source or reading.system}"[:64]
