"""Editing: Slicer's own editor on the reader's version, the model's mask locked, undo and masking as usual."""

from __future__ import annotations

import numpy as np
import slicer

import made_exams
from panel_on_host import reviewed, select, settle
from strokes import stroke

GRID = made_exams.GRIDS["tilted"]
BRUSH = (slice(4, 5), slice(30, 40), slice(12, 20))
BRUSH_ML = made_exams.true_ml(GRID, BRUSH)
IPH_ML = made_exams.true_ml(GRID, made_exams.IPH_BOX)
SDH_ML = made_exams.true_ml(GRID, made_exams.SDH_BOX)


def brush(box=BRUSH) -> np.ndarray:
    mask = np.zeros(made_exams.SHAPE_KJI, bool)
    mask[box] = True
    return mask


def editing(code: str = "IPH"):
    widget = reviewed()
    select(widget, code)
    widget.ui.editButton.click()
    return widget


def test_edit_binds_the_editor_to_a_version_of_the_readers_own():
    widget = editing()
    editor, review = widget.ui.segmentEditor, widget.panel.review
    assert editor.segmentationNode() is review.nodes.working is not review.nodes.segmentations[0]
    assert editor.sourceVolumeNode() is review.nodes.ct and editor.currentSegmentID() == "IPH"
    assert not editor.segmentationNodeSelectorVisible and not editor.sourceVolumeNodeSelectorVisible
    assert not review.nodes.segmentations[0].GetDisplayVisibility()
    ids = [review.nodes.working.GetSegmentation().GetNthSegmentID(n) for n in range(5)]
    assert ids == ["IPH", "IVH", "SDH", "EDH", "SAH"], "every type can be painted"


def test_paint_and_erase_change_the_millilitres_and_undo_brings_them_back():
    widget = editing()
    review = widget.panel.review
    stroke(widget.ui.segmentEditor, brush())
    settle(widget)
    assert abs(review.volumes_ml()["IPH"] - IPH_ML - BRUSH_ML) < 1e-9 and review.is_edited
    stroke(widget.ui.segmentEditor, brush((slice(3, 4), *made_exams.IPH_BOX[1:])), erase=True)
    settle(widget)
    erased = made_exams.true_ml(GRID, (slice(3, 4), *made_exams.IPH_BOX[1:]))
    assert abs(review.volumes_ml()["IPH"] - IPH_ML - BRUSH_ML + erased) < 1e-9
    for _ in range(2):
        widget.ui.undoButton.click()
    settle(widget)
    assert abs(review.volumes_ml()["IPH"] - IPH_ML) < 1e-9 and not review.is_edited
    assert not review.state.hand_edited, "nothing is lost if thresholds draw again"
    widget.ui.redoButton.click()
    settle(widget)
    assert abs(review.volumes_ml()["IPH"] - IPH_ML - BRUSH_ML) < 1e-9


def test_painting_over_another_type_takes_its_voxels_unless_masking_forbids_it():
    widget = editing()
    node = widget.ui.segmentEditor.mrmlSegmentEditorNode()
    node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
    stroke(widget.ui.segmentEditor, brush(made_exams.SDH_BOX))
    settle(widget)
    assert abs(widget.panel.review.volumes_ml()["SDH"] - SDH_ML) < 1e-9, "the mask setting protects it"
    node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
    stroke(widget.ui.segmentEditor, brush(made_exams.SDH_BOX))
    settle(widget)
    volumes = widget.panel.review.volumes_ml()
    assert "SDH" not in volumes and abs(volumes["IPH"] - IPH_ML - SDH_ML) < 1e-9


def test_the_models_mask_stays_whatever_changes_it():
    widget = editing()
    review = widget.panel.review
    model = review.nodes.segmentations[0]
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        np.zeros(made_exams.SHAPE_KJI, np.uint8), model, "IPH", review.nodes.ct
    )
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(model, "IPH", review.nodes.ct)
    assert mask[made_exams.IPH_BOX].all()
    model.GetSegmentation().RemoveSegment("SDH")
    assert model.GetSegmentation().GetSegment("SDH") is not None
    assert (review.model_label[made_exams.SDH_BOX] == 3).all()


def test_a_type_that_the_model_did_not_find_can_be_drawn_and_is_found_then():
    widget = editing("SAH")
    assert widget.ui.segmentEditor.currentSegmentID() == "SAH"
    stroke(widget.ui.segmentEditor, brush())
    settle(widget)
    found = {item.code: item for item in widget.panel.review.findings()}["SAH"]
    assert found.status == "found" and found.key_slice == 4
    box_outside_iph = np.count_nonzero(brush())
    assert abs(found.volume_ml - box_outside_iph * BRUSH_ML / brush().sum()) < 1e-9


def test_a_segment_of_the_readers_own_naming_is_said_to_be_left_out():
    widget = editing()
    widget.panel.review.nodes.working.GetSegmentation().AddEmptySegment("", "Old infarct")
    settle(widget)
    assert "Old infarct: not one of the types" in widget.ui.editLabel.text


def test_back_to_the_models_mask_can_be_undone():
    widget = editing()
    stroke(widget.ui.segmentEditor, brush())
    settle(widget)
    widget.ui.discardEditButton.click()
    settle(widget)
    assert not widget.panel.review.is_edited and widget.panel.review.can_move_thresholds
    widget.ui.undoButton.click()
    settle(widget)
    assert abs(widget.panel.review.volumes_ml()["IPH"] - IPH_ML - BRUSH_ML) < 1e-9


def test_the_segment_editors_own_settings_stay_the_users():
    users = slicer.vtkMRMLSegmentEditorNode()
    users.SetSingletonTag("SegmentEditor")  # the tag of the Segment Editor module
    users = slicer.mrmlScene.AddNode(users)
    users.SetOverwriteMode(users.OverwriteNone)
    widget = editing()
    own = widget.ui.segmentEditor.mrmlSegmentEditorNode()
    assert own is not users and own.GetSegmentationNode() is widget.panel.review.nodes.working
    assert users.GetSegmentationNode() is None and users.GetOverwriteMode() == users.OverwriteNone


def test_leaving_the_module_lets_go_of_the_editor_and_keeps_the_edits():
    widget = editing()
    stroke(widget.ui.segmentEditor, brush())
    widget.exit()
    assert widget.ui.segmentEditor.segmentationNode() is None
    widget.enter()
    settle(widget)
    assert abs(widget.panel.review.volumes_ml()["IPH"] - IPH_ML - BRUSH_ML) < 1e-9


def test_the_models_mask_can_be_seen_beside_the_readers():
    widget = editing()
    model = widget.panel.review.nodes.segmentations[0].GetDisplayNode()
    widget.ui.modelMaskCheckBox.checked = True
    assert model.GetVisibility() and not model.GetVisibility2DFill()
    widget.ui.modelMaskCheckBox.checked = False
    assert not model.GetVisibility()
