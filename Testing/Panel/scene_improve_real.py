"""The whole wheel with the real processes: read, correct, sign, learn, compare, accept, read again, go back.

Seconds of training on heads of a child's size: it shows that the wheel turns, not what a model gains by it (that is
Testing/Benchmarks/local_loop.py).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicer

from NeuroTriageLib.simulation.dicom_export import write_dicom_study
from NeuroTriageLib.simulation.head_ct import simulate_head_ct
from NeuroTriageLib.simulation.phantom import phantom_anatomy, phantom_labels
from NeuroTriageLib.simulation.settings import HeadCtSettings
from NeuroTriagePanel.worker_client import WorkerCommand
from panel_on_host import panel, settle, wait_until
from strokes import stroke

SLOW = True
SCALE = 0.6
THICK = HeadCtSettings(
    parts=("IPH",),
    positive_probability=1.0,
    slice_spacings_mm=(6.0,),
    mixed_stack_probability=0.0,
    tilt_probability=0.0,
)
PATIENCE_S = 500


def write_maps(folder: Path) -> Path:
    """Twenty label maps of one small head, so that little is to be prepared."""
    folder.mkdir(parents=True)
    sitk.WriteImage(sitk.GetImageFromArray(phantom_labels(SCALE)), str(folder / "head_01.nii.gz"))
    for number in range(2, 21):
        os.link(folder / "head_01.nii.gz", folder / f"head_{number:02d}.nii.gz")
    return folder


def real_panel(tmp_path: Path):
    """A panel with the real worker, a study on disk, and a reader at it."""
    write_dicom_study(simulate_head_ct(phantom_anatomy(SCALE), 3, THICK).volume, tmp_path / "images" / "1")
    widget = panel(grid_name="")
    run = widget.panel.run
    run.worker.stop()
    run.worker.command, run.described = WorkerCommand.default(), {}
    run.describe()
    wait_until(lambda: bool(run.described), PATIENCE_S)
    ui = widget.ui
    ui.storePath.currentPath = str(tmp_path / "reviews")
    ui.readerEdit.text = "AB"
    ui.readerEdit.editingFinished.emit()
    ui.improveImagesPath.currentPath = str(tmp_path / "images")
    ui.improveMapsPath.currentPath = str(write_maps(tmp_path / "maps"))
    ui.improveMinutesSpinBox.value = 1
    widget.panel.improve.simulated = {"exams": 2, "validation": 2, "compared": 2}
    return widget


def read_with(widget, system: str) -> str:
    """Read the exam; the name of the model that did."""
    selector = widget.ui.systemSelector
    names = [selector.itemText(n) for n in range(selector.count)]
    selector.currentIndex = next(n for n, name in enumerate(names) if system.lower() in name.lower())
    widget.ui.runButton.click()
    wait_until(lambda: not widget.panel.run.state.busy, PATIENCE_S)
    settle(widget)
    assert widget.panel.review is not None, widget.ui.statusLabel.text
    return str(widget.panel.review.reading.model.name)


def correct_and_sign(widget) -> None:
    widget.panel.edit.start("IPH")
    mask = np.zeros(widget.panel.review.result.grid.shape_kji, bool)
    middle = [size // 2 for size in mask.shape]
    mask[middle[0], middle[1] - 5 : middle[1] + 5, middle[2] - 5 : middle[2] + 5] = True
    stroke(widget.ui.segmentEditor, mask)
    settle(widget)
    widget.ui.approveButton.click()
    assert "approved" in widget.ui.signLabel.text


def test_a_corrected_exam_becomes_a_model_that_reads_and_can_be_taken_back(tmp_path):
    widget = real_panel(tmp_path)
    ui, improve = widget.ui, widget.panel.improve
    widget.panel.study.inspect([str(tmp_path / "images" / "1")])
    wait_until(lambda: ui.loadSeriesButton.visible and ui.loadSeriesButton.enabled, PATIENCE_S)
    ui.loadSeriesButton.click()
    wait_until(lambda: widget._parameterNode.inputVolume is not None, PATIENCE_S)
    assert read_with(widget, "kuo2019") == "kuo2019-compact"
    correct_and_sign(widget)
    ui.improveSection.collapsed = False
    wait_until(lambda: ui.improveLabel.text.startswith("Signed exams: 1 "), PATIENCE_S)
    ui.improveStartButton.click()
    wait_until(lambda: bool(improve.compared) or not improve.busy, PATIENCE_S)
    assert improve.compared, ui.improveVerdictLabel.text
    assert improve.compared["sets"]["simulated"]["exams"] == 2
    slicer.util.confirmYesNoDisplay = lambda *arguments, **options: True  # two exams may speak against it
    ui.improveAcceptButton.click()
    wait_until(lambda: ui.improveBackButton.enabled, PATIENCE_S)
    assert read_with(widget, "kuo2019") == "kuo2019-compact-local-1"
    ui.improveBackButton.click()
    wait_until(lambda: not ui.improveBackButton.enabled, PATIENCE_S)
    assert read_with(widget, "kuo2019") == "kuo2019-compact"
    widget.panel.close()
