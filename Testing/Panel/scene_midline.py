"""Midline shift: three clicks of the reader, live figures, kept with versions and scenes, compared with a prior."""

from __future__ import annotations

import numpy as np
import qt
import slicer
import vtk

import made_exams
from NeuroTriageLib.core.midline import MidlinePoints
from NeuroTriageLib.review.dictation import dictation_text
from NeuroTriagePanel.exam_store import present_exam
from NeuroTriagePanel.midline_nodes import part
from NeuroTriagePanel.result_nodes import add_ct_node
from NeuroTriagePanel.volume_geometry import flip_lps_ras, grid_of_volume
from panel_on_host import panel, reviewed, root_widget, run_to_end, saved_and_opened, settle

NOT_MEASURED = "Midline shift: not measured."


def midline(on, shift_mm: float, k: int = 5) -> MidlinePoints:
    """Points on slice k of an exam's grid, 60 mm from front to back, with the septum shift_mm to the patient's left."""
    forth = on.direction_j if on.direction_j[1] > 0 else -on.direction_j
    left = on.direction_i if on.direction_i[0] > 0 else -on.direction_i
    middle = on.voxel_to_lps(np.array([24, 32, k]))
    points = (middle - 30 * forth, middle + 30 * forth, middle - 5 * forth + shift_mm * left)
    return MidlinePoints(*(tuple(point.tolist()) for point in points))


def points_node(widget):
    return part(widget.panel.review.nodes.midline, "points")


def click(node, number: int, point_lps_mm) -> None:
    """What a click in Slicer's place mode does to the next point."""
    node.SetNthControlPointPositionWorld(number, *flip_lps_ras(point_lps_mm))
    qt.QApplication.processEvents()


def place(widget, shift_mm: float, k: int = 5) -> MidlinePoints:
    """Press the button and click three times."""
    points = midline(widget.panel.review.result.grid, shift_mm, k)
    widget.ui.midlinePlaceButton.click()
    for number, point in enumerate((points.anterior_lps_mm, points.posterior_lps_mm, points.septum_lps_mm)):
        click(points_node(widget), number, point)
    return points


def mode():
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    return interaction.GetInteractionModeAsString(interaction.GetCurrentInteractionMode())


def text(widget) -> str:
    return widget.ui.midlineLabel.text


def dictated(widget) -> str:
    return dictation_text(present_exam(widget.panel.review, widget.panel.store))


def test_without_points_there_is_no_number_anywhere():
    widget = reviewed()
    assert text(widget) == NOT_MEASURED and widget.panel.review.midline_shift() is None
    assert widget.panel.review.nodes.midline == () and NOT_MEASURED in dictated(widget)
    assert widget.ui.midlinePlaceButton.visible and not widget.ui.midlineRemoveButton.visible


def test_three_clicks_give_the_millimetres_the_side_and_the_lines():
    widget = reviewed()
    points = midline(widget.panel.review.result.grid, 6.2)
    widget.ui.midlinePlaceButton.click()
    assert mode() == "Place" and "falx, front" in text(widget)
    selected = slicer.app.applicationLogic().GetSelectionNode().GetActivePlaceNodeID()
    assert selected == points_node(widget).GetID()
    click(points_node(widget), 0, points.anterior_lps_mm)
    assert "falx, back" in text(widget)
    click(points_node(widget), 1, points.posterior_lps_mm)
    assert "septum" in text(widget) and widget.panel.review.midline_shift() is None
    click(points_node(widget), 2, points.septum_lps_mm)
    assert text(widget) == "Midline shift: 6.2 mm to the left (placed by the reader), above 5 mm."
    assert mode() == "ViewTransform", "the mouse is the reader's own again"
    shift = part(widget.panel.review.nodes.midline, "shift")
    assert abs(shift.GetLineLengthWorld() - 6.2) < 1e-6 and shift.GetLocked() and shift.GetDisplayVisibility()
    assert abs(part(widget.panel.review.nodes.midline, "ideal midline").GetLineLengthWorld() - 60) < 1e-6
    assert points_node(widget).GetNthControlPointLabel(2) == "6.2 mm to the left"
    assert text(widget).removesuffix(".") in dictated(widget)


