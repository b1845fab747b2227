"""At the same time: a case of the list that opens, an exam of the node that comes, a reader who is away."""

from __future__ import annotations

import time

import numpy as np
import slicer

import made_exams
from NeuroTriageLib.core.midline import MidlinePoints
from NeuroTriageLib.core.resources import sample_data_folder
from NeuroTriageLib.review.case_list import CaseEntry
from NeuroTriagePanel.result_nodes import add_ct_node
from NeuroTriagePanel.review import CASE_ATTRIBUTE
from panel_on_host import (
    count,
    edit_and_reject,
    panel,
    reviewed,
    run_to_end,
    saved_and_opened,
    table_texts,
    wait_for,
    wait_until,
)

SAMPLE = sample_data_folder() / "HeadCtSample" / "dicom"


def test_a_case_of_the_list_is_loaded_and_read_without_another_click():
    widget = panel("deaf", grid_name="")
    widget.panel.open_case(CaseEntry("case 7", "Case 7", SAMPLE))
    wait_until(lambda: widget.panel.run.state.busy)
    assert widget._parameterNode.inputVolume is not None
    widget.panel.run.cancel()


def test_a_case_that_was_read_keeps_its_row_and_opens_as_it_was_left(tmp_path):
    widget = panel(grid_name="")
    cases, ui = widget.panel.cases, widget.ui
    ui.storePath.currentPath, ui.readerEdit.text = str(tmp_path / "reviews"), "AB"
    cases.show_cases((CaseEntry("case 7", "Case 7", SAMPLE), CaseEntry("case 8", "Case 8", tmp_path / "nowhere")))
    ui.caseTable.cellDoubleClicked.emit(0, 0)
    wait_until(lambda: widget.panel.review is not None)
    assert widget.panel.review.state.case_key == "case 7"
    widget.panel.findings.table.select("IPH")
    ui.acceptButton.click()
    ui.approveButton.click()
    assert [row[1] for row in table_texts(ui.caseTable)] == ["approved", "to do"]
    slicer.mrmlScene.Clear(False)
    ui.caseTable.cellDoubleClicked.emit(0, 0)
    wait_until(lambda: widget.panel.review is not None)
    assert not widget.panel.run.state.busy and widget.panel.review.state.decisions == {"IPH": "accept"}
    assert widget.panel.review.state.case_key == "case 7"
    ui.nextCaseButton.click()
    wait_until(lambda: ui.statusLabel.text and cases.current_key == "case 8" and "Looking" not in ui.studyLabel.text)
    assert widget.panel.review.state.case_key == "case 7", "a case that cannot be opened takes nothing away"
    cases.show_cases(())


def test_a_study_that_is_opened_by_hand_meanwhile_is_not_taken_for_the_case():
    widget = panel("deaf", grid_name="")
    widget.panel.open_case(CaseEntry("case 7", "Case 7", SAMPLE))
    widget.panel.study.inspect([str(SAMPLE)])
    wait_until(lambda: widget.ui.seriesTable.rowCount > 0)
    widget.ui.loadSeriesButton.click()
    wait_until(lambda: widget._parameterNode.inputVolume is not None)
    assert not widget.panel.run.state.busy
    assert widget._parameterNode.inputVolume.GetAttribute(CASE_ATTRIBUTE) is None


def test_a_case_whose_scene_is_closed_while_it_loads_does_not_come_into_the_next_scene():
    widget = panel("deaf", grid_name="")
    widget.panel.open_case(CaseEntry("case 7", "Case 7", SAMPLE))
    slicer.mrmlScene.Clear(False)
    wait_for(3.0)
    assert count("vtkMRMLScalarVolumeNode") == 0 and not widget.panel.run.state.busy


def test_no_case_is_opened_while_an_exam_of_the_node_comes():
    widget = panel(grid_name="")
    widget.panel.node._opening = 1
    try:
        widget.panel.open_case(CaseEntry("case 7", "Case 7", SAMPLE))
    finally:
        widget.panel.node._opening = 0
    assert "that is coming" in widget.ui.statusLabel.text and not widget.ui.studyLabel.text


