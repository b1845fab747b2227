"""The real panel on the test host with a worker that speaks the protocol: run, cancel, crash, what the user sees."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

import qt
import slicer

import made_exams
from NeuroTriagePanel.result_nodes import add_ct_node
from NeuroTriagePanel.worker_client import WorkerCommand
from slicer_host.application import load_module

ROOT = Path(__file__).resolve().parents[2]
_loaded = {}


def panel(mode: str = "good", grid_name: str = "tilted"):
    """The module's widget with a CT in the scene and a fake worker of this mode."""
    if not _loaded:
        _loaded["widget"], _loaded["panel"] = load_module(ROOT / "NeuroTriage" / "NeuroTriage.py")
    widget = _loaded["widget"]
    client = widget.panel._worker
    client.stop()
    client.command = WorkerCommand(sys.executable, (str(ROOT / "Testing/Panel/fake_worker.py"), mode), str(ROOT))
    if grid_name:
        grid = made_exams.GRIDS[grid_name]
        add_ct_node(made_exams.volume(grid))
    _loaded["panel"].show()
    qt.QApplication.processEvents()
    return widget


def wait_until(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        qt.QApplication.processEvents()
        time.sleep(0.002)


def run_to_end(widget) -> None:
    widget.ui.runButton.click()
    wait_until(lambda: not widget.panel.state.busy)


def count(class_name: str) -> int:
    return slicer.mrmlScene.GetNumberOfNodesByClass(class_name)


def node_names() -> list[str]:
    """Every node but the subject hierarchy's own, which comes into being when it is first asked for."""
    scene = slicer.mrmlScene
    nodes = (scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes()))
    return [node.GetName() for node in nodes if not node.IsA("vtkMRMLSubjectHierarchyNode")]


def test_run_is_possible_once_a_volume_is_there():
    widget = panel(grid_name="")
    assert not widget.ui.runButton.enabled and widget.ui.runButton.toolTip
    add_ct_node(made_exams.volume(made_exams.GRIDS["regular"]))
    qt.QApplication.processEvents()
    assert widget.ui.inputSelector.currentNode() is not None
    assert widget._parameterNode.inputVolume is widget.ui.inputSelector.currentNode()
    assert widget.ui.runButton.enabled and widget.ui.runButton.text == "Run"


def test_a_run_fills_scene_and_table():
    widget = panel()
    run_to_end(widget)
    table = widget.ui.findingsTable
    names = [table.item(row, 0).text() for row in range(table.rowCount)]
    assert names == ["Any", "Intraparenchymal", "Intraventricular", "Subdural", "Epidural", "Subarachnoid"]
    assert [table.item(1, column).text() for column in range(1, 6)] == ["0.95", "0.50", "0.8", "Found", "5"]
    assert [table.item(4, column).text() for column in range(1, 6)] == ["–", "–", "–", "Not assessed", "–"]
    assert widget.ui.findingsWidget.visible and not widget.ui.progressWidget.visible
    assert "Hemorrhage found: intraparenchymal, subdural." in widget.ui.statusLabel.text
    assert "tilted by 15.0" in widget.ui.qualityLabel.text
    assert count("vtkMRMLSegmentationNode") == 1 and count("vtkMRMLTableNode") == 1
    assert count("vtkMRMLMarkupsLineNode") == 2 and count("vtkMRMLScalarVolumeNode") == 2


def test_the_results_lie_on_the_volume_that_was_chosen():
    widget = panel(grid_name="tilted, uneven, flipped")
    node = widget._parameterNode.inputVolume
    run_to_end(widget)
    segmentation = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    assert segmentation.GetParentTransformNode() is node.GetParentTransformNode()
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "IPH", node)
    assert mask[made_exams.IPH_BOX].all()


def test_progress_and_time_are_shown_while_it_runs_and_the_choices_are_locked():
    widget = panel("deaf")
    widget.ui.runButton.click()
    wait_until(lambda: widget.ui.progressBar.value > 40)
    ui = widget.ui
    assert ui.progressWidget.visible and ui.stageLabel.text == "Looking for blood" and "s left" in ui.timeLabel.text
    assert ui.runButton.text == "Cancel" and ui.runButton.enabled
    assert not ui.inputSelector.enabled and not ui.deviceSelector.enabled
    widget.panel.forget_scene()


def test_the_interface_answers_while_the_worker_works():
    widget = panel("deaf")
    started = time.monotonic()
    widget.ui.runButton.click()
    assert time.monotonic() - started < 0.5
    wait_until(lambda: widget.ui.progressBar.value > 40)
    ticks = []
    timer = qt.QTimer()
    timer.setInterval(10)
    timer.connect("timeout()", lambda: ticks.append(time.monotonic()))
    timer.start()
    wait_until(lambda: len(ticks) > 20, 5)
    assert max(later - earlier for earlier, later in itertools.pairwise(ticks)) < 0.2
    timer.stop()
    widget.panel.forget_scene()


def test_cancel_leaves_the_scene_as_it_was_and_the_worker_warm():
    widget = panel("slow")
    before = node_names()
    widget.ui.runButton.click()
    wait_until(lambda: widget.ui.progressBar.value > 40)
    widget.ui.runButton.click()
    assert widget.ui.stageLabel.text == "Cancelling" and not widget.ui.runButton.enabled
    wait_until(lambda: not widget.panel.state.busy)
    assert widget.ui.statusLabel.text == "Cancelled." and widget.ui.runButton.text == "Run"
    assert node_names() == before and widget.panel._worker.running


