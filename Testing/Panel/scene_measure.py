"""Measurements follow the mask and the lines; a prior exam is compared only when it is the same patient's."""

from __future__ import annotations

import numpy as np
import slicer

import made_exams
from NeuroTriageLib.review.labels import SEGMENT_VALUES
from NeuroTriagePanel.abc2_lines import AXIS_ATTRIBUTE, CODE_ATTRIBUTE, MOVED_ATTRIBUTE
from NeuroTriagePanel.scene_bridge import show_exam
from NeuroTriagePanel.subject_tree import Subject
from panel_on_host import reviewed, select, settle, table_texts
from strokes import stroke

GRID = made_exams.GRIDS["tilted"]


def line(widget, code: str, axis: str):
    nodes = widget.panel.review.nodes.lines
    return next(n for n in nodes if n.GetAttribute(CODE_ATTRIBUTE) == code and n.GetAttribute(AXIS_ATTRIBUTE) == axis)


def test_the_table_has_ml_beside_abc2_and_how_far_it_is_off():
    widget = reviewed()
    rows = {row[0]: row[1:] for row in table_texts(widget.ui.measureTable)}
    assert rows["Any hemorrhage"][0] == "1.3" and rows["Any hemorrhage"][5] == ""
    ml = made_exams.true_ml(GRID, made_exams.IPH_BOX)
    abc2 = widget.panel.measure.measured["IPH"].abc2
    # A x B x C / 2 of a box of 14 x 4 x 15 mm, its diagonal measured from pixel centre to pixel centre.
    assert rows["Intraparenchymal"][1:4] == ["15", "4", "15"]
    assert abs(abc2.percent_off - 100 * (abc2.volume_ml - ml) / ml) < 1e-6
    assert rows["Intraparenchymal"][5] == f"{abc2.percent_off:+.0f} %"


def test_a_line_that_the_reader_drags_wins_by_its_length():
    widget = reviewed()
    before = widget.panel.measure.measured["IPH"].abc2
    node = line(widget, "IPH", "A")
    ends = np.zeros((2, 3))
    for number in range(2):
        node.GetNthControlPointPositionWorld(number, ends[number])
    stretched = ends[0] + (ends[1] - ends[0]) * 2
    node.SetNthControlPointPositionWorld(1, *stretched)
    settle(widget)
    after = widget.panel.measure.measured["IPH"].abc2
    assert after.edited == {"A"} and abs(after.a_mm - 2 * before.a_mm) < 1e-6
    assert abs(after.volume_ml - 2 * before.volume_ml) < 1e-6
    assert table_texts(widget.ui.measureTable)[1][2] == f"{after.a_mm:.0f}*"
    labels = {node.GetNthControlPointLabel(number) for number in range(2)}
    assert f"A {after.a_mm:.0f} mm" in labels
    widget.ui.proposeButton.click()
    assert abs(widget.panel.measure.measured["IPH"].abc2.a_mm - before.a_mm) < 1e-6


def test_lines_that_nobody_moved_follow_the_edited_mask():
    widget = reviewed()
    c_before = widget.panel.measure.measured["IPH"].abc2.c_mm
    select(widget, "IPH")
    widget.ui.editButton.click()
    brush = np.zeros(made_exams.SHAPE_KJI, bool)
    brush[6, 10:30, 12:20] = True  # one more slice of the same area
    stroke(widget.ui.segmentEditor, brush)
    settle(widget)
    c_after = widget.panel.measure.measured["IPH"].abc2.c_mm
    assert abs(c_after - c_before - GRID.slice_extents_mm[6]) < 1e-6
    assert abs(line(widget, "IPH", "C").GetLineLengthWorld() - c_after) < 1e-3


def test_a_line_that_was_removed_is_proposed_again_and_the_others_stay():
    widget = reviewed()
    kept, removed = line(widget, "IPH", "A"), line(widget, "IPH", "C")
    slicer.mrmlScene.RemoveNode(removed)
    widget.panel.measure.measure()
    here = [n for n in widget.panel.review.nodes.lines if slicer.mrmlScene.IsNodePresent(n)]
    axes = [n.GetAttribute(AXIS_ATTRIBUTE) for n in here if n.GetAttribute(CODE_ATTRIBUTE) == "IPH"]
    assert sorted(axes) == ["A", "B", "C"] and kept in here and removed not in here


