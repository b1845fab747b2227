"""The table of findings: what a click, a decision, a box and a threshold do to the views, the mask and the mL."""

from __future__ import annotations

import numpy as np
import slicer

import made_exams
from panel_on_host import reviewed, run_to_end, select, settle, table_texts
from slicer_host.views import SliceView

HALO_ML = made_exams.true_ml(made_exams.GRIDS["tilted"], made_exams.HALO_BOX)
IPH_ML = made_exams.true_ml(made_exams.GRIDS["tilted"], made_exams.IPH_BOX)
SDH_ML = made_exams.true_ml(made_exams.GRIDS["tilted"], made_exams.SDH_BOX)


def row_of(widget, name: str) -> list[str]:
    return next(row for row in table_texts(widget.ui.findingsTable) if row[0] == name)


def test_the_table_is_sorted_by_urgency_and_says_what_was_not_detected_and_not_assessed():
    widget = reviewed()
    rows = table_texts(widget.ui.findingsTable)
    names = ["Any hemorrhage", "Intraparenchymal", "Subdural", "Epidural", "Intraventricular", "Subarachnoid"]
    assert [row[0] for row in rows] == names
    assert rows[1][2] == "0.8" and rows[1][4] == "5" and rows[4][2] == "–"
    assert widget.ui.findingsTable.item(3, 1).text() == "not assessed"
    select(widget, "EDH")
    assert "not assessed. The vertex is not in the image." in widget.ui.opinionsLabel.text


def test_a_click_on_a_finding_moves_the_views_to_its_key_slice():
    view = SliceView("Red", (120, 120))
    widget = reviewed(grid_name="regular")
    heights = {}
    for code, box in (("IPH", made_exams.IPH_BOX), ("SDH", made_exams.SDH_BOX)):
        select(widget, code)
        heights[code] = view.node.GetSliceOffset()
        key = box[0].start + (1 if code == "IPH" else 0)
        assert abs(heights[code] - made_exams.GRIDS["regular"].origins_lps_mm[key, 2]) < 1e-6
    assert heights["IPH"] != heights["SDH"]


def test_a_lower_voxel_threshold_takes_the_halo_in_at_once_and_the_models_comes_back():
    widget = reviewed()
    widget.ui.pixelSlider.value = 25
    assert abs(widget.panel.review.volumes_ml()["IPH"] - HALO_ML) < 1e-9
    assert row_of(widget, "Intraparenchymal")[2] == f"{HALO_ML:.1f}*"
    working = widget.panel.review.nodes.working
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(working, "IPH", widget.panel.review.nodes.ct)
    assert mask[made_exams.HALO_BOX].all() and mask.sum() == mask[made_exams.HALO_BOX].size
    widget.ui.resetThresholdsButton.click()
    assert abs(widget.panel.review.volumes_ml()["IPH"] - IPH_ML) < 1e-9
    assert row_of(widget, "Intraparenchymal")[2] == f"{IPH_ML:.1f}"


def test_an_operating_point_above_the_probability_makes_a_finding_not_detected():
    widget = reviewed()
    select(widget, "SDH")
    widget.ui.thresholdSlider.value = 90  # its probability is 0.81
    assert "SDH" not in widget.panel.review.volumes_ml()
    assert {item.code: item.status for item in widget.panel.review.findings()}["SDH"] == "not_found"
    assert row_of(widget, "Subdural")[2] == "–"
    widget.ui.thresholdSlider.value = 50
    assert abs(widget.panel.review.volumes_ml()["SDH"] - SDH_ML) < 1e-9


def test_a_rejected_finding_leaves_the_mask_and_comes_back_when_the_decision_is_taken_back():
    widget = reviewed()
    select(widget, "SDH")
    widget.ui.rejectButton.click()
    settle(widget)
    assert "SDH" not in widget.panel.review.volumes_ml() and row_of(widget, "Subdural")[5] == "✗"
    assert "SDH" not in widget.panel.measure.measured
    assert widget.ui.rejectButton.text == "Take back" and widget.ui.rejectButton.enabled
    widget.ui.rejectButton.click()
    assert abs(widget.panel.review.volumes_ml()["SDH"] - SDH_ML) < 1e-9
    assert not widget.panel.review.state.decisions and not widget.panel.review.is_edited


def test_accept_of_any_hemorrhage_accepts_every_type_that_was_found():
    widget = reviewed()
    select(widget, "any")
    widget.ui.acceptButton.click()
    assert widget.panel.review.state.decisions == {"any": "accept", "IPH": "accept", "SDH": "accept"}


def test_the_box_at_the_left_hides_and_shows_the_mask_of_its_finding():
    import qt

    widget = reviewed()
    display = widget.panel.review.mask.node.GetDisplayNode()
    item = widget.ui.findingsTable.item(1, 0)
    assert item.checkState() == qt.Qt.Checked
    item.setCheckState(qt.Qt.Unchecked)
    assert not display.GetSegmentVisibility("IPH") and display.GetSegmentVisibility("SDH")
    widget.ui.findingsTable.item(1, 0).setCheckState(qt.Qt.Checked)
    assert display.GetSegmentVisibility("IPH")


def test_disagreement_is_marked_as_doubt_and_every_systems_opinion_is_told():
    widget = reviewed("weighed")
    assert row_of(widget, "Subdural")[3] == "0.31 split"
    select(widget, "SDH")
    text = widget.ui.opinionsLabel.text
    assert "The systems disagree." in text
    assert all(name in text for name in ("kuo2019: found 0.81", "chang2018: not detected 0.31", "ye2019: found 0.81"))


def test_thresholds_rest_while_the_mask_is_edited_by_hand_so_that_no_stroke_is_lost():
    from strokes import stroke

    widget = reviewed()
    select(widget, "IPH")
    widget.ui.editButton.click()
    brush = np.zeros(made_exams.SHAPE_KJI, bool)
    brush[4, 30:40, 12:20] = True
    stroke(widget.ui.segmentEditor, brush)
    settle(widget)
    painted = widget.panel.review.volumes_ml()
    assert not widget.ui.thresholdWidget.enabled and "undo your strokes" in widget.ui.thresholdWidget.toolTip
    widget.panel.review.move_pixel_threshold(0.2)
    assert widget.panel.review.volumes_ml() == painted


def test_a_second_run_shows_its_own_findings():
    widget = reviewed()
    first = widget.panel.review
    first.decide("SDH", "reject")
    second = run_to_end(widget)
    assert second is not first and not second.state.decisions
    assert abs(second.volumes_ml()["SDH"] - SDH_ML) < 1e-9