def test_the_shift_is_right_on_every_grid_and_under_a_parent_transform():
    for name in made_exams.GRIDS:
        widget = reviewed(grid_name=name)
        place(widget, -4.4)
        assert text(widget) == "Midline shift: 4.4 mm to the right (placed by the reader).", name
        assert widget.panel.review.midline_shift().key_slice == 5, name
        slicer.mrmlScene.Clear(False)
    widget = panel(grid_name="")
    node = add_ct_node(made_exams.volume(made_exams.GRIDS["regular"]))
    turned = vtk.vtkTransform()
    turned.RotateX(12)
    turned.RotateZ(-8)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetMatrixTransformToParent(turned.GetMatrix())
    node.SetAndObserveTransformNodeID(transform.GetID())
    widget.ui.inputSelector.setCurrentNode(node)
    assert run_to_end(widget) is not None
    place(widget, 3.3)
    assert widget.panel.review.result.grid.same_as(grid_of_volume(node))
    assert "3.3 mm to the left" in text(widget) and widget.panel.review.midline_shift().key_slice == 5


def test_a_point_that_is_dragged_moves_the_figure_at_once():
    widget = reviewed()
    place(widget, 4.0)
    grid = widget.panel.review.result.grid
    node = points_node(widget)
    node.SetNthControlPointPositionWorld(2, *flip_lps_ras(midline(grid, -7.0).septum_lps_mm))
    assert text(widget) == "Midline shift: 7.0 mm to the right (placed by the reader), above 5 mm."
    assert abs(part(widget.panel.review.nodes.midline, "shift").GetLineLengthWorld() - 7.0) < 1e-6
    assert "7.0 mm to the right" in dictated(widget)


def test_undo_brings_the_point_and_the_figure_back():
    widget = reviewed()
    slicer.mrmlScene.SetUndoOn()
    place(widget, 4.0)
    slicer.mrmlScene.SaveStateForUndo()
    septum = midline(widget.panel.review.result.grid, 9.0).septum_lps_mm
    points_node(widget).SetNthControlPointPositionWorld(2, *flip_lps_ras(septum))
    assert "9.0 mm" in text(widget)
    slicer.mrmlScene.Undo()
    qt.QApplication.processEvents()
    slicer.mrmlScene.SetUndoOff()
    assert "4.0 mm to the left" in text(widget)


def test_points_that_are_no_midline_give_the_reason_and_no_number():
    widget = reviewed()
    points = place(widget, 4.0)
    click(points_node(widget), 1, points.septum_lps_mm)
    assert "cannot be measured" in text(widget) and "mm to the" not in text(widget)
    assert not part(widget.panel.review.nodes.midline, "shift").GetDisplayVisibility()
    assert NOT_MEASURED in dictated(widget)


def test_removed_points_leave_nothing_behind():
    widget = reviewed()
    place(widget, 4.0)
    widget.ui.midlineRemoveButton.click()
    assert text(widget) == NOT_MEASURED and widget.panel.review.state.midline is None
    assert not part(widget.panel.review.nodes.midline, "shift").GetDisplayVisibility()
    place(widget, 2.0)
    assert "2.0 mm to the left" in text(widget)


def test_a_saved_version_keeps_points_and_millimetres_and_brings_them_back(tmp_path):
    widget = reviewed()
    widget.ui.storePath.currentPath = str(tmp_path / "reviews")
    points = place(widget, 5.5)
    widget.ui.readerEdit.text = "AB"
    widget.ui.approveButton.click()
    store, review = widget.panel.store, widget.panel.review
    kept = store.versions(review)[-1]
    assert abs(kept.midline.shift_mm - 5.5) < 1e-9 and kept.midline.side == "left"
    assert np.allclose(kept.entry.midline.septum_lps_mm, points.septum_lps_mm)
    widget.ui.midlineRemoveButton.click()
    assert review.saved_version is None, "a change since belongs to the next version"
    store.take_over(review, kept)
    assert "5.5 mm to the left" in text(widget)
    assert np.allclose(review.state.midline.septum_lps_mm, points.septum_lps_mm)
    store.take_over(review, store.save(review, "draft"))
    assert "5.5 mm to the left" in text(widget)


def test_an_approved_shift_is_in_the_page_and_an_unsaved_one_in_no_archive(tmp_path):
    from NeuroTriageLib.outputs.report import render_report

    widget = reviewed()
    place(widget, 6.4)
    page = render_report(present_exam(widget.panel.review, widget.panel.store))
    assert "6.4 mm to the left (placed by the reader), above 5 mm" in page and "M the ideal midline" in page
    widget.panel.report.export_dicom(str(tmp_path / "objects"), [])
    assert "not saved yet" in widget.ui.reportLabel.text


