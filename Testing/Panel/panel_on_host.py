"""The module's panel on its host (Testing/Host, or Slicer itself: Testing/InSlicer), with a worker that speaks the
protocol: what the panel's tests share."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import qt
import slicer

import made_exams
from NeuroTriagePanel.result_nodes import add_ct_node
from NeuroTriagePanel.worker_client import WorkerCommand
from slicer_host.application import load_module
from strokes import stroke

ROOT = Path(__file__).resolve().parents[2]
PYTHON = WorkerCommand.default().program  # inside Slicer sys.executable is not what runs scripts
_loaded = {}


def fake_worker(mode: str) -> WorkerCommand:
    """The command of the fake worker in a mode."""
    return WorkerCommand(PYTHON, (str(ROOT / "Testing/Panel/fake_worker.py"), mode), str(ROOT))


def panel(mode: str = "good", grid_name: str = "tilted"):
    """The module's widget with a CT in the scene (none when grid_name is empty) and a fake worker of this mode."""
    if not _loaded:
        _loaded["widget"], _loaded["panel"] = load_module(ROOT / "NeuroTriage" / "NeuroTriage.py")
    widget = _loaded["widget"]
    run = widget.panel.run
    if run.worker.command != fake_worker(mode):
        run.worker.stop()
    run.worker.command, run.described = fake_worker(mode), {}
    widget.ui.storePath.currentPath = ""
    slicer.app.userSettings().clear()
    for section in ("study", "run", "findings", "view", "edit", "measure", "sign", "cases", "node", "report"):
        getattr(widget.ui, f"{section}Section").collapsed = False
    if grid_name:
        add_ct_node(made_exams.volume(made_exams.GRIDS[grid_name]))
    _loaded["panel"].show()
    qt.QApplication.processEvents()
    return widget


def root_widget():
    """The widget that Slicer would show in its module panel."""
    return _loaded["panel"]


def wait_until(condition, seconds: float = 60.0) -> None:
    """Let Qt work until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        qt.QApplication.processEvents()
        time.sleep(0.002)


def wait_for(seconds: float) -> None:
    """Let Qt work for a while."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, seconds + 60)


def settle(widget) -> None:
    """Let strokes, measurements and drawing come to rest."""
    for _ in range(3):
        qt.QApplication.processEvents()
    if widget.panel.review is not None:
        widget.panel.measure.measure()
    qt.QApplication.processEvents()


def run_to_end(widget):
    """Press Run and wait; the review that is shown then."""
    widget.ui.runButton.click()
    wait_until(lambda: not widget.panel.run.state.busy)
    settle(widget)
    return widget.panel.review


def reviewed(mode: str = "good", grid_name: str = "tilted"):
    """A panel with an exam that was read."""
    widget = panel(mode, grid_name)
    assert run_to_end(widget) is not None, widget.ui.statusLabel.text
    return widget


def select(widget, code: str) -> None:
    """Click the line of a finding."""
    widget.panel.findings.table.select(code)
    table = widget.ui.findingsTable
    table.cellClicked.emit(table.currentRow(), 0)


def edit_and_reject(widget) -> None:
    """Reject the subdural hemorrhage, and paint a block of the intraparenchymal one."""
    select(widget, "SDH")
    widget.ui.rejectButton.click()
    widget.panel.edit.start("IPH")
    brush = np.zeros(made_exams.SHAPE_KJI, bool)
    brush[4, 30:40, 12:20] = True
    stroke(widget.ui.segmentEditor, brush)
    settle(widget)


def saved_and_opened(widget, path: Path):
    """Save the scene, close it, open it; the review that is on the screen then."""
    assert slicer.mrmlScene.WriteToMRB(str(path))
    slicer.mrmlScene.Clear(False)
    qt.QApplication.processEvents()
    assert widget.panel.review is None and not widget.ui.findingsSection.visible
    assert slicer.mrmlScene.ReadFromMRB(str(path), True)
    qt.QApplication.processEvents()
    assert root_widget() is not None
    settle(widget)
    return widget.panel.review


def table_texts(table) -> list[list[str]]:
    """Every cell's text, "" where there is none."""
    return [
        [table.item(row, column).text() if table.item(row, column) else "" for column in range(table.columnCount)]
        for row in range(table.rowCount)
    ]


def count(class_name: str) -> int:
    """Number of nodes of a class."""
    return slicer.mrmlScene.GetNumberOfNodesByClass(class_name)
