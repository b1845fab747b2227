"""What the panel says about an exam: found, nothing found and could not look are three different answers."""

from __future__ import annotations

import dataclasses

import made_exams
from NeuroTriageLib.core.findings import Finding
from NeuroTriagePanel.findings_rows import COLUMNS, finding_row, summary

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
    assert "not a negative result" in said[2]


def test_a_row_has_one_text_per_column_and_dashes_for_what_does_not_exist():
    for finding in with_status("could_not_look").findings:
        row = finding_row(EXAM, finding)
        assert len(row.cells) == len(COLUMNS)
        assert row.cells[1:] == ("–", "–", "–", "Not assessed", "–")
        assert "The series is no head CT." in row.tooltip


def test_slices_are_counted_from_one():
    iph = EXAM.findings[1]
    assert finding_row(EXAM, iph).cells[-1] == str(iph.key_slice + 1)


def test_the_tooltip_names_the_model_and_what_abc2_would_have_said():
    tooltip = finding_row(EXAM, EXAM.findings[1]).tooltip
    assert f"{made_exams.MODEL.name} {made_exams.MODEL.version}" in tooltip and "ABC/2: 0.4 mL" in tooltip


def test_probabilities_are_shown_beside_their_threshold():
    assert finding_row(EXAM, EXAM.findings[3]).cells[1:3] == ("0.81", "0.50")
