"""Tables against exams whose figures are known by construction."""

from __future__ import annotations

import json

import pytest

from NeuroTriageLib.evaluation.exam_records import GROUPS, ExamRecord, FindingRecord
from NeuroTriageLib.evaluation.tables import evaluation_tables

NOTHING = FindingRecord(truth_ml=0.0, predicted_ml=0.0, overlap_ml=0.0, probability=0.1, called=False)


def exam(number: int, any_finding: FindingRecord, *, spacing: float = 5.0, tilt: float = 0.0) -> ExamRecord:
    """One exam whose only blood is IPH."""
    findings = dict.fromkeys(GROUPS, NOTHING) | {"any": any_finding, "IPH": any_finding}
    return ExamRecord(f"e{number}", f"head{number % 2}", "fake", spacing, tilt, 2.0, findings)


def found(truth: float, predicted: float, overlap: float, abc2: float | None = None) -> FindingRecord:
    """A true bleeding that was called."""
    return FindingRecord(truth, predicted, overlap, 0.9, True, truth_abc2_ml=abc2, predicted_abc2_ml=abc2)


MISSED = FindingRecord(truth_ml=2.0, predicted_ml=0.0, overlap_ml=0.0, probability=0.05, called=False)
RECORDS = (
    exam(0, found(40.0, 40.0, 40.0, abc2=50.0), spacing=1.0),
    exam(1, found(10.0, 20.0, 10.0, abc2=12.0)),
    exam(2, found(30.0, 30.0, 15.0, abc2=30.0), tilt=15.0),
    exam(3, MISSED),
    exam(4, NOTHING, tilt=15.0),
    exam(5, NOTHING, spacing=1.0),
)


@pytest.fixture(scope="module")
def tables():
    """The tables as JSON, by title."""
    return {table.title: table.to_json()["rows"] for table in evaluation_tables(RECORDS)}


def row(rows, **wanted):
    """The one row with these values."""
    (match,) = [r for r in rows if all(r[key] == value for key, value in wanted.items())]
    return match


def test_classification_counts_and_figures(tables):
    line = row(tables["Is it there?"], finding="any")
    assert line["positive exams"] == 4
    assert line["AUC"]["value"] == pytest.approx(6 / 8)
    assert line["sensitivity"]["value"] == 3 / 4
    assert line["specificity"]["value"] == 1.0
    assert line["accuracy"]["value"] == pytest.approx(5 / 6)


def test_a_missed_bleeding_counts_zero_in_the_mean_dice(tables):
    line = row(tables["Where is it?"], finding="IPH")
    assert line["Dice, mean"]["value"] == pytest.approx((1.0 + 2 / 3 + 0.5 + 0.0) / 4)
    assert line["Dice, mean where found"]["value"] == pytest.approx((1.0 + 2 / 3 + 0.5) / 3)
    assert line["Dice, pooled voxels"]["value"] == pytest.approx(2 * 65 / (82 + 90))


def test_volume_bias_of_voxels_and_of_abc2_stand_side_by_side(tables):
    assert row(tables["How much is it?"], finding="IPH", **{"volume from": "voxels"})["bias, mL"]["value"] == 2.0
    line = row(tables["How much is it?"], finding="IPH", **{"volume from": "ABC/2 of the truth"})
    assert line["exams"] == 3
    assert line["bias, mL"]["value"] == pytest.approx(4.0)


def test_exams_fall_into_the_size_class_of_their_true_volume(tables):
    sizes = {line["true size"]: line["exams"] for line in tables["By size"] if line["finding"] == "IPH"}
    assert sizes == {"large": 2, "medium": 1, "small": 1}


def test_slice_and_tilt_strata_hold_every_exam_once(tables):
    lines = tables["By slices and tilt (any hemorrhage)"]
    assert sum(line["number"] for line in lines if "slices" in line["exams"]) == len(RECORDS)
    assert sum(line["number"] for line in lines if "tilt" in line["exams"]) == len(RECORDS)


def test_a_type_that_never_occurs_has_undefined_figures_instead_of_zeros(tables):
    line = row(tables["Is it there?"], finding="SAH")
    assert line["AUC"]["value"] is None
    assert line["sensitivity"]["value"] is None


def test_tables_are_valid_markdown_and_json():
    for table in evaluation_tables(RECORDS):
        lines = [line for line in table.to_markdown().splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) == 1
        json.dumps(table.to_json(), allow_nan=False)


def test_no_exams_at_all_still_make_tables():
    for table in evaluation_tables(()):
        json.dumps(table.to_json(), allow_nan=False)
