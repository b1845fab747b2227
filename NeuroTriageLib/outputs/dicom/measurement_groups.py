"""The structured report's groups: one per finding of the answer, and one per opinion that went into it (TID 1500)."""

from __future__ import annotations

from typing import Any

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    FindingSite,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegment,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForSegmentation,
    TextContentItem,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.dataset import Dataset

from ... import __version__
from ...core.codes import FINDING_CODES
from ...core.findings import Finding, Reading
from ...core.plain_text import one_line
from ..review_text import DECISION_WORDS
from . import concepts
from .exam import DicomExam
from .segmentation import tracking_uid

Group = MeasurementsAndQualitativeEvaluations | VolumetricROIMeasurementsAndQualitativeEvaluations

_PRESENCE = {
    "found": concepts.PRESENT,
    "not_found": concepts.ABSENT,
    "could_not_look": concepts.PRESENCE_UNDETERMINED,
}


def measurement_groups(exam: DicomExam, segments: Dataset | None) -> list[Group]:
    """The answer's groups first, then those of the systems that a consensus listened to.

    Args:
        exam: what is reported.
        segments: the segmentation that the groups refer to; None when there is none.
    """
    result = exam.result
    answered_by = {finding.system for finding in result.findings}
    opinions = [opinion for opinion in result.opinions if opinion.system not in answered_by]
    groups = [_group(exam, finding, segments, concepts.ANSWER) for finding in result.findings]
    return groups + [_group(exam, opinion, None, concepts.OPINION) for opinion in opinions]


def text_item(name: CodedConcept, text: str) -> TextContentItem:
    """A sentence in a container of the report."""
    return TextContentItem(name, one_line(text), RelationshipTypeValues.CONTAINS)


def _group(exam: DicomExam, finding: Finding, segments: Dataset | None, role: CodedConcept) -> Group:
    shared: dict[str, Any] = {
        "tracking_identifier": _tracking(exam, finding, role),
        "finding_type": concepts.finding_concept(finding.code),
        "finding_category": concepts.MORPHOLOGICALLY_ABNORMAL,
        "finding_sites": [FindingSite(concepts.BRAIN)],
        "algorithm_id": _algorithm(exam, finding),
        "measurements": _measurements(exam, finding, role) or None,
        "qualitative_evaluations": _evaluations(finding, role),
    }
    segment = _referenced_segment(exam, finding, segments)
    group: Group
    if segment is not None:
        group = VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=segment, **shared)
    else:
        group = MeasurementsAndQualitativeEvaluations(source_images=_key_slice(exam, finding), **shared)
    for sentence in _sentences(exam, finding, role):
        group[0].ContentSequence.append(text_item(concepts.COMMENT, sentence))
    return group


def _tracking(exam: DicomExam, finding: Finding, role: CodedConcept) -> TrackingIdentifier:
    """The answer shares its UID with the segment of the same code; an opinion has one of its own."""
    if role == concepts.ANSWER:
        return TrackingIdentifier(tracking_uid(exam, finding.code), f"NeuroTriage {finding.code}")
    uid = exam.uid("tracking", finding.system, finding.code)
    return TrackingIdentifier(uid, f"NeuroTriage {finding.code}, opinion of {finding.system}")


def _reading_of(exam: DicomExam, finding: Finding) -> Reading | None:
    return next((reading for reading in exam.result.readings if reading.system == finding.system), None)


def _algorithm(exam: DicomExam, finding: Finding) -> AlgorithmIdentification:
    """The weights that spoke; a system that could not look is named alone, with the program's version."""
    reading = _reading_of(exam, finding)
    if reading is None or not reading.model.name:
        return AlgorithmIdentification(finding.system, f"NeuroTriage {__version__}", manufacturer="NeuroTriage")
    model = reading.model
    return AlgorithmIdentification(
        name=model.name,
        version=model.version,
        parameters=[f"system: {reading.system}", f"weights SHA-256: {model.sha256}"],
        family=concepts.ARTIFICIAL_INTELLIGENCE,
        manufacturer="NeuroTriage",
    )


