"""Tables against exams whose figures are known by construction."""

from __future__ import annotations

import json

import pytest

from NeuroTriageLib.evaluation.exam_records import ExamRecord, GroupAnswer, SystemAnswer
from NeuroTriageLib.evaluation.report import Evaluation, origin_note
from NeuroTriageLib.evaluation.tables import evaluation_sections
from Testing.Lib.evaluation.exam_making import NOT_CALLED, called, exam, row, truth

MISSED = GroupAnswer(0.05, False, 0.0, 0.0, slice_scores=(0.05,) * 10, called_slices=())
ALARM = called(1.0, 0.0, probability=0.95, slices=(0,))
RECORDS = (
    exam("a", truth(40.0, abc2_ml=50.0), {"fake": called(40.0, 40.0, abc2_ml=50.0)}, spacing_mm=1.0),
    exam("b", truth(10.0, abc2_ml=12.0), {"fake": called(20.0, 10.0, abc2_ml=12.0)}),
    exam("c", truth(30.0, abc2_ml=30.0), {"fake": called(30.0, 15.0, slices=(5, 6))}, tilt_deg=15.0),
    exam("d", truth(2.0), {"fake": MISSED}),
    exam("e", tilt_deg=15.0),
    exam("f", answers={"fake": ALARM}, spacing_mm=1.0),
)


def tables_of(records) -> dict[str, dict[str, list[dict]]]:
    """Section -> table -> rows, as JSON."""
    return {
        section.title: {table.title: table.to_json()["rows"] for table in section.tables}
        for section in evaluation_sections(records)
    }


@pytest.fixture(scope="module")
def tables():
    return tables_of(RECORDS)["System fake"]


def values(line: dict) -> dict:
    """The row's estimates without their intervals."""
    return {key: cell["value"] if isinstance(cell, dict) else cell for key, cell in line.items()}


def test_classification_counts_and_figures(tables):
    line = values(row(tables["Is it there?"], finding="any"))
    assert (line["exams"], line["with it"]) == (6, 4)
    assert line["AUC"] == pytest.approx((3 + 0) / 8)  # three calls above one of two negatives, all below the alarm
    assert line["sensitivity"] == line["PPV"] == line["F1"] == 3 / 4
    assert line["specificity"] == line["NPV"] == 1 / 2
    assert line["accuracy"] == pytest.approx(4 / 6)


def test_types_are_told_apart_among_exams_with_hemorrhage_only(tables):
    line = values(row(tables["Which type is it?"], finding="IPH"))
    assert line["exams"] == line["with it"] == 4
    assert line["sensitivity"] == 3 / 4 and line["specificity"] is None


def test_sizes_are_held_against_all_exams_without_hemorrhage(tables):
    lines = tables["By type and size, full set"]
    sizes = {line["true size"]: (line["with it"], line["exams"]) for line in lines if line["finding"] == "IPH"}
    assert sizes == {"all": (4, 6), "large": (2, 4), "medium": (1, 3), "small": (1, 3)}
    small = values(row(lines, finding="IPH", **{"true size": "small"}))
    assert small["sensitivity"] == 0.0 and small["specificity"] == 1 / 2


def test_on_a_balanced_set_predictive_values_no_longer_depend_on_how_many_exams_are_positive(tables):
    full = values(row(tables["By type and size, full set"], finding="IPH", **{"true size": "medium"}))
    balanced = values(row(tables["By type and size, balanced set"], finding="IPH", **{"true size": "medium"}))
    assert full["PPV"] == 1 / 2 and balanced["PPV"] == pytest.approx(1 / 1.5)
    assert full["accuracy"] == pytest.approx(2 / 3) and balanced["accuracy"] == pytest.approx(3 / 4)
    assert full["AUC"] == balanced["AUC"]


def test_operating_points_stand_beside_the_packs_own(tables):
    points = {line["operating point"]: line for line in tables["Operating points"] if line["finding"] == "any"}
    own = points["the model pack's own"]["sensitivity"]
    assert own["value"] == 3 / 4 and own["low"] < 3 / 4 < own["high"]
    assert points["highest specificity at full sensitivity"]["threshold"] == pytest.approx(0.05)
    assert points["highest specificity at full sensitivity"]["specificity"]["value"] == 0.0
    assert points["highest sensitivity + specificity"]["threshold"] == pytest.approx(0.9)


def test_slices_are_counted_over_all_exams_for_any_and_over_positive_ones_for_a_type(tables):
    line = values(row(tables["On which slices?"], finding="any"))
    assert (line["exams"], line["slices"], line["with it"]) == (6, 60, 8)
    # Called: both of exams a and b, one of two of c and one beside it, one in the alarm.
    assert line["sensitivity"] == 5 / 8 and line["specificity"] == pytest.approx(50 / 52)
    assert row(tables["On which slices?"], finding="IPH")["slices"] == 40


