"""What is drawn: outline and fill, one heatmap of several, windows, 3D and the layout, a detector's boxes, keys."""

from __future__ import annotations

import numpy as np
import qt
import slicer

import made_exams
from NeuroTriagePanel.region_nodes import REGIONS_ATTRIBUTE, REJECTED, box_corners_lps
from NeuroTriagePanel.shortcuts import KEYS
from NeuroTriagePanel.volume_geometry import flip_lps_ras
from panel_on_host import reviewed, root_widget


def composite():
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", "Red")


def test_the_heatmap_is_off_until_one_is_chosen_and_as_opaque_as_asked():
    view = composite()
    widget = reviewed("weighed")
    selector = widget.ui.heatmapSelector
    assert view.GetForegroundVolumeID() is None and view.GetForegroundOpacity() == 0.0
    names = [selector.itemText(index).split(":")[0] for index in range(selector.count)]
    assert names == ["Off", "Consensus", "Kuo 2019", "Chang 2018", "Ye 2019"]
    selector.currentIndex = 4
    ye = slicer.mrmlScene.GetNodeByID(view.GetForegroundVolumeID())
    assert ye.GetAttribute("NeuroTriage.heatmap_of") == "ye2019"
    assert (slicer.util.arrayFromVolume(ye)[made_exams.IPH_BOX] == 50).all()
    widget.ui.heatmapSlider.value = 30
    assert abs(view.GetForegroundOpacity() - 0.3) < 1e-6
    selector.currentIndex = 0
    assert view.GetForegroundVolumeID() is None


def test_window_presets_set_window_and_level_of_the_ct():
    widget = reviewed()
    display = widget.panel.review.nodes.ct.GetDisplayNode()
    expected = {"brain": (80, 40), "subdural": (200, 75), "bone": (2800, 600), "stroke": (40, 40)}
    for name, window_level in expected.items():
        getattr(widget.ui, f"{name}Button").click()
        assert (display.GetWindow(), display.GetLevel()) == window_level


def test_outline_and_fill_follow_their_widgets_and_are_kept_in_the_scene():
    widget = reviewed()
    display = widget.panel.review.mask.node.GetDisplayNode()
    widget.ui.fillSlider.value = 0
    widget.ui.outlineCheckBox.checked = False
    assert not display.GetVisibility2DFill() and not display.GetVisibility2DOutline()
    widget.ui.fillSlider.value = 60
    assert display.GetVisibility2DFill() and abs(display.GetOpacity2DFill() - 0.6) < 1e-6
    assert widget._parameterNode.fillOpacity == 60.0 and widget._parameterNode.outlineShown is False


def test_3d_is_made_on_demand_and_the_users_layout_comes_back_on_leaving():
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(layout.SlicerLayoutOneUpRedSliceView)
    widget = reviewed()
    segmentation = widget.panel.review.mask.node.GetSegmentation()
    assert not segmentation.ContainsRepresentation("Closed surface")
    widget.ui.surfaceCheckBox.checked = True
    assert segmentation.ContainsRepresentation("Closed surface")
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpView
    widget.exit()
    assert layout.GetViewArrangement() == layout.SlicerLayoutOneUpRedSliceView
    widget.enter()


def test_a_layout_that_the_user_chose_meanwhile_is_not_taken_away():
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(layout.SlicerLayoutOneUpRedSliceView)
    widget = reviewed()
    widget.ui.surfaceCheckBox.checked = True
    layout.SetViewArrangement(layout.SlicerLayoutOneUp3DView)
    widget.ui.surfaceCheckBox.checked = False
    assert layout.GetViewArrangement() == layout.SlicerLayoutOneUp3DView


def test_boxes_lie_around_their_pixels_on_their_slice_and_rejected_ones_are_hidden_by_themselves():
    widget = reviewed("weighed", "tilted, uneven, flipped")
    review = widget.panel.review
    boxes = {node.GetAttribute(REGIONS_ATTRIBUTE): node for node in review.nodes.regions}
    assert set(boxes) == {"IPH", REJECTED}
    assert not any(node.GetDisplayNode().GetVisibility() for node in boxes.values())
    widget.ui.regionsCheckBox.checked = True
    assert boxes["IPH"].GetDisplayNode().GetVisibility() and not boxes[REJECTED].GetDisplayNode().GetVisibility()
    region = review.result.readings[2].regions[0]
    corners = box_corners_lps(region, review.result.grid)
    middle = review.result.grid.lps_to_voxel(corners.mean(0))
    k, j, i = 4, (region.box_ji[0] + region.box_ji[2]) / 2, (region.box_ji[1] + region.box_ji[3]) / 2
    assert np.abs(middle - (i, j, k)).max() < 1e-6
    points = slicer.util.arrayFromModelPoints(boxes["IPH"])
    assert np.allclose(points, flip_lps_ras(corners), atol=1e-3)


def test_the_keys_work_only_while_the_module_is_open_and_are_listed():
    widget = reviewed()
    shortcuts = widget.panel.shortcuts
    assert shortcuts.active
    assert all(key in widget.ui.shortcutsLabel.toolTip for key, _ in KEYS.values())
    widget.exit()
    assert not shortcuts.active
    widget.enter()
    assert shortcuts.active


def test_each_key_does_what_the_list_says():
    view = composite()
    widget = reviewed()
    keys = {shortcut.key.toString(): shortcut for shortcut in root_widget().findChildren(qt.QShortcut)}
    widget.panel.findings.table.select("any")
    keys["Shift+N"].activated.emit()
    assert widget.panel.findings.table.selected_code == "IPH"
    keys["Shift+A"].activated.emit()
    assert widget.panel.review.state.decisions == {"IPH": "accept"}
    keys["Shift+H"].activated.emit()
    assert view.GetForegroundVolumeID() is not None
    keys["Shift+M"].activated.emit()
    assert not widget.panel.review.mask.node.GetDisplayNode().GetVisibility()
    keys["Shift+W"].activated.emit()
    assert widget.panel.review.nodes.ct.GetDisplayNode().GetWindow() == 200
    keys["Shift+P"].activated.emit()
    assert widget.panel.findings.table.selected_code == "any"