def _measurements(exam: DicomExam, finding: Finding, role: CodedConcept) -> list[Measurement]:
    """Numbers of one finding; none that could not be looked at."""
    numbers = [
        _number(concepts.PROBABILITY, finding.probability, concepts.NO_UNITS, 6),
        _number(concepts.THRESHOLD, finding.threshold, concepts.NO_UNITS, 6),
        _number(concepts.DOUBT, finding.doubt, concepts.NO_UNITS, 4),
    ]
    if finding.status == "found" and finding.components:
        numbers.append(_number(concepts.VOLUME, finding.volume_ml, concepts.MILLILITER, 4, concepts.VOXEL_COUNTING))
        numbers.append(_number(concepts.PARTS, float(finding.components), concepts.NO_UNITS, 0))
    if role == concepts.ANSWER:
        for item in (abc2 for abc2 in exam.result.abc2 if abc2.code == finding.code):
            numbers += [
                _number(concepts.VOLUME, item.volume_ml, concepts.MILLILITER, 4, concepts.ABC2),
                _number(concepts.A_DIAMETER, item.a_mm, concepts.MILLIMETER, 2),
                _number(concepts.B_DIAMETER, item.b_mm, concepts.MILLIMETER, 2),
                _number(concepts.C_EXTENT, item.c_mm, concepts.MILLIMETER, 2),
            ]
    return [number for number in numbers if number is not None]


def _number(
    name: CodedConcept, value: float | None, unit: CodedConcept, digits: int, method: CodedConcept | None = None
) -> Measurement | None:
    """A measurement rounded as in findings.json."""
    if value is None:
        return None
    return Measurement(name=name, value=round(float(value), digits), unit=unit, method=method)


def _evaluations(finding: Finding, role: CodedConcept) -> list[QualitativeEvaluation]:
    evaluations = [
        QualitativeEvaluation(concepts.ROLE, role),
        QualitativeEvaluation(concepts.PRESENCE, _PRESENCE[finding.status]),
    ]
    if finding.agreement is not None:
        same = concepts.AGREE if finding.agreement == "agree" else concepts.SPLIT
        evaluations.append(QualitativeEvaluation(concepts.AGREEMENT, same))
    return evaluations


def _referenced_segment(exam: DicomExam, finding: Finding, segments: Dataset | None) -> ReferencedSegment | None:
    """The finding's segment and the slices that it lies on; None without one."""
    codes = [mask.entry.code for mask in exam.masks]
    if segments is None or exam.reading is None or finding.code not in codes:
        return None
    mask = exam.masks[codes.index(finding.code)]
    on_slice = exam.label_kji.reshape(len(exam.slices), -1) == mask.value
    images = [
        SourceImageForSegmentation(exam.slices[k].SOPClassUID, exam.slices[k].SOPInstanceUID)
        for k in on_slice.any(axis=1).nonzero()[0]
    ]
    number = codes.index(finding.code) + 1
    return ReferencedSegment(segments.SOPClassUID, segments.SOPInstanceUID, number, source_images=images)


def _key_slice(exam: DicomExam, finding: Finding) -> list[SourceImageForMeasurementGroup] | None:
    if finding.key_slice is None:
        return None
    image = exam.slices[finding.key_slice]
    return [SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID)]


def _sentences(exam: DicomExam, finding: Finding, role: CodedConcept) -> list[str]:
    """What no number says."""
    sentences = []
    name = FINDING_CODES[finding.code].name
    if finding.status == "could_not_look":
        sentences.append(f"{name}: could not look. {finding.reason} This is not a negative result.")
    if finding.status == "found" and not finding.components:
        sentences.append(f"{name}: found, but not outlined.")
    if finding.key_slice is not None:
        uid = exam.result.volume.sop_instance_uids[finding.key_slice]
        place = f"slice {finding.key_slice + 1} of {len(exam.slices)} from the inferior end, SOP instance {uid}"
        sentences.append(f"Look first at {place}.")
    if role == concepts.ANSWER:
        if finding.decision is not None:
            sentences.append(f"{name}: {DECISION_WORDS[finding.decision]} by the reader.")
        sentences += [item.caveat for item in exam.result.abc2 if item.code == finding.code and item.caveat]
    return sentences
