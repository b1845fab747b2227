"""A scene that is saved and opened again brings the whole review back; what is damaged is told."""

from __future__ import annotations

import numpy as np
import qt
import slicer

import made_exams
from NeuroTriageLib.outputs.scene_file import write_scene
from NeuroTriagePanel.review_node import review_nodes
from panel_on_host import edit_and_reject, panel, reviewed, saved_and_opened, select, settle, table_texts

GRID = made_exams.GRIDS["tilted"]


def test_table_mask_decisions_lines_and_heatmaps_come_back(tmp_path):
    widget = reviewed("weighed")
    edit_and_reject(widget)
    volumes, rows = widget.panel.review.volumes_ml(), table_texts(widget.ui.findingsTable)
    label = widget.panel.review.label_kji
    spent = widget.panel.review.seconds_spent
    review = saved_and_opened(widget, tmp_path / "scene.mrb")
    assert np.array_equal(review.label_kji, label) and review.is_edited
    assert all(abs(review.volumes_ml()[code] - ml) < 1e-6 for code, ml in volumes.items())
    assert table_texts(widget.ui.findingsTable) == rows
    assert review.state.decisions["SDH"] == "reject" and review.state.hand_edited
    assert review.seconds_spent >= round(spent) - 1
    assert widget.ui.heatmapSelector.count == 5 and len(review.nodes.regions) == 2
    assert "From the scene: Hemorrhage found: intraparenchymal." in widget.ui.statusLabel.text
    select(widget, "SDH")
    assert "The systems disagree." in widget.ui.opinionsLabel.text


def test_lines_that_were_measured_after_the_run_come_back_once(tmp_path):
    widget = reviewed()
    before = sorted(node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLMarkupsLineNode"))
    assert len(before) == 6  # three of the model's answer, three of the panel's own measurement
    saved_and_opened(widget, tmp_path / "scene.mrb")
    assert sorted(node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLMarkupsLineNode")) == before


def test_thresholds_still_move_after_the_scene_was_opened_again(tmp_path):
    widget = reviewed()
    widget.ui.pixelSlider.value = 25
    review = saved_and_opened(widget, tmp_path / "scene.mrb")
    assert review.state.pixel_threshold == 0.25 and widget.ui.pixelSlider.value == 25
    widget.ui.resetThresholdsButton.click()
    assert abs(review.volumes_ml()["IPH"] - made_exams.true_ml(GRID, made_exams.IPH_BOX)) < 1e-6


def test_the_scene_of_the_command_line_opens_as_a_review(tmp_path):
    panel(grid_name="")
    for name in ("tilted", "tilted, uneven, flipped"):
        write_scene(made_exams.weighed_exam(made_exams.GRIDS[name]), tmp_path / f"{name}.mrb")
        slicer.mrmlScene.Clear(False)
        assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / f"{name}.mrb"), True)
        widget = panel(grid_name="")
        settle(widget)
        review = widget.panel.review
        expected = made_exams.true_ml(made_exams.GRIDS[name], made_exams.IPH_BOX)
        assert abs(review.volumes_ml()["IPH"] - expected) < 1e-3, name
        first = review.findings()[1]
        assert first.code == "IPH" and review.label_kji[first.key_slice].any()
        widget.panel.review.move_pixel_threshold(0.25)
        halo = made_exams.true_ml(made_exams.GRIDS[name], made_exams.HALO_BOX)
        assert abs(review.volumes_ml()["IPH"] - halo) < 1e-3, name


def test_a_damaged_review_is_told_and_the_scene_stays_usable(tmp_path):
    widget = reviewed()
    slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    review_nodes()[0].SetText("bm90aGluZw==")
    widget.panel.show_review(None)
    widget.panel.look_again()
    assert widget.panel.review is None and "damaged" in widget.ui.statusLabel.text
    assert widget.ui.runButton.enabled


def test_a_review_whose_ct_was_removed_does_not_come_back():
    widget = reviewed()
    slicer.mrmlScene.RemoveNode(widget.panel.review.nodes.ct)
    qt.QApplication.processEvents()
    widget.panel.look_again()
    assert widget.panel.review is None or slicer.mrmlScene.IsNodePresent(widget.panel.review.nodes.ct)


def test_two_exams_in_one_scene_keep_their_own_reviews():
    widget = reviewed(grid_name="regular")
    first, first_ct = widget.panel.review, widget.panel.review.nodes.ct
    first.decide("SDH", "reject")
    from NeuroTriagePanel.result_nodes import add_ct_node

    other = add_ct_node(made_exams.volume(made_exams.GRIDS["tilted"]), "Other CT")
    widget.ui.inputSelector.setCurrentNode(other)
    assert widget.panel.review is None and not widget.ui.findingsSection.visible
    widget.ui.inputSelector.setCurrentNode(first_ct)
    assert widget.panel.review.state.decisions == {"SDH": "reject"}
