"""Signing: versions that are never overwritten, resuming, cases, a blind second reader, agreement, the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import qt
import slicer

import made_exams
from NeuroTriageLib.review.case_list import CaseEntry, cases_in_folder
from NeuroTriageLib.review.store import ReviewStore
from panel_on_host import panel, reviewed, run_to_end, select, settle, table_texts
from strokes import stroke

GRID = made_exams.GRIDS["tilted"]


def signing(tmp_path: Path, reader: str = "AB"):
    widget = reviewed()
    sit_down(widget, tmp_path, reader)
    return widget


def sit_down(widget, folder: Path, reader: str, *, blind: bool = False) -> None:
    widget.ui.storePath.currentPath = str(folder / "reviews")
    widget.ui.readerEdit.text = reader
    widget.ui.readerEdit.editingFinished.emit()
    widget.ui.blindCheckBox.checked = blind


def paint(widget, box=(slice(4, 5), slice(30, 40), slice(12, 20))) -> None:
    widget.panel.edit.start("IPH")
    mask = np.zeros(made_exams.SHAPE_KJI, bool)
    mask[box] = True
    stroke(widget.ui.segmentEditor, mask)
    settle(widget)


def test_every_save_is_a_new_version_and_the_models_is_version_0(tmp_path):
    widget = signing(tmp_path)
    widget.ui.saveDraftButton.click()
    paint(widget)
    widget.ui.confidenceSelector.currentIndex = 4
    widget.ui.commentEdit.plainText = "Motion."
    widget.ui.approveButton.click()
    store = ReviewStore.open(tmp_path / "reviews")
    (case,) = store.cases()
    versions = store.versions(case)
    assert [v.kind for v in versions] == ["model", "reader", "reader"]
    assert [v.status for v in versions[1:]] == ["draft", "approved"]
    last = versions[-1]
    assert (last.reader, last.entry.confidence, last.entry.comment, last.entry.based_on) == ("AB", 4, "Motion.", 1)
    assert last.difference["IPH"].added_ml > 0 and last.entry.seconds_spent > 0
    assert (store.label(case, 0)[made_exams.IPH_BOX] == 1).all() and store.label(case, 2)[4, 39, 19] == 1
    texts = [widget.ui.versionSelector.itemText(n).rsplit(",", 1)[0] for n in range(3)]
    assert texts == ["2: AB, approved", "1: AB, saved", "0: model"]


def test_without_a_reader_or_a_folder_nothing_is_saved_and_it_is_said_what_is_missing(tmp_path):
    widget = reviewed()
    widget.ui.readerEdit.text = ""
    widget.ui.storePath.currentPath = ""
    widget.ui.approveButton.click()
    assert "Who reads?" in widget.ui.signLabel.text
    widget.ui.readerEdit.text = "AB"
    widget.ui.approveButton.click()
    assert "No folder for reviews" in widget.ui.signLabel.text
    sit_down(widget, tmp_path, "AB")
    widget.ui.approveButton.click()
    assert widget.ui.signLabel.text == "Version 1 approved."


def test_the_same_exam_read_again_resumes_the_readers_version(tmp_path):
    widget = signing(tmp_path)
    paint(widget)
    select(widget, "SDH")
    widget.ui.rejectButton.click()
    painted = widget.panel.review.volumes_ml()
    widget.ui.saveDraftButton.click()
    again = run_to_end(widget)
    assert again.volumes_ml() == painted and again.state.decisions["SDH"] == "reject"
    assert "Version 1 of AB (saved) is shown." in widget.ui.signLabel.text


def test_an_older_version_can_be_shown_and_saving_then_makes_a_new_one(tmp_path):
    widget = signing(tmp_path)
    widget.ui.saveDraftButton.click()
    paint(widget)
    widget.ui.saveDraftButton.click()
    widget.ui.versionSelector.activated.emit(1)  # version 1
    settle(widget)
    assert not widget.panel.review.is_edited
    widget.ui.saveDraftButton.click()
    store = ReviewStore.open(tmp_path / "reviews")
    (case,) = store.cases()
    assert [v.number for v in store.versions(case)] == [0, 1, 2, 3]
    assert store.versions(case)[3].entry.based_on == 1


def test_the_models_version_on_the_screen_has_nothing_rejected_and_its_own_thresholds(tmp_path):
    widget = signing(tmp_path)
    review = widget.panel.review
    review.move_threshold("IPH", 0.9)
    select(widget, "SDH")
    widget.ui.rejectButton.click()
    widget.ui.saveDraftButton.click()
    widget.ui.versionSelector.activated.emit(1)  # version 0
    settle(widget)
    assert np.array_equal(review.label_kji, review.model_label) and not review.is_edited
    assert review.state.decisions == {} and review.state.threshold == {}
    assert {item.code: item.status for item in review.findings()} == {
        item.code: item.status for item in review.result.findings
    }


def test_a_blind_reader_sees_no_other_version_until_signing(tmp_path):
    widget = signing(tmp_path, "AB")
    paint(widget)
    widget.ui.approveButton.click()
    sit_down(widget, tmp_path, "CD", blind=True)
    review = run_to_end(widget)
    assert not review.is_edited and widget.ui.versionSelector.count == 1
    widget.ui.approveButton.click()
    assert widget.ui.versionSelector.count == 3


def test_agreement_of_two_readers_has_dice_distance_millilitres_and_kappa(tmp_path):
    widget = signing(tmp_path, "AB")
    widget.ui.approveButton.click()
    sit_down(widget, tmp_path, "CD", blind=True)
    run_to_end(widget)
    paint(widget, (slice(3, 6), slice(30, 31), slice(12, 20)))  # one more row on the whole IPH
    widget.ui.approveButton.click()
    widget.ui.agreementButton.click()
    rows = {row[0]: row[1:] for row in table_texts(widget.ui.agreementTable)}
    dice = 2 * 20 / (20 + 21)
    assert rows["Intraparenchymal"][0] == f"{dice:.2f}" and rows["Intraparenchymal"][1] == "0.7"
    assert rows["Subdural"][0] == "1.00"
    assert "1: AB, version 1. 2: CD, version 2." in widget.ui.agreementLabel.text
    assert "kappa over the types: 1.00" in widget.ui.agreementLabel.text


def test_one_readers_word_cannot_be_compared(tmp_path):
    widget = signing(tmp_path)
    widget.ui.approveButton.click()
    widget.ui.agreementButton.click()
    assert "Two readers must have signed" in widget.ui.agreementLabel.text


def test_the_list_of_cases_says_what_is_done_and_what_remains(tmp_path):
    widget = signing(tmp_path)
    cases = tuple(CaseEntry(f"case {n}", f"Case {n}", f"/nowhere/{n}") for n in range(3))
    widget.panel.cases.show_cases(cases)
    widget.panel.review.state.case_key = "case 1"
    widget.ui.flagButton.click()
    rows = table_texts(widget.ui.caseTable)
    assert [[row[n] for n in (0, 1, 3)] for row in rows] == [
        ["Case 0", "to do", "–"],
        ["Case 1", "flagged", "AB"],
        ["Case 2", "to do", "–"],
    ]
    assert rows[1][2].endswith("(one system)") and rows[0][2] == "–"
    assert widget.ui.caseCountLabel.text == "3 cases: 2 to do, 1 flagged."
    opened = []
    widget.panel.cases._on_open = lambda entry: opened.append(entry.key)
    widget.panel.cases.current_key = "case 1"
    widget.ui.nextCaseButton.click()
    assert opened == ["case 2"]
    widget.ui.doubtCheckBox.checked = True
    assert [row[0] for row in table_texts(widget.ui.caseTable)] == ["Case 1", "Case 0", "Case 2"]
    widget.ui.doubtCheckBox.checked = False
    widget.panel.cases.current_key = ""
    widget.panel.cases.show_cases(())
    widget.panel.cases._on_open = widget.panel.open_case


def test_a_case_of_a_folder_opens_by_its_path_and_one_of_the_database_by_its_uid(tmp_path):
    widget = signing(tmp_path)
    (tmp_path / "cases" / "exam 1").mkdir(parents=True)
    study, asked = widget.panel.study, []
    study.inspect = lambda paths, case: asked.append((paths, case))
    study.inspect_database = lambda uid, case: asked.append((uid, case))
    try:
        (entry,) = cases_in_folder(tmp_path / "cases")
        widget.panel.open_case(entry)
        widget.panel.open_case(CaseEntry("1.2.840.1", "of the database"))
    finally:
        del study.inspect, study.inspect_database
    assert asked == [([str(entry.path)], entry.key), ("1.2.840.1", "1.2.840.1")]


def test_the_report_says_what_was_edited_and_goes_to_the_clipboard(tmp_path):
    widget = signing(tmp_path)
    paint(widget)
    ml = widget.panel.review.volumes_ml()["IPH"]
    widget.ui.approveButton.click()
    widget.ui.copyReportButton.click()
    text = qt.QApplication.clipboard().text()
    assert f"Intraparenchymal hemorrhage: {ml:.2f} mL (edited by reader)" in text
    assert "read by AB (approved)" in text and "not for diagnosis" in text
    paint(widget, (slice(5, 6), slice(30, 40), slice(12, 20)))
    assert "read by AB (draft)" in widget.panel.report.text(), "the signature was for another mask"


def test_a_case_that_was_read_before_opens_without_the_network(tmp_path):
    widget = signing(tmp_path)
    paint(widget)
    painted = widget.panel.review.volumes_ml()
    widget.panel.review.state.case_key = "case 7"
    widget.ui.saveDraftButton.click()
    slicer.mrmlScene.Clear(False)
    widget = panel("deaf", "tilted")  # a worker that never answers
    sit_down(widget, tmp_path, "AB")
    kept = widget.panel.store.kept_review(widget._parameterNode.inputVolume, "case 7")
    widget.panel.show_review(kept)
    settle(widget)
    volumes = widget.panel.review.volumes_ml()
    assert all(abs(volumes[code] - ml) < 1e-9 for code, ml in painted.items())


def test_time_in_other_modules_is_not_counted(tmp_path):
    import time

    widget = signing(tmp_path)
    widget.exit()
    before = widget.panel.review.seconds_spent
    time.sleep(0.2)
    assert abs(widget.panel.review.seconds_spent - before) < 0.05
    widget.enter()
