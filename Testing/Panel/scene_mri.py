"""A brain MRI in the panel: a study on disk is read by the real worker, and shown on the series where it belongs."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pydicom
import qt
import slicer

from NeuroTriageLib.core.volume import Volume
from NeuroTriagePanel.result_nodes import add_ct_node
from NeuroTriagePanel.scene_bridge import volume_from_node
from NeuroTriagePanel.worker_client import WorkerCommand
from panel_on_host import count, panel, select, settle, table_texts, wait_until
from slicer_host import dicom_database
from strokes import stroke
from Testing.Lib import tiny_nael2021
from Testing.Lib.mr_phantom import SHAPE, grid, head, write_dicom_study, write_study
from Testing.Lib.outputs.dicom.made_objects import frames_of

CODES = {"abnormal", "acute_infarct", "acute_hemorrhage", "mass_effect"}
RUN_S = 300


@functools.cache
def pack() -> Path:
    """Random weights that find everything: what is tested is where and how it is shown."""
    points = dict.fromkeys(tiny_nael2021.CONFIG.codes, 0.0)
    return tiny_nael2021.save(Path(tempfile.mkdtemp(), "tiny"), operating_points=points)


def with_study(folder: Path, contrasts: tuple[str, ...] = ("FLAIR", "ADC", "TRACE", "T1")):
    """The panel with a study of image files that was looked at, before it is read."""
    return opened(write_study(folder / "study", contrasts))


def opened(study: Path):
    """The panel with this study, whose headers were looked at."""
    widget = panel(grid_name="")
    run = widget.panel.run
    run.worker.stop()
    run.worker.command, run._pack = WorkerCommand.default(), str(pack())
    widget.panel.study.inspect([str(study)])
    wait_until(lambda: widget.ui.studyLabel.text != "Looking at the headers...", RUN_S)
    return widget


def read(widget):
    widget.ui.readStudyButton.click()
    wait_until(lambda: not widget.panel.run.state.busy, RUN_S)
    settle(widget)
    assert widget.panel.review is not None, widget.ui.statusLabel.text
    return widget.panel.review


def row_of(widget, code: str) -> list[str]:
    return table_texts(widget.ui.findingsTable)[widget.panel.findings.table._codes.index(code)]


def test_a_study_is_recognised_and_its_series_are_marked(tmp_path):
    widget = with_study(tmp_path)
    assert "A brain MRI" in widget.ui.studyLabel.text
    assert widget.ui.readStudyButton.visible and not widget.ui.loadSeriesButton.visible
    assert [row[1] for row in table_texts(widget.ui.seriesTable)].count("is read") == 4


def test_findings_masks_and_heatmaps_lie_on_their_own_series_and_survive_the_scene(tmp_path):
    widget = with_study(tmp_path)
    review = read(widget)
    assert set(widget.panel.findings.table._codes) == CODES
    assert review.result.contrast == "FLAIR" and "Found:" in widget.ui.statusLabel.text
    assert "(trace-weighted)" in row_of(widget, "acute_infarct")[0]
    assert not widget.ui.brainButton.enabled  # Hounsfield units
    assert count("vtkMRMLScalarVolumeNode") == 4  # FLAIR, trace, and a heatmap of each
    for node in (review.nodes.ct, *review.nodes.heatmaps):
        assert volume_from_node(node).grid.same_as(grid(SHAPE), tolerance_mm=0.01)
    select(widget, "acute_infarct")
    settle(widget)
    trace = widget.panel.review
    assert trace.result.contrast == "TRACE" and trace.nodes.ct.GetName() == "trace-weighted"
    assert widget._parameterNode.inputVolume is trace.nodes.ct
    assert widget.panel.findings.table.selected_code == "acute_infarct"
    assert "(FLAIR)" in row_of(widget, "mass_effect")[0] and set(widget.panel.findings.table._codes) == CODES
    assert widget.ui.heatmapSelector.count == 2
    _edit_and_sign(widget, tmp_path)
    _reopen(widget, tmp_path)


def _edit_and_sign(widget, folder: Path) -> None:
    widget.ui.storePath.currentPath = str(folder / "reviews")
    review = widget.panel.review
    widget.ui.editButton.click()
    brush = np.zeros(SHAPE, bool)
    brush[10:12, 20:26, 18:24] = True
    before = review.volumes_ml().get("acute_infarct", 0.0)
    stroke(widget.ui.segmentEditor, brush & (review.label_kji == 0))
    settle(widget)
    painted_ml = np.count_nonzero(brush & (review.model_label == 0)) * 7.0 * 4.0 * 4.0 / 1000
    assert abs(review.volumes_ml()["acute_infarct"] - before - painted_ml) < 1e-3
    assert set(widget.panel.measure.measured) == {"acute_infarct"}
    widget.ui.readerEdit.text = "AB"
    widget.ui.approveButton.click()
    assert "Version 1 approved." in widget.ui.signLabel.text
    assert "acute infarct" in widget.panel.report.text().lower()


def _reopen(widget, folder: Path) -> None:
    label = widget.panel.review.label_kji
    select(widget, "mass_effect")
    select(widget, "acute_infarct")  # away and back: the same case with its version
    assert widget.ui.versionSelector.count == 2 and "AB, approved" in widget.ui.versionSelector.itemText(0)
    assert slicer.mrmlScene.WriteToMRB(str(folder / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    qt.QApplication.processEvents()
    assert slicer.mrmlScene.ReadFromMRB(str(folder / "scene.mrb"), True)
    settle(widget)
    assert set(widget.panel.findings.table._codes) == CODES
    select(widget, "acute_infarct")
    settle(widget)
    assert np.array_equal(widget.panel.review.label_kji, label) and widget.panel.review.is_edited
    assert widget.panel.review.result.volume.modality == "MR"


def test_what_the_reader_signed_is_exported_as_dicom_on_the_series_where_it_lies(tmp_path):
    widget = opened(write_dicom_study(tmp_path / "study"))
    read(widget)
    select(widget, "acute_infarct")
    settle(widget)
    _edit_and_sign(widget, tmp_path)
    review = widget.panel.review
    widget.panel.report.export_dicom(str(tmp_path / "objects"), [str(tmp_path / "study")])
    wait_until(lambda: widget.ui.reportLabel.text != "Writing...", RUN_S)
    assert "DICOM objects are in" in widget.ui.reportLabel.text, widget.ui.reportLabel.text
    segmentation = pydicom.dcmread(tmp_path / "objects" / "segmentation_TRACE.dcm")
    (referenced,) = segmentation.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == review.result.volume.series_instance_uid
    assert "trace-weighted" in segmentation.SeriesDescription
    assert "approved by reader" in segmentation.SeriesDescription
    drawn = sum(int(mask.sum()) for _, mask in frames_of(segmentation, 1))
    assert drawn == np.count_nonzero(review.label_kji)


def test_image_files_that_name_no_patient_are_no_source_of_dicom(tmp_path):
    widget = with_study(tmp_path)
    read(widget)
    widget.panel.report.export_dicom(str(tmp_path / "objects"), [str(tmp_path / "study")])
    wait_until(lambda: widget.ui.reportLabel.text != "Writing...", RUN_S)
    assert "need a DICOM source" in widget.ui.reportLabel.text
    assert not (tmp_path / "objects").exists()


def test_a_threshold_above_the_probability_takes_finding_and_mask_away_and_back(tmp_path):
    widget = with_study(tmp_path)
    review = read(widget)
    select(widget, "mass_effect")
    assert widget.ui.thresholdSlider.enabled
    before = review.volumes_ml().get("mass_effect", 0.0)
    widget.ui.thresholdSlider.value = 100.0
    status = {item.code: item.status for item in review.findings()}
    assert status["mass_effect"] == "not_found" and status["acute_hemorrhage"] == "found"
    assert review.volumes_ml().get("mass_effect", 0.0) == 0.0
    widget.ui.resetThresholdsButton.click()
    assert review.volumes_ml().get("mass_effect", 0.0) == before


def test_each_finding_has_a_mask_threshold_of_its_own_that_a_version_keeps(tmp_path):
    widget = with_study(tmp_path)
    review = read(widget)
    codes = [code for code in ("mass_effect", "acute_hemorrhage") if code in review.reading.voxel_probabilities.codes]
    assert len(codes) == 2, "both are outlined on FLAIR"
    select(widget, codes[1])
    other = widget.ui.pixelSlider.value
    select(widget, codes[0])
    assert widget.ui.pixelSlider.enabled
    widget.ui.pixelSlider.value = 97
    assert review.state.pixel_thresholds == {codes[0]: 0.97}
    select(widget, codes[1])
    assert widget.ui.pixelSlider.value == other
    widget.ui.storePath.currentPath, widget.ui.readerEdit.text = str(tmp_path / "reviews"), "AB"
    widget.ui.approveButton.click()
    widget.ui.resetThresholdsButton.click()
    assert review.state.pixel_thresholds == {}
    widget.panel.store.take_over(review, widget.panel.store.versions(review)[-1])
    assert review.state.pixel_thresholds == {codes[0]: 0.97}


def test_what_could_not_be_looked_at_is_said_with_its_reason(tmp_path):
    widget = with_study(tmp_path, ("FLAIR", "T1"))
    review = read(widget)
    status = {item.code: item.status for item in review.findings()}
    assert status["acute_infarct"] == "could_not_look" and status["mass_effect"] == "found"
    text = widget.ui.statusLabel.text
    assert text.startswith("Found: ") and ". Not assessed: acute infarct, " in text, text
    found = next(item for item in review.findings() if item.code == "abnormal")
    assert found.status == "found" and "ADC" in found.reason, "without diffusion it is asserted, and says so"
    review.move_threshold("abnormal", 1.0)
    raised = next(item for item in review.findings() if item.code == "abnormal")
    assert raised.status == "could_not_look" and raised.reason == found.reason
    select(widget, "acute_infarct")
    assert "not assessed" in widget.ui.opinionsLabel.text and "ADC" in widget.ui.opinionsLabel.text


def role_selectors(widget) -> dict:
    """File name of a series -> the selector of its role."""
    table = widget.ui.seriesTable
    return {row[0].split("  ")[-1]: table.cellWidget(n, 1) for n, row in enumerate(table_texts(table))}


def choose(selector, text: str) -> None:
    index = [selector.itemText(n) for n in range(selector.count)].index(text)
    selector.currentIndex = index
    selector.activated.emit(index)


def test_a_role_that_the_user_gives_a_series_is_shown_read_and_can_be_taken_back(tmp_path):
    widget = with_study(tmp_path)
    before = {name: selector.currentText for name, selector in role_selectors(widget).items()}
    flair, t1 = (next(name for name, said in before.items() if said == role) for role in ("FLAIR", "T1"))
    for given in ("FLAIR", "by the rules", "FLAIR"):
        choose(role_selectors(widget)[t1], given)
        wait_until(lambda: widget.ui.studyLabel.text != "Looking at the headers...", RUN_S)
        now = {name: selector.currentText for name, selector in role_selectors(widget).items()}
        assert now == (before if given != "FLAIR" else before | {t1: "FLAIR", flair: "–"})
    review = read(widget)
    assert review.result.contrast == "FLAIR"
    assert np.allclose(review.result.volume.array_kji, head("T1"), atol=0.01), "the series that the user named"
    told = " ".join(reason for item in review.result.judgements if item.chosen for reason in item.reasons)
    assert "Read as FLAIR." in told


def test_a_volume_of_which_nothing_is_known_is_read_as_what_the_user_states():
    widget = panel(grid_name="")
    run = widget.panel.run
    run.worker.stop()
    run.worker.command, run._pack = WorkerCommand.default(), str(pack())
    node = add_ct_node(Volume(head("FLAIR"), grid(SHAPE), ""), "from a file")
    widget.ui.inputSelector.setCurrentNode(node)
    ui = widget.ui
    assert "modality not stated" in ui.recognisedLabel.text and ui.inputSelectorLabel.text == "Volume:"
    assert ui.statedSelector.visible and ui.statedSelector.currentText == "not stated"
    choose(ui.statedSelector, "Head CT")
    assert ui.inputSelectorLabel.text == "Head CT:" and ui.recognisedLabel.text.startswith("CT (as you stated)")
    choose(ui.statedSelector, "MRI: FLAIR")
    assert ui.inputSelectorLabel.text == "Brain MRI:"
    assert ui.recognisedLabel.text.startswith("MR FLAIR (as you stated)")
    ui.runButton.click()
    wait_until(lambda: not run.state.busy, RUN_S)
    settle(widget)
    review = widget.panel.review
    assert review is not None, ui.statusLabel.text
    assert review.nodes.ct is node and review.result.contrast == "FLAIR"
    status = {item.code: item.status for item in review.findings()}
    assert status["mass_effect"] == "found" and status["acute_infarct"] == "could_not_look"
    assert ui.midlinePlaceButton.visible, "midline shift is measured on an MRI too"


def test_an_mr_volume_whose_contrast_nobody_stated_is_not_read():
    widget = panel(grid_name="")
    widget.ui.inputSelector.setCurrentNode(add_ct_node(Volume(head("FLAIR"), grid(SHAPE), "MR"), "MR volume"))
    assert widget.ui.inputSelectorLabel.text == "Brain MRI:" and widget.ui.statedSelector.visible
    widget.ui.runButton.click()
    assert "not known which contrast" in widget.ui.statusLabel.text and "Study" in widget.ui.statusLabel.text


def test_an_mr_study_of_the_dicom_database_is_a_case(tmp_path):
    dicom_database.install(write_dicom_study(tmp_path / "study"))
    try:
        widget = panel(grid_name="")
        run = widget.panel.run
        run.worker.stop()
        run.worker.command, run._pack = WorkerCommand.default(), str(pack())
        widget.ui.storePath.currentPath = str(tmp_path / "reviews")
        widget.ui.caseDatabaseButton.click()
        assert widget.ui.caseTable.rowCount == 1, widget.ui.caseCountLabel.text
        assert "MR" in table_texts(widget.ui.caseTable)[0][0]
        widget.ui.caseTable.cellDoubleClicked.emit(0, 0)
        wait_until(lambda: widget.panel.review is not None, RUN_S)
        settle(widget)
        assert widget.panel.review.result.contrast == "FLAIR" and widget.panel.review.state.case_key
    finally:
        dicom_database.remove()