def test_a_missed_bleeding_counts_zero_in_the_mean_dice(tables):
    line = values(row(tables["Where is it?"], finding="IPH"))
    assert line["Dice, mean"] == pytest.approx((1.0 + 2 / 3 + 0.5 + 0.0) / 4)
    assert line["Dice, mean where found"] == pytest.approx((1.0 + 2 / 3 + 0.5) / 3)
    assert line["Dice, pooled voxels"] == pytest.approx(2 * 65 / (82 + 91))


def test_volume_bias_of_voxels_and_of_abc2_stand_side_by_side(tables):
    voxels = values(row(tables["How much is it?"], finding="IPH", **{"volume from": "voxels"}))
    assert voxels["bias, mL"] == 2.0 and voxels["bias, %"] == pytest.approx(100 * 2 / 20.5)
    line = values(row(tables["How much is it?"], finding="IPH", **{"volume from": "ABC/2 of the truth"}))
    assert line["exams"] == 3 and line["bias, mL"] == pytest.approx(4.0)


def test_slice_and_tilt_strata_hold_every_exam_once(tables):
    lines = tables["By slices and tilt (any hemorrhage)"]
    assert sum(line["number"] for line in lines if "slices" in line["exams"]) == len(RECORDS)
    assert sum(line["number"] for line in lines if "tilt" in line["exams"]) == len(RECORDS)


def test_a_type_that_never_occurs_has_undefined_figures_instead_of_zeros(tables):
    line = values(row(tables["Is it there?"], finding="SAH"))
    assert line["AUC"] is None and line["sensitivity"] is None and line["specificity"] == 1.0


def test_a_finding_that_could_not_be_looked_at_is_in_no_figure():
    blind = ExamRecord("x", RECORDS[0].truth, {"fake": SystemAnswer({})}, slice_count=10)
    found = tables_of([*RECORDS, blind])
    assert row(found["System fake"]["Is it there?"], finding="any")["exams"] == 6
    assert row(found["Exams"]["What was evaluated"], what="fake: exams answered")["figure"] == 6


def test_a_system_without_masks_has_no_dice_and_no_volumes_instead_of_zeros():
    scores = GroupAnswer(0.9, True, slice_scores=(0.9,) * 10, called_slices=(4, 5))
    records = [exam("a", truth(40.0), {"ye2019": scores}), exam("b", answers={"ye2019": GroupAnswer(0.1, False)})]
    groups = {code: GroupAnswer(0.1, False) for code in records[0].answers["ye2019"].groups}
    records[1] = ExamRecord("b", records[1].truth, {"ye2019": SystemAnswer(groups)}, slice_count=10)
    records[0].answers["ye2019"].groups.update(
        {code: GroupAnswer(0.1, False) for code in groups if code not in ("any", "IPH")}
    )
    found = tables_of(records)["System ye2019"]
    assert "Is it there?" in found
    assert not {"Where is it?", "How much is it?", "Dice and volume by size"} & set(found)


def test_ours_stand_below_theirs_for_every_system():
    both = tuple(
        exam(r.exam, r.truth["any"], {"kuo2019": r.answers["fake"].groups["any"], "consensus": NOT_CALLED})
        for r in RECORDS
    )
    papers = tables_of(both)["Beside the papers"]
    assert len(papers) == 7
    rows = [line for line in papers["Beside Ye 2019: table 3, subject level"] if line["finding"] == "IPH"]
    assert [line["who"] for line in rows] == [
        "Ye 2019: Sub-Lab", "Ye 2019: Sli-Lab", "ours: consensus", "ours: kuo2019",
    ]  # fmt: skip
    assert rows[1]["AUC"] == 0.94 and rows[3]["sensitivity"] == 3 / 4
    kuo = next(rows for title, rows in papers.items() if "figure 1" in title)
    assert [line["who"].split(":")[0] for line in kuo] == ["Kuo 2019", "Kuo 2019", "ours", "ours"]
    chang = next(rows for title, rows in papers.items() if "Quantification" in title)
    assert row(chang, finding="IPH", who="ours: kuo2019")["volume bias, %"] == pytest.approx(100 * 2 / 20.5)


def test_the_document_says_plainly_that_simulated_exams_are_no_patients():
    evaluation = Evaluation.of("Evaluation", RECORDS, {"heads": "one"})
    assert "simulated exams, not patients" in evaluation.to_markdown()
    mixed = [*RECORDS, ExamRecord("x", {}, {})]
    assert "6 of 7 exams are simulated" in origin_note(mixed)
    assert "simulated, not" not in origin_note([ExamRecord("x", {}, {})])


@pytest.mark.parametrize("records", [RECORDS, RECORDS[:1], RECORDS[4:5], ()], ids=["six", "one", "negative", "none"])
def test_tables_are_valid_markdown_and_json(records):
    for section in evaluation_sections(records):
        for table in section.tables:
            lines = [line for line in table.to_markdown().splitlines() if line.startswith("|")]
            assert len({line.count("|") for line in lines}) == 1
    json.dumps(Evaluation.of("Evaluation", records, {}).to_json(), allow_nan=False)
