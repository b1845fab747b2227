"""The structured report says what findings.json says: coded findings, numbers, models, references, the unknown."""

from __future__ import annotations

import highdicom
import pydicom
import pytest
from pydicom.sr.codedict import codes

from NeuroTriageLib.core.codes import ANY, FINDING_CODES
from NeuroTriageLib.core.findings import Familiarity
from NeuroTriageLib.outputs.dicom.writer import DicomForms
from Testing.Lib.exam_builder import IPH_AND_SDH, ExamSettings, build_exam, build_unreadable_exam
from Testing.Lib.outputs.dicom.made_objects import objects
from Testing.Lib.weighed_exam import build_weighed_exam

ONLY_REPORT = DicomForms(heatmap="none")


def content(item: pydicom.Dataset, code: str) -> list[pydicom.Dataset]:
    """The items directly in a container whose concept has this code value."""
    return [i for i in item.get("ContentSequence", []) if i.ConceptNameCodeSequence[0].CodeValue == code]


def value(item: pydicom.Dataset):
    """A content item's value as a plain one."""
    if item.ValueType == "NUM":
        return float(item.MeasuredValueSequence[0].NumericValue)
    if item.ValueType == "CODE":
        return item.ConceptCodeSequence[0].CodeValue
    return item.TextValue


def groups(report: pydicom.Dataset, role: str = "ANSWER") -> dict[str, pydicom.Dataset]:
    """SNOMED code of the finding -> group, of one role; opinions are keyed by their tracking identifier."""
    (measurements,) = content(report, "126010")
    found = [group for group in measurements.ContentSequence if value(content(group, "ROLE")[0]) == role]
    key = "121071" if role == "ANSWER" else "112039"
    return {value(content(group, key)[0]): group for group in found}


def texts(item: pydicom.Dataset) -> str:
    """Every sentence below an item."""
    own = [item.TextValue] if item.get("ValueType") == "TEXT" else []
    return " ".join(own + [texts(child) for child in item.get("ContentSequence", [])])


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    exam = build_exam(ExamSettings(blood=IPH_AND_SDH, tilt_deg=12))
    return exam, objects(exam, tmp_path_factory.mktemp("dicom"), forms=ONLY_REPORT)


def test_every_finding_has_its_presence_probability_and_threshold(found):
    exam, made = found
    answer = groups(made["structured_report.dcm"])
    assert len(answer) == len(exam.findings)
    for finding in exam.findings:
        group = answer[FINDING_CODES[finding.code].concept[0]]
        assert value(content(group, "121052")[0]) == ("121053" if finding.present else "121054")
        assert value(content(group, "122157")[0]) == pytest.approx(finding.probability)
        assert value(content(group, "122411")[0]) == pytest.approx(finding.threshold)


def test_volumes_are_told_with_their_methods(found):
    exam, made = found
    answer = groups(made["structured_report.dcm"])
    for code in IPH_AND_SDH:
        group = answer[FINDING_CODES[code].concept[0]]
        by_method = {value(content(item, "370129005")[0]): item for item in content(group, "118565006")}
        assert set(by_method) == {"VOXELS", "ABC2"}
        told = next(finding.volume_ml for finding in exam.findings if finding.code == code)
        abc2 = next(item for item in exam.abc2 if item.code == code)
        assert value(by_method["VOXELS"]) == pytest.approx(told, abs=1e-4)
        assert value(by_method["ABC2"]) == pytest.approx(abc2.volume_ml, abs=1e-4)
        unit = by_method["VOXELS"].MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]
        assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("mL", "UCUM")
        assert value(content(group, "ABC2-A")[0]) == pytest.approx(abc2.a_mm, abs=0.01)