def test_the_scene_brings_points_lines_and_figure_back(tmp_path):
    widget = reviewed()
    place(widget, 6.2)
    before = sorted(node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLMarkupsNode"))
    review = saved_and_opened(widget, tmp_path / "scene.mrb")
    assert text(widget) == "Midline shift: 6.2 mm to the left (placed by the reader), above 5 mm."
    assert sorted(node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLMarkupsNode")) == before
    septum = midline(review.result.grid, -2.0).septum_lps_mm
    points_node(widget).SetNthControlPointPositionWorld(2, *flip_lps_ras(septum))
    assert "2.0 mm to the right" in text(widget)


def test_a_prior_tells_the_change_in_millimetres():
    widget = reviewed(grid_name="regular")
    place(widget, 3.0)
    earlier = widget.panel.review
    widget.ui.inputSelector.setCurrentNode(add_ct_node(made_exams.volume(made_exams.GRIDS["regular"])))
    run_to_end(widget)
    assert text(widget) == NOT_MEASURED
    widget.ui.priorSelector.setCurrentNode(earlier.nodes.segmentations[0])
    widget.ui.samePatientCheckBox.checked = True
    assert "Midline shift was not measured in this exam." in widget.ui.priorLabel.text
    place(widget, 7.5)
    settle(widget)
    assert "Midline shift 7.5 mm to the left, was 3.0 mm to the left (+4.5 mm)." in widget.ui.priorLabel.text
    septum = midline(made_exams.GRIDS["regular"], -2.0).septum_lps_mm
    points_node(widget).SetNthControlPointPositionWorld(2, *flip_lps_ras(septum))
    settle(widget)
    assert "2.0 mm to the right, was 3.0 mm to the left (5.0 mm to the other side)" in widget.ui.priorLabel.text


def test_leaving_the_module_or_the_exam_ends_placing():
    widget = reviewed()
    widget.ui.midlinePlaceButton.click()
    widget.panel.leave()
    assert mode() == "ViewTransform"
    widget.panel.enter()
    widget.ui.midlinePlaceButton.click()
    node = points_node(widget)
    widget.panel.show_review(None)
    assert mode() == "ViewTransform"
    click(node, 0, (0, 0, 0))
    assert widget.panel.review is None and root_widget() is not None


def test_a_reader_who_leaves_place_mode_can_go_on_later():
    widget = reviewed()
    widget.ui.midlinePlaceButton.click()
    click(points_node(widget), 0, midline(widget.panel.review.result.grid, 0.0).anterior_lps_mm)
    assert not widget.ui.midlinePlaceButton.enabled
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
    assert widget.ui.midlinePlaceButton.enabled and text(widget) == NOT_MEASURED
    widget.ui.midlinePlaceButton.click()
    assert "falx, back" in text(widget)
    widget.panel.midline.stop_placing()


def test_an_exam_that_nobody_could_read_can_be_measured_too():
    widget = panel("unfamiliar")
    run_to_end(widget)
    assert widget.panel.review is not None and not widget.panel.review.draws_masks
    assert widget.ui.measureSection.visible and not widget.ui.measureTable.visible
    place(widget, 5.1)
    assert "5.1 mm to the left" in text(widget)


def test_points_whose_node_was_deleted_elsewhere_come_back():
    widget = reviewed()
    points = place(widget, 4.0)
    slicer.mrmlScene.RemoveNode(points_node(widget))
    widget.panel.midline.place()
    septum = np.zeros(3)
    points_node(widget).GetNthControlPointPositionWorld(2, septum)
    assert np.allclose(flip_lps_ras(septum), points.septum_lps_mm) and "4.0 mm to the left" in text(widget)
    assert len(slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")) == 1


def test_points_whose_node_was_deleted_elsewhere_can_be_removed_for_good():
    widget = reviewed()
    place(widget, 4.0)
    slicer.mrmlScene.RemoveNode(points_node(widget))
    widget.ui.midlineRemoveButton.click()
    assert text(widget) == NOT_MEASURED and widget.panel.review.state.midline is None
    assert not part(widget.panel.review.nodes.midline, "shift").GetDisplayVisibility()
    place(widget, 2.0)
    assert "2.0 mm to the left" in text(widget)
