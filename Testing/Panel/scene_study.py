"""A study from disk or Slicer's DICOM database: what was recognised, the user's overruling, where the voxels lie."""

from __future__ import annotations

import numpy as np
import slicer

import made_exams
from NeuroTriageLib.core.resources import sample_data_folder
from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriagePanel import sample_data
from NeuroTriagePanel.result_nodes import add_ct_node
from NeuroTriagePanel.scene_bridge import volume_from_node
from NeuroTriagePanel.scripting import load_study
from NeuroTriagePanel.worker_client import WorkerCommand
from panel_on_host import count, panel, table_texts, wait_until
from slicer_host import dicom_database

SAMPLE = sample_data_folder() / "HeadCtSample" / "dicom"


def panel_with_real_worker(**options):
    widget = panel(**options)
    widget.panel.run.worker.stop()
    widget.panel.run.worker.command = WorkerCommand.default()
    return widget


def true_volume():
    with open_input(SAMPLE) as studies:
        return read_volume(studies[0].series[0])[0]


def test_a_chosen_volume_is_described_by_what_is_known_of_it():
    widget = panel(grid_name="tilted, uneven, flipped")
    text = widget.ui.recognisedLabel.text
    grid = made_exams.GRIDS["tilted, uneven, flipped"]
    spacings = grid.slice_spacings_mm
    assert "12 slices of 48 x 64" in text and "tilted by 22 degrees" in text
    assert f"{spacings.min():.1f} to {spacings.max():.1f} mm apart" in text


def test_a_study_on_disk_is_inspected_overruled_and_loaded_at_its_true_place():
    widget = panel_with_real_worker(grid_name="")
    widget.panel.study.inspect([str(SAMPLE)])
    wait_until(lambda: widget.ui.seriesTable.rowCount > 0)
    rows = table_texts(widget.ui.seriesTable)
    assert [row[1] for row in rows] == ["is read"] and rows[0][0].startswith("CT")
    assert widget.ui.loadSeriesButton.visible and widget.ui.loadSeriesButton.enabled
    widget.ui.loadSeriesButton.click()
    wait_until(lambda: widget._parameterNode.inputVolume is not None)
    node, truth = widget._parameterNode.inputVolume, true_volume()
    volume = volume_from_node(node)
    assert volume.grid.same_as(truth.grid, tolerance_mm=0.01) and np.array_equal(volume.array_kji, truth.array_kji)
    assert volume.series_instance_uid == truth.series_instance_uid
    assert count("vtkMRMLScalarVolumeNode") == 1 and widget.ui.runButton.enabled


def test_what_cannot_be_read_is_told_and_nothing_is_loaded(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    widget = panel_with_real_worker(grid_name="")
    widget.panel.study.inspect([str(tmp_path)])
    wait_until(lambda: "Looking" not in widget.ui.studyLabel.text and widget.ui.studyLabel.text)
    assert not widget.ui.loadSeriesButton.visible and count("vtkMRMLScalarVolumeNode") == 0


def test_a_study_of_the_dicom_database_comes_with_its_patient_and_the_kernel_is_known():
    database = dicom_database.install(SAMPLE)
    try:
        widget = panel_with_real_worker(grid_name="")
        widget.ui.databaseStudyButton.click()
        wait_until(lambda: widget.ui.seriesTable.rowCount > 0)
        assert widget.ui.studySelector.count == 1
        widget.ui.loadSeriesButton.click()
        node = widget._parameterNode.inputVolume
        assert node is not None
        from NeuroTriagePanel.subject_tree import patient_of, study_uid_of

        assert patient_of(node) == database.patients()[0]
        assert study_uid_of(node) == database.studiesForPatient(database.patients()[0])[0]
        kernel = database.instanceValue(node.GetAttribute("DICOM.instanceUIDs").split()[0], "0018,1210")
        assert f"kernel {kernel}" in widget.ui.recognisedLabel.text
    finally:
        dicom_database.remove()


def test_without_a_database_the_button_says_so():
    widget = panel(grid_name="")
    assert widget.ui.studyDetails.isHidden(), "nothing was looked at, so no room is left for it"
    widget.ui.databaseStudyButton.click()
    assert "database is not open" in widget.ui.studyLabel.text and widget.ui.studyLabel.visible


def test_the_panel_opens_on_the_active_volume():
    first = add_ct_node(made_exams.volume(made_exams.GRIDS["regular"]), "first")
    second = add_ct_node(made_exams.volume(made_exams.GRIDS["tilted"]), "second")
    slicer.app.applicationLogic().GetSelectionNode().SetActiveVolumeID(second.GetID())
    from NeuroTriagePanel.panel_widget import active_volume

    assert active_volume() is second is not first


def test_a_script_loads_a_study_and_the_sample_is_offered_in_sample_data():
    node = load_study(str(SAMPLE))
    assert volume_from_node(node).grid.same_as(true_volume().grid, tolerance_mm=0.01)
    panel(grid_name="")
    assert offered(sample_data.CT_NAME)(None).IsA("vtkMRMLScalarVolumeNode")


def test_the_sample_mri_opens_the_panel_with_its_series_listed():
    widget = panel_with_real_worker(grid_name="")
    before = slicer.util.selectModule, slicer.util.getModuleWidget
    slicer.util.selectModule, slicer.util.getModuleWidget = (lambda name: None), (lambda name: widget)
    try:
        offered(sample_data.MR_NAME)(None)
    finally:
        slicer.util.selectModule, slicer.util.getModuleWidget = before
    wait_until(lambda: widget.ui.seriesTable.rowCount > 0)
    rows = table_texts(widget.ui.seriesTable)
    assert len(rows) == 8 and [row[1] for row in rows].count("is read") >= 6
    assert widget.ui.readStudyButton.visible and "A brain MRI" in widget.ui.studyLabel.text


def offered(name: str):
    """What Slicer's Sample Data module calls for a sample."""
    import SampleData

    return SampleData.SampleDataLogic.sources[sample_data.CATEGORY, name]