def test_groups_refer_to_their_segment_and_its_slices(found):
    exam, made = found
    segmentation = made["segmentation.dcm"]
    for number, code in enumerate(IPH_AND_SDH, start=1):
        group = groups(made["structured_report.dcm"])[FINDING_CODES[code].concept[0]]
        reference = content(group, "121191")[0].ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
        assert reference.ReferencedSegmentNumber == number
        assert value_of_uid(group, "112040") == segmentation.SegmentSequence[number - 1].TrackingUID
        label = exam.readings[0].codes.index(code) + 1
        on = (exam.readings[0].label_kji == label).any(axis=(1, 2)).nonzero()[0]
        images = [i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in content(group, "121233")]
        assert images == [exam.volume.sop_instance_uids[k] for k in on]


def value_of_uid(group: pydicom.Dataset, code: str) -> str:
    return content(group, code)[0].UID


def test_everything_that_is_referred_to_is_evidence(found):
    exam, made = found
    report = made["structured_report.dcm"]
    listed = {
        item.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert listed == {*exam.volume.sop_instance_uids, made["segmentation.dcm"].SOPInstanceUID}


def test_each_group_names_the_weights_that_spoke(found):
    exam, made = found
    model = exam.readings[0].model
    for group in groups(made["structured_report.dcm"]).values():
        assert value(content(group, "111001")[0]) == model.name
        assert value(content(group, "111003")[0]) == model.version
        assert any(model.sha256 in value(item) for item in content(group, "111002"))


def test_highdicom_finds_the_groups_as_tid_1500(found):
    _, made = found
    report = highdicom.sr.Comprehensive3DSR.from_dataset(made["structured_report.dcm"])
    rois = report.content.get_volumetric_roi_measurement_groups()
    assert len(rois) == len(IPH_AND_SDH)
    volumes = [m.value for roi in rois for m in roi.get_measurements(name=codes.SCT.Volume)]
    assert len(volumes) == 2 * len(IPH_AND_SDH)


def test_an_exam_that_could_not_be_looked_at_is_undetermined_and_never_absent(tmp_path):
    made = objects(build_unreadable_exam("The image is no head CT."), tmp_path)
    report = made["structured_report.dcm"]
    assert report.CompletionFlag == "PARTIAL"
    for group in groups(report).values():
        assert value(content(group, "121052")[0]) == "121059"
        assert not content(group, "122157")
        assert "could not look. The image is no head CT. This is not a negative result." in texts(group)
    assert "The exam could not be read" in value(content(report, "121077")[0])
    assert set(made) == {"structured_report.dcm", "report.dcm"}


def test_a_negative_exam_says_absent_and_what_that_does_not_mean(tmp_path):
    report = objects(build_exam(ExamSettings()), tmp_path)["structured_report.dcm"]
    assert {value(content(group, "121052")[0]) for group in groups(report).values()} == {"121054"}
    assert "does not rule hemorrhage out" in value(content(report, "121077")[0])


def test_a_consensus_brings_each_systems_opinion_with_its_own_weights(tmp_path):
    exam = build_weighed_exam(Familiarity(4.0, 3.5, ("too bright",), accepted=True))
    report = objects(exam, tmp_path, forms=ONLY_REPORT)["structured_report.dcm"]
    opinions = groups(report, "OPINION")
    assert len(opinions) == len(exam.opinions)
    any_of_ye = opinions["NeuroTriage any, opinion of ye2019"]
    assert value(content(any_of_ye, "122157")[0]) == pytest.approx(0.91)
    assert value(content(any_of_ye, "111001")[0]) == "ye2019-test"
    assert not content(any_of_ye, "118565006")  # it draws no masks
    subdural = groups(report)[FINDING_CODES["SDH"].concept[0]]
    assert value(content(subdural, "AGREEMENT")[0]) == "SPLIT"
    assert value(content(subdural, "DOUBT")[0]) == pytest.approx(0.31)
    assert "unlike those that the models learned from" in texts(report)


def test_the_answer_in_words_and_the_notice_are_there(found):
    exam, made = found
    words = texts(made["structured_report.dcm"])
    assert "Intracranial hemorrhage found." in words
    assert "Research software, not for diagnosis." in words
    assert all(flag.message in words for flag in exam.quality)
    assert groups(made["structured_report.dcm"])[FINDING_CODES[ANY].concept[0]]