def test_the_time_before_the_reader_comes_back_to_an_exam_that_was_read_meanwhile_is_not_counted():
    widget = panel()
    widget.ui.runButton.click()
    widget.exit()
    wait_until(lambda: not widget.panel.run.state.busy)
    spent = widget.panel.review.seconds_spent
    time.sleep(0.3)
    assert widget.panel.review.seconds_spent == spent
    widget.enter()
    time.sleep(0.05)
    assert widget.panel.review.seconds_spent > spent


def test_a_comment_and_the_confidence_are_kept_by_the_scene_and_end_a_signature(tmp_path):
    widget = reviewed()
    widget.ui.storePath.currentPath, widget.ui.readerEdit.text = str(tmp_path / "reviews"), "AB"
    widget.ui.approveButton.click()
    assert widget.panel.review.saved_version is not None
    widget.ui.commentEdit.plainText = "Posterior edge unclear."
    widget.ui.confidenceSelector.currentIndex = 3
    assert widget.panel.review.saved_version is None, "they belong to the next version"
    widget.ui.storePath.currentPath = ""
    review = saved_and_opened(widget, tmp_path / "scene.mrb")
    assert (review.state.comment, review.state.confidence) == ("Posterior edge unclear.", 3)
    assert widget.ui.commentEdit.plainText == "Posterior edge unclear."


def test_unsaved_work_of_a_scene_is_not_replaced_by_an_earlier_version(tmp_path):
    widget = reviewed()
    widget.ui.storePath.currentPath, widget.ui.readerEdit.text = str(tmp_path / "reviews"), "AB"
    widget.ui.saveDraftButton.click()
    widget.ui.storePath.currentPath = ""
    run_to_end(widget)
    edit_and_reject(widget)
    label = widget.panel.review.label_kji
    widget.ui.storePath.currentPath = str(tmp_path / "reviews")
    review = saved_and_opened(widget, tmp_path / "scene.mrb")
    assert np.array_equal(review.label_kji, label) and review.state.decisions == {"SDH": "reject"}
    assert "Version 1 of AB (saved) was kept earlier" in widget.ui.signLabel.text
    assert widget.ui.versionSelector.count == 2


def shown_marks() -> set[str]:
    """The names of masks and lines that the views show."""
    classes = ("vtkMRMLSegmentationNode", "vtkMRMLMarkupsNode")
    nodes = [node for name in classes for node in slicer.util.getNodesByClass(name)]
    return {node.GetName() for node in nodes if node.GetDisplayVisibility()}


def test_another_exam_on_the_screen_has_no_mask_or_line_of_the_one_before_over_it(tmp_path):
    widget = reviewed(grid_name="regular")
    first = widget.panel.review.nodes.ct
    edit_and_reject(widget)
    widget.ui.linesCheckBox.checked = True
    widget.ui.surfaceCheckBox.checked = True
    widget.panel.review.place_midline(MidlinePoints((0.0, -30.0, 0.0), (0.0, 30.0, 0.0), (4.0, 0.0, 0.0)))
    marks = shown_marks()
    assert len(marks) > 4
    second = add_ct_node(made_exams.volume(made_exams.GRIDS["regular"]))
    widget.ui.inputSelector.setCurrentNode(second)
    assert shown_marks() == set() and not widget.ui.surfaceCheckBox.checked
    run_to_end(widget)
    own = shown_marks()
    assert own and not own & marks
    widget.ui.inputSelector.setCurrentNode(first)
    assert shown_marks() == marks and widget.ui.linesCheckBox.checked
    widget.ui.inputSelector.setCurrentNode(second)
    assert shown_marks() == own
    saved_and_opened(widget, tmp_path / "scene.mrb")
    assert widget.panel.review.nodes.ct.GetName() == "Head CT_1", "the exam that was on the screen"
    assert shown_marks() == own, "the scene keeps what was put aside"
