"""The node's worklist in the panel: its list, an exam that opens for review, and a node that is away."""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import qt
import slicer

from NeuroTriageLib.core.exchange import load_exam
from NeuroTriageLib.node_client import NodeClient
from NeuroTriagePanel.scene_bridge import volume_from_node
from panel_on_host import PYTHON, ROOT, count, panel, table_texts, wait_until
from stall_watch import StallWatch

TOKEN = "token-of-a-reader"
NOBODY = "http://127.0.0.1:9"  # the discard service, which nobody runs


@functools.cache
def node() -> str:
    """The address of a real node in a process of its own, which ends with this one."""
    folder = tempfile.TemporaryDirectory()
    command = [PYTHON, str(ROOT / "Testing/Panel/served_node.py"), folder.name]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(folder.cleanup)
    atexit.register(process.wait, 20)
    atexit.register(process.stdin.close)
    return process.stdout.readline().strip()


def panel_with_node(url: str, token: str = TOKEN):
    widget = panel(grid_name="")
    widget.panel.node.client.stop()
    settings = slicer.app.userSettings()
    settings.setValue("NeuroTriage/NodeUrl", url)
    settings.setValue("NeuroTriage/NodeToken", token)
    return widget


def ask(widget) -> None:
    section = widget.panel.node
    section._on_refresh()
    wait_until(lambda: not section._asked)


def test_without_a_node_in_the_settings_the_section_says_where_to_name_one():
    widget = panel_with_node("", "")
    ask(widget)
    assert "application settings" in widget.ui.nodeLabel.text
    assert not widget.ui.nodeButtons.visible and not widget.panel.node.client.running


def test_an_exam_of_the_list_opens_for_review_with_its_images_masks_and_findings(tmp_path):
    url = node()
    widget = panel_with_node(url)
    ask(widget)
    rows = table_texts(widget.ui.nodeTable)
    assert rows[0][:2] == ["Intraparenchymal hemorrhage", "DOE, JANE"] and rows[1][0] == "being read, 25 %"
    assert "1 with findings, 1 waiting" in widget.ui.nodeLabel.text
    widget.ui.nodeTable.setCurrentCell(1, 0)
    assert not widget.ui.nodeOpenButton.enabled, "it is not answered yet"
    widget.ui.nodeTable.setCurrentCell(0, 0)
    assert widget.ui.nodeOpenButton.enabled
    widget.ui.nodeOpenButton.click()
    assert widget.panel.node.busy and not widget.ui.runSection.enabled
    wait_until(lambda: not widget.panel.node.busy)
    review = widget.panel.review
    assert review is not None, widget.ui.nodeLabel.text
    assert "open for review" in widget.ui.nodeLabel.text and widget.ui.runSection.enabled
    truth = fetched(url, tmp_path / "truth")
    volume = volume_from_node(review.nodes.ct)
    assert volume.grid.same_as(truth.grid, tolerance_mm=0.01)
    assert np.array_equal(volume.array_kji, truth.volume.array_kji)
    assert np.array_equal(review.label_kji, truth.readings[0].label_kji)
    assert [f.code for f in review.findings()] == [f.code for f in truth.findings]
    assert widget._parameterNode.inputVolume is review.nodes.ct and count("vtkMRMLSegmentationNode") >= 1


def fetched(url: str, folder: Path):
    """The same exam without the panel."""

    class Events:
        def write(self, line: str) -> None:
            event = json.loads(line)
            self.results = event.get("results")

        def flush(self) -> None:
            pass

    events = Events()
    request = {"id": 1, "command": "open", "url": url, "token": TOKEN, "exam": 1, "folder": str(folder)}
    NodeClient(events).serve([json.dumps(request)])
    return load_exam(Path(events.results[0]))


def test_a_node_that_is_away_or_refuses_the_token_is_told_and_nothing_waits_for_it():
    url = node()
    widget = panel_with_node(url, "wrong")
    ask(widget)
    assert "does not know this token" in widget.ui.nodeLabel.text
    widget, watch = panel_with_node(NOBODY), StallWatch()
    ask(widget)
    assert "does not answer" in widget.ui.nodeLabel.text and widget.ui.runSection.enabled
    assert watch.longest()[1] < 0.25, "the panel worked while it waited"


def test_a_scene_that_closes_while_an_exam_comes_stays_empty():
    url = node()
    widget = panel_with_node(url)
    ask(widget)
    widget.ui.nodeTable.setCurrentCell(0, 0)
    widget.ui.nodeOpenButton.click()
    slicer.mrmlScene.Clear()
    assert not widget.panel.node.busy
    end = time.monotonic() + 1.0
    wait_until(lambda: time.monotonic() > end)
    assert count("vtkMRMLScalarVolumeNode") == 0 and widget.panel.review is None


def test_a_process_that_dies_is_told_and_the_next_question_starts_another():
    url = node()
    widget = panel_with_node(url)
    ask(widget)
    widget.ui.nodeTable.setCurrentCell(0, 0)
    widget.ui.nodeOpenButton.click()
    widget.panel.node.client._process.kill()
    wait_until(lambda: not widget.panel.node.busy)
    assert "ended" in widget.ui.nodeLabel.text
    ask(widget)
    assert len(table_texts(widget.ui.nodeTable)) == 2


def test_the_nodes_page_opens_in_the_browser():
    widget, opened, before = panel_with_node(NOBODY), [], qt.QDesktopServices.openUrl
    qt.QDesktopServices.openUrl = lambda url: opened.append(url.toString())
    try:
        widget.ui.nodePageButton.click()
    finally:
        qt.QDesktopServices.openUrl = before
    assert opened == [NOBODY]
