"""The findings as a structured report (TID 1500 in a Comprehensive 3D SR)."""

from __future__ import annotations

from highdicom.sr import (
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from ..findings_json import NOTICE
from ..report import headline
from ..review_text import review_sentences
from . import concepts
from .exam import MANUFACTURER, MODEL_NAME, DicomExam
from .measurement_groups import measurement_groups, text_item


def structured_report(exam: DicomExam, segments: Dataset | None) -> Dataset:
    """The report; it refers to the segmentation and to the source images, and holds what findings.json says.

    Args:
        exam: what is reported, also when it could not be looked at.
        segments: the finished segmentation, None when there is none.
    """
    shown = {finding.key_slice for finding in exam.result.findings if finding.key_slice is not None}
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_observer(exam)),
        procedure_reported=concepts.PROCEDURES[exam.modality],
        imaging_measurements=measurement_groups(exam, segments),
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=[exam.slices[k] for k in sorted(shown)] or exam.slices[:1],
    )
    for name, sentence in _sentences(exam):
        content[0].ContentSequence.append(text_item(name, sentence))
    report = Comprehensive3DSR(
        evidence=[*exam.slices, *([segments] if segments is not None else [])],
        content=content,
        is_complete=all(finding.status != "could_not_look" for finding in exam.result.findings),
        coding_schemes=[concepts.own_scheme()],
        **exam.series("report"),
    )
    return exam.finish(report, "report")


def _observer(exam: DicomExam) -> ObserverContext:
    serial = (exam.reading.model.sha256[:16] if exam.reading is not None else "") or None
    return ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=exam.uid("device"),
            name=MODEL_NAME,
            manufacturer_name=MANUFACTURER,
            model_name=MODEL_NAME,
            serial_number=serial,
        ),
    )


def _sentences(exam: DicomExam) -> list[tuple[concepts.CodedConcept, str]]:
    """The answer in words, and what must be known beside it."""
    answer = headline(exam.result)
    said = [(concepts.CONCLUSION, f"{answer.title}. {answer.detail}"), (concepts.COMMENT, NOTICE)]
    said += [(concepts.COMMENT, sentence) for sentence in review_sentences(exam.result)]
    said += [(concepts.COMMENT, flag.message) for flag in exam.result.quality]
    familiarity = exam.result.familiarity
    if familiarity is not None:
        usual = "like" if familiarity.is_familiar else "unlike"
        figures = f"distance {familiarity.score:.1f}, limit {familiarity.threshold:.1f}"
        said.append((concepts.COMMENT, f"The exam is {usual} those that the models learned from: {figures}."))
    return said
