"""The real panel on the test host with a worker that speaks the protocol: run, cancel, crash, what the user sees."""

from __future__ import annotations

import itertools
import os
import sys
import time

import qt
import slicer

import made_exams
from NeuroTriagePanel.result_nodes import add_ct_node
from NeuroTriagePanel.worker_client import WorkerCommand
from panel_on_host import ROOT, count, fake_worker, panel, run_to_end, wait_until


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
    assert widget.ui.findingsSection.visible and not widget.ui.progressWidget.visible
    assert "Hemorrhage found: intraparenchymal, subdural." in widget.ui.statusLabel.text
    assert "tilted by 15.0" in widget.ui.qualityLabel.text
    assert count("vtkMRMLSegmentationNode") == 1 and count("vtkMRMLTableNode") == 1
    assert count("vtkMRMLMarkupsLineNode") == 6 and count("vtkMRMLScalarVolumeNode") == 2


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


def test_cancel_ends_the_process_at_once_and_leaves_the_scene_as_it_was():
    widget = panel("deaf")
    before = node_names()
    widget.ui.runButton.click()
    wait_until(lambda: widget.ui.progressBar.value > 40)
    process, started = widget.panel.run.worker.process_id, time.monotonic()
    widget.ui.runButton.click()
    assert time.monotonic() - started < 2.0 and not process_lives(process)
    assert widget.ui.statusLabel.text == "Cancelled." and widget.ui.runButton.text == "Run"
    assert node_names() == before
    assert widget.panel.run.worker.running, "a fresh process waits for the next run"


def process_lives(process_id: int) -> bool:
    """True while there is such a process."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_second_run_uses_the_same_process_and_keeps_the_first_results():
    widget = panel()
    run_to_end(widget)
    process = widget.panel.run.worker.process_id
    run_to_end(widget)
    assert widget.panel.run.worker.process_id == process
    assert count("vtkMRMLSegmentationNode") == 2


def test_a_crash_is_told_with_a_next_step_and_the_next_run_starts_anew():
    widget = panel("crash")
    before = node_names()
    run_to_end(widget)
    assert "ended unexpectedly (code 139)" in widget.ui.statusLabel.text
    assert "Run again" in widget.ui.statusLabel.text
    assert node_names() == before and not widget.panel.run.worker.running
    widget.panel.run.worker.command = fake_worker("good")
    run_to_end(widget)
    assert "Hemorrhage found" in widget.ui.statusLabel.text


def test_a_program_that_cannot_be_started_is_told():
    widget = panel()
    widget.panel.run.worker.command = WorkerCommand(str(ROOT / "no such program"), (), str(ROOT))
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
    wait_until(lambda: not widget.panel.run.state.busy)
    assert "was removed" in widget.ui.statusLabel.text and count("vtkMRMLSegmentationNode") == 0


def test_a_volume_moved_during_the_run_gets_no_results():
    widget = panel("good", "regular")
    widget.ui.runButton.click()
    widget._parameterNode.inputVolume.SetOrigin(0.0, 0.0, 77.0)
    wait_until(lambda: not widget.panel.run.state.busy)
    assert "was moved" in widget.ui.statusLabel.text and count("vtkMRMLSegmentationNode") == 0


def test_closing_the_scene_stops_the_run():
    widget = panel("deaf")
    widget.ui.runButton.click()
    wait_until(lambda: widget.ui.progressBar.value > 40)
    slicer.mrmlScene.Clear(False)
    qt.QApplication.processEvents()
    assert not widget.panel.run.state.busy and not widget.panel.run.worker.running
    assert not widget.ui.runButton.enabled


def test_a_volume_that_cannot_be_read_is_told_at_once():
    widget = panel(grid_name="")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    widget.ui.inputSelector.setCurrentNode(node)
    widget.ui.runButton.click()
    assert "holds no image" in widget.ui.statusLabel.text and not widget.panel.run.state.busy


def test_an_unfamiliar_exam_is_read_only_when_the_reader_insists():
    widget = panel("unfamiliar")
    run_to_end(widget)
    assert "not a negative result" in widget.ui.statusLabel.text and "too bright" in widget.ui.statusLabel.text
    assert widget.ui.acceptUnfamiliarButton.visible and count("vtkMRMLSegmentationNode") == 0
    widget.ui.acceptUnfamiliarButton.click()
    wait_until(lambda: not widget.panel.run.state.busy)
    assert "Hemorrhage found" in widget.ui.statusLabel.text and not widget.ui.acceptUnfamiliarButton.visible


def test_systems_without_a_model_pack_are_not_offered():
    widget = panel()
    widget.panel.run.describe()
    wait_until(lambda: widget.panel.run.described)
    selector = widget.ui.systemSelector
    texts = [selector.itemText(index) for index in range(selector.count)]
    assert texts == ["Best that is installed (consensus)", "kuo2019: Test of kuo2019", "ye2019: Test of ye2019"]
    selector.currentIndex = 2
    assert widget.panel.run.choices().system == "ye2019"


def test_the_estimate_is_said_to_be_a_guess_until_this_computer_was_measured():
    widget = panel()
    widget.panel.run.describe()
    wait_until(lambda: widget.panel.run.described)
    assert "a guess, not measured here yet" in widget.ui.estimateLabel.text
    run_to_end(widget)
    widget.ui.systemSelector.currentIndex = 1
    assert "measured on this computer" in widget.ui.estimateLabel.text


def test_a_gpu_that_is_not_there_is_told_before_the_run():
    widget = panel()
    widget.panel.run.describe()
    wait_until(lambda: widget.panel.run.described)
    widget.ui.deviceSelector.currentIndex = 2
    assert "would be refused" in widget.ui.estimateLabel.text
    widget.ui.deviceSelector.currentIndex = 0


def test_a_panel_without_packages_says_what_is_missing_and_how_much_it_is_before_any_run():
    widget = panel("torchless")
    widget.panel.run.describe()
    wait_until(lambda: widget.panel.run.described)
    text = widget.ui.statusLabel.text
    assert "Python package torch" in text and "PyTorch" in text and " GB" in text
    assert widget.ui.installButton.visible and widget.ui.installWheelsButton.visible


def test_the_choice_of_the_device_is_kept_in_the_scene():
    widget = panel()
    labels = [widget.ui.deviceSelector.itemText(index) for index in range(widget.ui.deviceSelector.count)]
    assert labels == ["Automatic", "CPU", "GPU (CUDA)"]
    widget.ui.deviceSelector.currentIndex = 1
    assert widget._parameterNode.device.value == "cpu"
    assert widget._parameterNode.parameterNode.GetParameter("device") == "CPU"


def test_the_panel_never_imports_torch():
    widget = panel()
    run_to_end(widget)
    loaded = {name.split(".")[0] for name in sys.modules}
    assert not loaded & {"torch", "pydicom", "scipy", "pandas"}


def test_the_modules_own_test_passes():
    panel()
    module = sys.modules["NeuroTriage"]
    module.NeuroTriageTest("runTest").runTest()