def test_a_type_that_the_reader_draws_gets_its_lines_and_one_that_is_gone_hides_them():
    widget = reviewed()
    select(widget, "EDH")
    widget.panel.edit.start("EDH")
    brush = np.zeros(made_exams.SHAPE_KJI, bool)
    brush[9:11, 20:40, 5:12] = True
    stroke(widget.ui.segmentEditor, brush)
    settle(widget)
    assert line(widget, "EDH", "A").GetDisplayVisibility() and widget.panel.measure.measured["EDH"].abc2 is not None
    select(widget, "SDH")
    widget.ui.rejectButton.click()
    settle(widget)
    assert not line(widget, "SDH", "A").GetDisplayVisibility()


def test_more_than_30_ml_is_flagged():
    widget = reviewed()
    assert not widget.ui.measureLabel.visible
    widget.panel.edit.start("IPH")
    stroke(widget.ui.segmentEditor, np.ones(made_exams.SHAPE_KJI, bool))
    settle(widget)
    everything = made_exams.true_ml(GRID, (slice(0, 12), slice(0, 64), slice(0, 48)))
    assert everything > 30 and "Above 30 mL: intraparenchymal." in widget.ui.measureLabel.text


def test_types_that_are_above_30_ml_only_together_are_flagged_as_such():
    widget = reviewed(grid_name="regular")
    review = widget.panel.review
    half = np.ones(made_exams.SHAPE_KJI, np.uint8)
    half[:, 32:] = SEGMENT_VALUES["SDH"]
    half[:, :, 44:] = 0  # 22 mm of 24: 29.6 mL in each half
    review.show_label(half, hand_edited=True, based_on=0)
    settle(widget)
    volumes = review.volumes_ml()
    assert max(volumes["IPH"], volumes["SDH"]) < 30 < volumes["any"]
    assert widget.ui.measureLabel.text == "Above 30 mL: hemorrhage in all."


def test_a_prior_of_the_same_patient_gives_the_change_and_whether_it_expanded():
    widget = reviewed(grid_name="regular")
    grid = made_exams.GRIDS["regular"]
    earlier = show_exam(made_exams.exam(grid), subject=Subject(patient_name="Patient", study_name="Earlier"))
    widget.ui.priorSelector.setCurrentNode(earlier.segmentations[0])
    assert "same patient" in widget.ui.priorLabel.text.lower() or "patient" in widget.ui.priorLabel.text
    assert not widget.ui.priorTable.visible, "the scene does not say whose exams these are"
    widget.ui.samePatientCheckBox.checked = True
    assert widget.ui.priorTable.visible
    assert widget.ui.priorLabel.text == "No expansion.", (widget.ui.priorLabel.text, table_texts(widget.ui.priorTable))
    widget.panel.edit.start("IPH")
    brush = np.zeros(made_exams.SHAPE_KJI, bool)
    brush[2:8, 5:38, 5:30] = True
    stroke(widget.ui.segmentEditor, brush)
    settle(widget)
    rows = {row[0]: row[1:] for row in table_texts(widget.ui.priorTable)}
    union = brush.copy()
    union[made_exams.IPH_BOX] = True
    ml = float(union.sum(axis=(1, 2)) @ grid.voxel_volumes_ml)
    prior_ml = made_exams.true_ml(grid, made_exams.IPH_BOX)
    assert rows["Intraparenchymal"][2] == f"{ml - prior_ml:+.1f}" and rows["Intraparenchymal"][4] == "yes"
    assert "Expanded by more than 6 mL or 33 %" in widget.ui.priorLabel.text


def test_the_exam_itself_is_no_prior():
    widget = reviewed()
    widget.ui.priorSelector.setCurrentNode(widget.panel.review.nodes.segmentations[0])
    assert "this same exam" in widget.ui.priorLabel.text


def test_lines_are_let_go_of_when_the_exam_changes():
    widget = reviewed()
    node, measured = line(widget, "IPH", "A"), widget.panel.measure.measured
    widget.panel.show_review(None)
    node.SetNthControlPointPositionWorld(1, 0.0, 0.0, 0.0)
    assert node.GetAttribute(MOVED_ATTRIBUTE) == "false" and widget.panel.measure.measured is not measured