def test_a_second_run_uses_the_same_process_and_keeps_the_first_results():
    widget = panel()
    run_to_end(widget)
    process = widget.panel._worker._process
    run_to_end(widget)
    assert widget.panel._worker._process is process
    assert count("vtkMRMLSegmentationNode") == 2


def test_a_crash_is_told_with_a_next_step_and_the_next_run_starts_anew():
    widget = panel("crash")
    before = node_names()
    run_to_end(widget)
    assert "ended unexpectedly (code 139)" in widget.ui.statusLabel.text
    assert "Run again" in widget.ui.statusLabel.text
    assert node_names() == before and not widget.panel._worker.running
    widget.panel._worker.command = WorkerCommand(
        sys.executable, (str(ROOT / "Testing/Panel/fake_worker.py"), "good"), str(ROOT)
    )
    run_to_end(widget)
    assert "Hemorrhage found" in widget.ui.statusLabel.text


def test_a_program_that_cannot_be_started_is_told():
    widget = panel()
    widget.panel._worker.command = WorkerCommand(str(ROOT / "no such program"), (), str(ROOT))
    run_to_end(widget)
    assert "could not be started" in widget.ui.statusLabel.text


def test_an_error_of_the_worker_is_shown_with_its_next_step():
    widget = panel("error")
    run_to_end(widget)
    assert widget.ui.statusLabel.text == "No model is installed. [kuo2019] Get one."
    assert not widget.ui.installButton.visible


def test_without_torch_the_package_is_named_and_can_be_installed_from_the_panel():
    widget = panel("torchless")
    run_to_end(widget)
    assert "Python package torch" in widget.ui.statusLabel.text and widget.ui.installButton.visible
    widget.ui.installButton.click()
    assert not widget.ui.installButton.visible and "Run again" in widget.ui.statusLabel.text


def test_what_a_library_prints_does_not_disturb():
    widget = panel("noisy")
    run_to_end(widget)
    assert "Hemorrhage found" in widget.ui.statusLabel.text


def test_a_late_event_of_an_earlier_run_is_ignored():
    widget = panel("twice")
    run_to_end(widget)
    assert "Hemorrhage found" in widget.ui.statusLabel.text and count("vtkMRMLSegmentationNode") == 1


def test_a_volume_removed_during_the_run_gets_no_results():
    widget = panel("good")
    widget.ui.runButton.click()
    slicer.mrmlScene.RemoveNode(widget._parameterNode.inputVolume)
    wait_until(lambda: not widget.panel.state.busy)
    assert "was removed" in widget.ui.statusLabel.text and count("vtkMRMLSegmentationNode") == 0


def test_a_volume_moved_during_the_run_gets_no_results():
    widget = panel("good", "regular")
    widget.ui.runButton.click()
    widget._parameterNode.inputVolume.SetOrigin(0.0, 0.0, 77.0)
    wait_until(lambda: not widget.panel.state.busy)
    assert "was moved" in widget.ui.statusLabel.text and count("vtkMRMLSegmentationNode") == 0


def test_closing_the_scene_stops_the_run():
    widget = panel("deaf")
    widget.ui.runButton.click()
    wait_until(lambda: widget.ui.progressBar.value > 40)
    slicer.mrmlScene.Clear(False)
    qt.QApplication.processEvents()
    assert not widget.panel.state.busy and not widget.panel._worker.running
    assert not widget.ui.runButton.enabled


def test_a_volume_that_cannot_be_read_is_told_at_once():
    widget = panel(grid_name="")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    widget.ui.inputSelector.setCurrentNode(node)
    widget.ui.runButton.click()
    assert "holds no image" in widget.ui.statusLabel.text and not widget.panel.state.busy


def test_a_click_on_a_finding_moves_the_views_to_its_key_slice():
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    view.SetLayoutName("Red")
    view.SetOrientation("Axial")
    widget = panel(grid_name="regular")
    run_to_end(widget)
    heights = {}
    for row, box in ((1, made_exams.IPH_BOX), (3, made_exams.SDH_BOX)):
        widget.ui.findingsTable.cellClicked.emit(row, 0)
        heights[row] = view.GetSliceOffset()
        expected = made_exams.GRIDS["regular"].origins_lps_mm[box[0].start + 1, 2]
        assert abs(heights[row] - expected) < 1e-6
    assert heights[1] != heights[3]


def test_the_heatmap_is_off_until_its_box_is_ticked():
    composite = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", "Red")
    widget = panel()
    run_to_end(widget)
    heatmap = widget.panel._nodes.heatmaps[0]
    assert composite.GetForegroundVolumeID() == heatmap.GetID() and composite.GetForegroundOpacity() == 0.0
    widget.ui.heatmapCheckBox.checked = True
    assert composite.GetForegroundOpacity() > 0.3
    widget.ui.heatmapCheckBox.checked = False
    assert composite.GetForegroundOpacity() == 0.0


def test_the_choice_of_the_device_is_kept_in_the_scene():
    widget = panel()
    labels = [widget.ui.deviceSelector.itemText(index) for index in range(widget.ui.deviceSelector.count)]
    assert labels == ["Automatic", "CPU", "GPU (CUDA)"]
    widget.ui.deviceSelector.currentIndex = 1
    assert widget._parameterNode.device.value == "cpu"
    assert widget._parameterNode.parameterNode.GetParameter("device") == "CPU"


def test_neither_torch_nor_any_third_party_package_is_imported():
    widget = panel()
    run_to_end(widget)
    loaded = {name.split(".")[0] for name in sys.modules}
    assert not loaded & {"torch", "SimpleITK", "pydicom", "scipy", "pandas"}


def test_the_modules_own_test_passes():
    panel()
    module = sys.modules["NeuroTriage"]
    module.NeuroTriageTest("runTest").runTest()
