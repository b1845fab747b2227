"""What leaves the panel through the real worker: the HTML page and DICOM objects, as the reader left the exam."""

from __future__ import annotations

from pathlib import Path

import pydicom

import made_exams
from NeuroTriageLib.simulation.dicom_export import write_dicom_study
from NeuroTriageLib.study_files import load_series
from NeuroTriagePanel.result_nodes import add_ct_node
from NeuroTriagePanel.subject_tree import Subject, place_in_study
from panel_on_host import edit_and_reject, panel, run_to_end, select, wait_until
from Testing.Lib.outputs.dicom.made_objects import frames_of, volume_ml


def with_study(folder: Path, grid_name: str = "tilted"):
    """A panel with an exam that was read, of a CT whose DICOM files lie in the folder."""
    widget = panel(grid_name="")
    files = [str(path) for path in write_dicom_study(made_exams.volume(made_exams.GRIDS[grid_name]), folder / "ct")]
    header = pydicom.dcmread(files[0], stop_before_pixels=True)
    volume, _ = load_series(files, str(header.SeriesInstanceUID))
    node = add_ct_node(volume)
    place_in_study(node, Subject(series_instance_uid=volume.series_instance_uid))
    widget.ui.inputSelector.setCurrentNode(node)
    assert run_to_end(widget) is not None, widget.ui.statusLabel.text
    return widget, header


def told(widget) -> str:
    """What the section says once the worker has answered."""
    wait_until(lambda: widget.ui.reportLabel.text != "Writing...")
    return widget.ui.reportLabel.text


def edit_and_approve(widget, folder: Path) -> None:
    widget.ui.storePath.currentPath = str(folder / "reviews")
    edit_and_reject(widget)
    widget.ui.readerEdit.text = "AB"
    widget.ui.approveButton.click()
    assert "approved" in widget.ui.signLabel.text


def exported(widget, header, folder: Path) -> dict[str, pydicom.Dataset]:
    widget.panel.report.export_dicom(str(folder / "objects"), [str(folder / "ct")])
    assert "DICOM objects are in" in told(widget), widget.ui.reportLabel.text
    made = {path.name: pydicom.dcmread(path) for path in (folder / "objects").iterdir()}
    assert {"segmentation.dcm", "structured_report.dcm", "report.dcm", "key_image_1.dcm"} <= set(made)
    assert {item.StudyInstanceUID for item in made.values()} == {header.StudyInstanceUID}
    assert {item.PatientID for item in made.values()} == {header.PatientID}
    return made


def sentences(item: pydicom.Dataset) -> str:
    own = [item.TextValue] if item.get("ValueType") == "TEXT" else []
    return " ".join(own + [sentences(child) for child in item.get("ContentSequence", [])])


def test_the_models_answer_is_exported_as_the_models(tmp_path):
    widget, header = with_study(tmp_path)
    made = exported(widget, header, tmp_path)
    segments = made["segmentation.dcm"].SegmentSequence
    assert {segment.SegmentAlgorithmType for segment in segments} == {"AUTOMATIC"} and len(segments) == 2
    assert "Reviewed" not in sentences(made["structured_report.dcm"])
    told_ml = widget.panel.review.volumes_ml()
    assert abs(volume_ml(made["segmentation.dcm"], 1) - told_ml["IPH"]) < 1e-3 * told_ml["IPH"]


def test_what_the_reader_signed_off_is_exported_and_marked_as_such(tmp_path):
    widget, header = with_study(tmp_path)
    edit_and_approve(widget, tmp_path)
    made = exported(widget, header, tmp_path)
    (segment,) = made["segmentation.dcm"].SegmentSequence  # the rejected subdural one stays behind
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    drawn = sum(int(mask.sum()) for _, mask in frames_of(made["segmentation.dcm"], 1))
    assert drawn == int((widget.panel.review.label_kji == 1).sum())
    text = sentences(made["structured_report.dcm"])
    assert "Reviewed by AB: approved, version 1" in text
    assert "Edited by the reader: Intraparenchymal hemorrhage." in text
    assert "Rejected by the reader: Subdural hemorrhage." in text
    assert "approved by reader" in made["segmentation.dcm"].SeriesDescription


def test_a_readers_version_never_takes_the_place_of_the_models_objects(tmp_path):
    widget, header = with_study(tmp_path)
    before = exported(widget, header, tmp_path)
    (tmp_path / "objects").rename(tmp_path / "of the model")
    edit_and_approve(widget, tmp_path)
    after = exported(widget, header, tmp_path)
    uids = [{item.SOPInstanceUID for item in made.values()} for made in (before, after)]
    assert not uids[0] & uids[1]


def test_changes_that_nobody_saved_are_not_exported(tmp_path):
    widget, _ = with_study(tmp_path)
    select(widget, "SDH")
    widget.ui.rejectButton.click()
    widget.panel.report.export_dicom(str(tmp_path / "objects"), [str(tmp_path / "ct")])
    assert "not saved yet" in told(widget) and not (tmp_path / "objects").exists()


def test_files_of_another_series_are_refused(tmp_path):
    widget, _ = with_study(tmp_path)
    write_dicom_study(made_exams.volume(made_exams.GRIDS["regular"]), tmp_path / "other")
    for path in (tmp_path / "other").iterdir():
        item = pydicom.dcmread(path)
        item.SeriesInstanceUID += ".9"
        item.save_as(path)
    widget.panel.report.export_dicom(str(tmp_path / "objects"), [str(tmp_path / "other")])
    assert "No series in the input has this UID" in told(widget) and not (tmp_path / "objects").exists()


def test_the_html_page_says_what_the_reader_did(tmp_path):
    widget, _ = with_study(tmp_path)
    edit_and_approve(widget, tmp_path)
    widget.panel.report.write_html(str(tmp_path / "report.html"))
    assert told(widget).startswith("Written:")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "AB" in page and "approved" in page and "rejected" in page and "edited" in page


def test_a_page_that_cannot_be_written_is_told(tmp_path):
    widget, _ = with_study(tmp_path)
    widget.panel.report.write_html(str(tmp_path / "no such folder" / "report.html"))
    assert "Written" not in told(widget) and widget.ui.reportLabel.text
