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
    assert "not a negative result. The series is no head CT." in said[2]


def test_a_row_has_one_text_per_column_and_dashes_for_what_does_not_exist():
    for finding in with_status("could_not_look").findings:
        row = finding_row(EXAM, finding)
        assert len(row.cells) == len(COLUMNS)
        assert row.cells[1:] == ("–", "–", "–", "Not assessed", "–", "–")
        assert "The series is no head CT." in row.tooltip


def test_slices_are_counted_from_one():
    iph = EXAM.findings[1]
    assert finding_row(EXAM, iph).cells[5] == str(iph.key_slice + 1)


def test_the_tooltip_names_the_model_and_what_abc2_would_have_said():
    tooltip = finding_row(EXAM, EXAM.findings[1]).tooltip
    assert f"{made_exams.MODEL.name} {made_exams.MODEL.version}" in tooltip and "ABC/2: 0.4 mL" in tooltip


def weighed():
    """The exam as the answer of a consensus of two, with one opinion on each finding that is of another mind."""

    def answer(finding):
        doubted = {"doubt": 0.31, "agreement": "split"} if finding.probability is not None else {}
        return dataclasses.replace(finding, system="consensus", **doubted)

    subdural = Finding("SDH+EDH", "chang2018", "not_found", 0.12, 0.5, 0.0, 0)
    hemorrhage = Finding("any", "chang2018", "not_found", 0.20, 0.5, 0.0, 0)
    findings = tuple(answer(finding) for finding in EXAM.findings)
    return dataclasses.replace(EXAM, findings=findings, opinions=(*EXAM.findings, hemorrhage, subdural))


def test_doubt_stands_in_the_row_and_the_opinions_in_the_tooltip():
    exam = weighed()
    row = finding_row(exam, exam.findings[3])
    assert row.cells[-1] == "0.31 split"
    assert "kuo2019: found, 0.81" in row.tooltip
    assert "chang2018: not found, 0.12 (SDH+EDH)" in row.tooltip
    assert "chang2018" not in finding_row(exam, exam.findings[5]).tooltip, "it said nothing of this type"
    assert summary(exam).endswith("The systems disagree.")
    assert "kuo2019:" not in finding_row(EXAM, EXAM.findings[3]).tooltip, "one system's opinion is the answer"


def test_probabilities_are_shown_beside_their_threshold():
    assert finding_row(EXAM, EXAM.findings[3]).cells[1:3] == ("0.81", "0.50")
