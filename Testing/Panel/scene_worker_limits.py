"""The real worker within its limits: short stalls, a fast Cancel, a warm second run, a killed process that is told."""

from __future__ import annotations

import json
import os
import signal
import time
import unittest

import numpy as np

from NeuroTriageLib.core.resources import models_folder, sample_data_folder
from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriagePanel.result_nodes import add_ct_node
from NeuroTriagePanel.worker_client import WorkerCommand
from panel_on_host import count, panel, wait_for, wait_until
from stall_watch import StallWatch

SLOW = True
LONGEST_STALL_S = 0.1
CANCEL_S = 2.0
SECOND_START_S = 1.0
RUN_S = 500
SAMPLE = sample_data_folder() / "HeadCtSample"


def with_sample():
    """The panel with the real worker and the sample that ships: 40 slices of 512 x 512."""
    if not any(models_folder().glob("consensus*/pack.json")):
        raise unittest.SkipTest("no model ships yet")
    widget = panel(grid_name="")
    widget.panel.run.worker.stop()
    widget.panel.run.worker.command = WorkerCommand.default()
    with open_input(SAMPLE / "dicom") as studies:
        node = add_ct_node(read_volume(studies[0].series[0])[0])
    widget.ui.inputSelector.setCurrentNode(node)
    return widget


def run(widget) -> None:
    widget.ui.runButton.click()
    wait_until(lambda: not widget.panel.run.state.busy, RUN_S)


def test_the_interface_stalls_less_than_a_tenth_of_a_second_and_the_second_run_starts_at_once():
    widget = with_sample()
    watch = StallWatch()
    run(widget)
    wait_until(lambda: widget.panel.measure.measured, 30)
    wait_for(0.5)
    assert widget.panel.review is not None, widget.ui.statusLabel.text
    _, stall = watch.longest()
    assert stall < LONGEST_STALL_S, stall
    started = time.monotonic()
    widget.ui.runButton.click()
    wait_until(lambda: widget.ui.stageLabel.text != "Starting" or not widget.panel.run.state.busy)
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    assert widget.panel.run.state.busy and time.monotonic() - started < SECOND_START_S * (busy + 1)
    widget.panel.run.cancel()


def test_the_answer_is_that_of_the_consensus_that_ships():
    widget = with_sample()
    run(widget)
    review = widget.panel.review
    assert review is not None, widget.ui.statusLabel.text
    assert review.reading.system == "consensus" and "consensus" in review.reading.model.name
    found = {item.code for item in review.result.findings if item.status == "found"}
    truth = np.load(SAMPLE / "label.npz")["label_kji"]
    assert found == {"any", *json.loads((SAMPLE / "truth.json").read_text())["types"]}
    drawn_ml = float(np.count_nonzero(truth, axis=(1, 2)) @ review.result.grid.voxel_volumes_ml)
    assert abs(review.volumes_ml()["any"] - drawn_ml) < 0.2 * drawn_ml


def test_cancel_ends_the_process_within_two_seconds_and_the_next_run_works():
    widget = with_sample()
    widget.ui.runButton.click()
    wait_until(lambda: widget.ui.stageLabel.text == "Looking for blood", RUN_S)
    process, started = widget.panel.run.worker.process_id, time.monotonic()
    widget.ui.runButton.click()
    wait_until(lambda: not lives(process), CANCEL_S)
    assert time.monotonic() - started < CANCEL_S and count("vtkMRMLSegmentationNode") == 0
    run(widget)
    assert widget.panel.review is not None, widget.ui.statusLabel.text


def test_a_killed_worker_is_told_the_scene_stays_and_the_next_run_works():
    widget = with_sample()
    volume = widget._parameterNode.inputVolume
    widget.ui.runButton.click()
    wait_until(lambda: widget.ui.stageLabel.text == "Looking for blood", RUN_S)
    os.kill(widget.panel.run.worker.process_id, signal.SIGKILL)
    wait_until(lambda: not widget.panel.run.state.busy)
    assert "ended unexpectedly" in widget.ui.statusLabel.text and "Run again" in widget.ui.statusLabel.text
    assert widget._parameterNode.inputVolume is volume and count("vtkMRMLSegmentationNode") == 0
    run(widget)
    assert widget.panel.review is not None, widget.ui.statusLabel.text


def lives(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True
