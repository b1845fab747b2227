"""What the panel says about an exam: found, nothing found and could not look are three different answers."""

from __future__ import annotations

import dataclasses

import made_exams
from NeuroTriageLib.core.findings import Finding
from NeuroTriagePanel.findings_rows import finding_rows, opinions_line, summary

EXAM = made_exams.exam(made_exams.GRIDS["regular"])


def with_status(status: str):
    findings = tuple(
        Finding(finding.code, "kuo2019", status, 0.02, 0.5, 0.0, 0)
        if status == "not_found"
        else Finding(finding.code, "kuo2019", status, reason="The series is no head CT.")
        for finding in EXAM.findings
    )
    return dataclasses.replace(EXAM, findings=findings, abc2=())


def test_the_three_answers_differ():
    said = [summary(EXAM), summary(with_status("not_found")), summary(with_status("could_not_look"))]
    assert said[0].startswith("Hemorrhage found: intraparenchymal, subdural.")
    assert said[1] == "No hemorrhage found by this model."
    assert "not a negative result. The series is no head CT." in said[2]


def rows_of(exam, decisions=None, *, edited=()):
    return {row.code: row for row in finding_rows(exam, exam.findings, decisions or {}, edited=edited)}


def test_what_does_not_exist_is_a_dash_and_never_a_zero():
    for row in rows_of(with_status("could_not_look")).values():
        assert (row.volume_text, row.doubt_text, row.slice_text, row.decision_text) == ("–", "–", "–", "–")
        assert row.probability is None and row.status == "could_not_look"
        assert "The series is no head CT." in row.tooltip


def test_the_most_urgent_comes_first_and_what_nobody_looked_at_before_the_negatives():
    assert [row.code for row in finding_rows(EXAM, EXAM.findings, {})] == ["any", "IPH", "SDH", "EDH", "IVH", "SAH"]


def test_negatives_near_their_threshold_come_before_the_others():
    findings = [dataclasses.replace(f, probability=0.4 if f.code == "SAH" else f.probability) for f in EXAM.findings]
    assert [row.code for row in finding_rows(EXAM, findings, {})][-2:] == ["SAH", "IVH"]


def test_slices_are_counted_from_one():
    iph = EXAM.findings[1]
    assert rows_of(EXAM)["IPH"].slice_text == str(iph.key_slice + 1)


def test_the_tooltip_names_the_model_and_what_abc2_would_have_said():
    tooltip = rows_of(EXAM)["IPH"].tooltip
    assert f"{made_exams.MODEL.name} {made_exams.MODEL.version}" in tooltip and "ABC/2: 0.4 mL" in tooltip


def test_figures_of_an_edited_mask_are_marked_and_the_models_abc2_is_left_out():
    row = rows_of(EXAM, {"IPH": "edit"}, edited={"any", "IPH"})["IPH"]
    assert row.volume_text.endswith("*") and "changed by the reader" in row.tooltip and "ABC/2" not in row.tooltip
    assert row.decision_text == "✎"


def test_doubt_stands_in_the_row_and_the_opinions_below_the_table():
    exam = made_exams.weighed_exam(made_exams.GRIDS["regular"])
    by_code = {finding.code: finding for finding in exam.findings}
    row = rows_of(exam)["SDH"]
    assert row.doubt_text == "0.31 split" and row.is_doubtful
    line = opinions_line(exam, by_code["SDH"])
    assert line.startswith("Subdural: The systems disagree. kuo2019: found 0.81 (from 0.50)")
    assert "chang2018: not detected 0.31 (from 0.50) (SDH+EDH)" in line
    assert "chang2018" not in opinions_line(exam, by_code["SAH"]), "it said nothing of this type"
    assert opinions_line(exam, by_code["EDH"]).startswith("Epidural: not assessed. The vertex")
    assert opinions_line(EXAM, EXAM.findings[3]) == "", "one system's opinion is the answer"


def test_probabilities_are_shown_beside_their_threshold():
    row = rows_of(EXAM)["SDH"]
    assert (row.probability, row.threshold) == (0.81, 0.5)
