"""findings.json holds to its schema and says what the exam says."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest

from NeuroTriageLib.core.findings import Familiarity
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.measurements.findings import could_not_look
from NeuroTriageLib.outputs.findings_json import findings_document, findings_schema, write_findings_json
from Testing.Lib.exam_builder import (
    IPH,
    IPH_AND_SDH,
    SHA256,
    UNEVEN_STEPS_MM,
    ExamSettings,
    build_exam,
    build_unreadable_exam,
)
from Testing.Lib.weighed_exam import ACCEPTED, REJECTED, build_weighed_exam

jsonschema = pytest.importorskip("jsonschema")

EXAMS = {
    "two types": build_exam(),
    "negative": build_exam(ExamSettings()),
    "could not look": build_unreadable_exam(),
    "type undetermined": build_exam(ExamSettings(blood=IPH, found=frozenset({"any"}))),
    "uneven and tilted": build_exam(ExamSettings(blood=IPH, steps_mm=UNEVEN_STEPS_MM, tilt_deg=18)),
    "weighed": build_weighed_exam(),
    "unfamiliar but accepted": build_weighed_exam(Familiarity(7.1, 3.5, ("the noise in the brain is high",), True)),
    "unfamiliar": replace(build_unreadable_exam("Unlike."), familiarity=Familiarity(7.1, 3.5, ("noise",))),
    "no judgements": replace(build_exam(), judgements=(), study_instance_uid=""),
}


@pytest.fixture(scope="module")
def validator():
    schema = findings_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", EXAMS)
def test_every_kind_of_exam_holds_to_the_schema(name, validator, tmp_path):
    path = tmp_path / "findings.json"
    write_findings_json(EXAMS[name], path)
    validator.validate(json.loads(path.read_text(encoding="utf-8")))


def test_found_types_carry_their_numbers():
    document = findings_document(EXAMS["two types"])
    findings = {item["code"]: item for item in document["findings"]}
    assert list(findings) == ["any", "IPH", "IVH", "SDH", "EDH", "SAH"]
    assert (findings["SDH"]["status"], findings["SDH"]["present"], findings["SDH"]["size_class"]) == (
        "found",
        True,
        "large",
    )
    assert findings["SDH"]["volume_ml"] == pytest.approx(4 / 3 * np.pi * 7 * 40 * 30 / 1000, rel=0.2)
    assert findings["IVH"]["present"] is False
    assert findings["IVH"]["key_slice"] is None
    assert [item["code"] for item in document["abc2"]] == ["IPH", "SDH"]


def test_key_slice_names_its_dicom_instance():
    exam = EXAMS["two types"]
    finding = findings_document(exam)["findings"][0]
    assert finding["key_sop_instance_uid"] == exam.volume.sop_instance_uids[finding["key_slice"]]


def test_what_could_not_be_looked_at_has_no_numbers_and_is_not_absent():
    for finding in findings_document(EXAMS["could not look"])["findings"]:
        assert finding["present"] is None
        assert finding["probability"] is finding["volume_ml"] is finding["components"] is None
        assert finding["reason"] == "The image is no head CT."


def test_series_tell_chosen_from_rejected_with_reasons():
    series = findings_document(EXAMS["two types"])["series"]
    assert series["chosen"]["description"] == "Head 5.0 H31s"
    assert series["rejected"][0]["reasons"] == ["It is a scout.", "It has two images."]


def test_origin_of_the_numbers_is_named():
    document = findings_document(EXAMS["two types"])
    assert document["models"] == [{"system": "kuo2019", "name": "kuo2019-test", "version": "0.1", "sha256": SHA256}]
    assert (document["device"], document["timings_s"]["network"]) == ("cpu", 2.5)


def test_geometry_places_every_voxel_of_an_uneven_tilted_stack():
    exam = EXAMS["uneven and tilted"]
    read_back = SliceGrid.from_json(json.loads(json.dumps(findings_document(exam)["geometry"])))
    assert read_back.same_as(exam.grid, tolerance_mm=1e-9)


def test_the_answer_stands_apart_from_the_opinions_and_carries_the_doubt():
    document = findings_document(EXAMS["weighed"])
    assert {item["system"] for item in document["findings"]} == {"consensus"}
    assert list(dict.fromkeys(item["system"] for item in document["opinions"])) == ["kuo2019", "chang2018", "ye2019"]
    findings = {item["code"]: item for item in document["findings"]}
    assert (findings["SDH"]["doubt"], findings["SDH"]["agreement"]) == (0.31, "split")
    assert all(item["doubt"] is item["agreement"] is None for item in document["opinions"])
    subdural = [item for item in document["opinions"] if item["code"] == "SDH+EDH"]
    assert [item["system"] for item in subdural] == ["chang2018"]
    assert {item["volume_ml"] for item in document["opinions"] if item["system"] == "ye2019"} == {None}
    assert [model["system"] for model in document["models"]] == ["consensus", "kuo2019", "chang2018", "ye2019"]


def test_regions_that_were_rejected_are_listed_beside_the_accepted_ones():
    regions = findings_document(EXAMS["weighed"])["regions"]
    assert len(regions) == 1 + len(REJECTED) and {item["system"] for item in regions} == {"chang2018"}
    accepted = next(item for item in regions if item["accepted"])
    assert (accepted["rows"], accepted["columns"], accepted["slice"]) == ([10, 20], [11, 25], ACCEPTED.slice_index)
    assert accepted["instance"] == 1 and regions[1]["instance"] is None


def test_an_exam_unlike_the_training_exams_says_so():
    document = findings_document(EXAMS["unfamiliar but accepted"])
    expected = {"familiar": False, "score": 7.1, "threshold": 3.5, "accepted": True}
    assert expected.items() <= document["familiarity"].items()
    assert findings_document(EXAMS["two types"])["familiarity"] is None


def test_notice_stands_once(tmp_path):
    write_findings_json(EXAMS["two types"], tmp_path / "f.json")
    assert (tmp_path / "f.json").read_text(encoding="utf-8").lower().count("not for diagnosis") == 1


def _with(changes):
    document = copy.deepcopy(findings_document(build_exam(ExamSettings(blood=IPH_AND_SDH))))
    changes(document)
    return document


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("models"),
        lambda d: d["findings"][0].update(code="ICH"),
        lambda d: d["findings"][0].update(present=None),
        lambda d: d["findings"][0].update(status="could_not_look"),
        lambda d: d["findings"][0].update(probability=1.2),
        lambda d: d["findings"][0].update(size_class="huge"),
        lambda d: d["findings"][0].update(patient_name="A"),
        lambda d: d["findings"][0].update(doubt=0.6),
        lambda d: d["findings"][0].update(agreement="maybe"),
        lambda d: d.pop("opinions"),
        lambda d: d["models"][0].update(sha256="abc"),
        lambda d: d["abc2"][0].update(a_ends_lps_mm=[[0, 0, 0]]),
    ],
    ids=[
        "no models",
        "code",
        "present",
        "status",
        "probability",
        "class",
        "extra key",
        "doubt",
        "agreement",
        "no opinions",
        "hash",
        "one end",
    ],
)
def test_schema_rejects_a_spoilt_document(spoil, validator):
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(_with(spoil))


def test_partly_seen_exam_holds_to_the_schema(validator):
    exam = build_exam(ExamSettings(blood=IPH))
    unseen = could_not_look("other", ("SAH",), "It does not answer this.")
    validator.validate(findings_document(replace(exam, findings=exam.findings + unseen)))


def test_lists_of_numbers_stand_on_one_line_and_nothing_else_changes(tmp_path):
    exam = replace(EXAMS["two types"], input="[\n  1,\n  2\n] and [ 3 ]")
    write_findings_json(exam, tmp_path / "findings.json")
    text = (tmp_path / "findings.json").read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(findings_document(exam)))
    (line,) = {line for line in text.splitlines() if '"slice_scores": [' in line}
    assert line.count(",") >= exam.grid.shape_kji[0] - 1
