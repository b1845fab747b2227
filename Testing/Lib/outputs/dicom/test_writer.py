"""All objects of an exam together: valid, in the patient's study, the same again, and harmless with hostile content."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from PIL import Image

from NeuroTriageLib.core.findings import Finding, ModelIdentity
from NeuroTriageLib.outputs.dicom.writer import DicomForms
from NeuroTriageLib.outputs.folder import DICOM_FILES
from Testing.Lib.exam_builder import IPH_AND_SDH, ExamSettings, build_exam, build_unreadable_exam
from Testing.Lib.outputs.dicom.made_objects import HAS_DCIODVFY, SOURCE, errors_of, objects
from Testing.Lib.weighed_exam import build_weighed_exam

EXAM = build_exam(ExamSettings(blood=IPH_AND_SDH, tilt_deg=12))
SCRIPT = "<script>alert(1)</script><img src=x onerror=y>^Jäne"
HOSTILE = replace(SOURCE, header={**SOURCE.header, "PatientName": SCRIPT, "StudyDescription": "<b>&amp;王"})

# Nothing about the patient, and images that were compressed with loss.
LOSSY_HEADER = {"LossyImageCompression": "01", "LossyImageCompressionRatio": "8.5"}
LOSSY = replace(SOURCE, header={**LOSSY_HEADER, "LossyImageCompressionMethod": "ISO_10918_1"})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dicom")
    return folder, objects(EXAM, folder)


def test_the_files_have_known_names(written):
    assert set(written[1]) == set(DICOM_FILES) - {f"key_image_{n}.dcm" for n in range(2, 6)}


def test_every_object_belongs_to_the_patient_and_study_and_to_a_series_of_its_own_kind(written):
    _, made = written
    for item in made.values():
        for keyword, text in SOURCE.header.items():
            assert str(item[keyword].value) == text
        assert item.StudyInstanceUID == SOURCE.study_instance_uid
        assert item.SeriesInstanceUID != SOURCE.series_instance_uid
        assert item.SpecificCharacterSet == "ISO_IR 192"
    for name in ("segmentation.dcm", "heatmap.dcm"):
        assert made[name].FrameOfReferenceUID == SOURCE.frame_of_reference_uid
    assert len({item.SeriesInstanceUID for item in made.values()}) == len(made)
    assert len({item.SOPInstanceUID for item in made.values()}) == len(made)


def test_the_same_result_gives_the_same_files_and_another_model_other_uids(written, tmp_path):
    folder, made = written
    again = objects(EXAM, tmp_path / "again")
    for name in again:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    reading = replace(EXAM.readings[0], model=ModelIdentity("kuo2019-test", "0.2", "f" * 64))
    other = objects(replace(EXAM, readings=(reading,)), tmp_path / "other")
    assert not {i.SOPInstanceUID for i in other.values()} & {i.SOPInstanceUID for i in made.values()}


def test_another_form_of_the_masks_is_another_object(written, tmp_path):
    other = objects(EXAM, tmp_path, forms=DicomForms(masks="labelmap", heatmap="parametric"))
    for name in ("segmentation.dcm", "heatmap.dcm"):
        assert other[name].SOPInstanceUID != written[1][name].SOPInstanceUID


@pytest.mark.skipif(not HAS_DCIODVFY, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("kind", ["found", "negative", "unreadable", "consensus", "hostile", "lossy"])
def test_dciodvfy_finds_no_errors(kind, tmp_path):
    exam = {
        "negative": build_exam(ExamSettings()),
        "unreadable": build_unreadable_exam(),
        "consensus": build_weighed_exam(),
    }.get(kind, EXAM)
    source = {"hostile": HOSTILE, "lossy": LOSSY}.get(kind, SOURCE)
    for name in objects(exam, tmp_path, source=source):
        assert errors_of(tmp_path / name) == [], name
    objects(exam, tmp_path, source=source, forms=DicomForms(heatmap="parametric"))
    if (tmp_path / "heatmap.dcm").exists():
        assert errors_of(tmp_path / "heatmap.dcm") == []


def test_what_comes_from_lossy_images_says_so_and_missing_patient_data_stays_empty(tmp_path):
    made = objects(EXAM, tmp_path, source=LOSSY)
    for name in ("segmentation.dcm", "heatmap.dcm", "key_image_1.dcm"):
        assert (made[name].LossyImageCompression, made[name].LossyImageCompressionRatio) == ("01", 8.5)
    assert all(item.PatientName == "" and not item.PatientID for item in made.values())


def test_frames_of_multi_frame_sources_are_referred_to_by_object_and_number(tmp_path):
    """Twelve slices in two objects, the second one from top to bottom."""
    uids = ("1.2.826.0.1.3680043.8.498.50",) * 5 + ("1.2.826.0.1.3680043.8.498.51",) * 7
    frames = (1, 2, 3, 4, 5, 7, 6, 5, 4, 3, 2, 1)
    exam = replace(EXAM, volume=replace(EXAM.volume, sop_instance_uids=uids, frame_numbers=frames))
    source = replace(SOURCE, sop_class_uid="1.2.840.10008.5.1.4.1.1.2.1")
    made = objects(exam, tmp_path, source=source)
    seen = set()
    for group in made["segmentation.dcm"].PerFrameFunctionalGroupsSequence:
        position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        k = int(np.abs(exam.grid.origins_lps_mm - position).sum(axis=1).argmin())
        reference = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert (reference.ReferencedSOPInstanceUID, reference.ReferencedFrameNumber) == (uids[k], frames[k])
        seen.add(k)
    assert len(seen) > 3
    for item in made.values():
        assert "2.25.0." not in str(item)
        for series in item.get("ReferencedSeriesSequence", []):
            references = [i.ReferencedSOPInstanceUID for i in series.ReferencedInstanceSequence]
            assert sorted(references) == sorted(set(uids))
    if HAS_DCIODVFY:
        assert not [error for name in made for error in errors_of(tmp_path / name)]


def test_a_script_in_a_name_is_text_in_every_object_and_on_the_page(tmp_path):
    made = objects(EXAM, tmp_path, source=HOSTILE)
    assert all(str(item.PatientName) == SCRIPT for item in made.values())
    document = pdf_of(made)
    outside_streams = re.sub(rb"stream\r?\n.*?endstream", b"", document, flags=re.DOTALL)
    assert not re.search(rb"/(JavaScript|JS|AA|OpenAction|Launch|URI)\b", outside_streams)
    text = page_text(document, tmp_path)
    if text is not None:
        assert "<script>alert(1)</script>" in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Wang^XiaoDong=王^小东", "Wang, XiaoDong"),
        ("王^小东", "see the DICOM header"),
        ("M" * 64, "MMMM"),
        ("", "(no name)"),
    ],
)
def test_the_page_names_the_patient_or_says_that_it_cannot(name, shown, tmp_path):
    made = objects(build_unreadable_exam(), tmp_path, source=replace(SOURCE, header={"PatientName": name}))
    text = page_text(pdf_of(made), tmp_path)
    assert made["report.dcm"].PatientName == name
    if text is not None:
        assert shown in text and "could not be read" in text


def test_control_characters_in_a_reason_do_not_reach_the_report(tmp_path):
    finding = Finding("any", "kuo2019", "could_not_look", reason="bad\x1b[31m\x00 header")
    made = objects(replace(build_unreadable_exam(), findings=(finding,)), tmp_path)
    raw = (tmp_path / "structured_report.dcm").read_bytes()
    assert b"bad[31m header" in raw and b"\x1b[31m" not in raw
    assert pdf_of(made).startswith(b"%PDF")


def pdf_of(made: dict[str, pydicom.Dataset]) -> bytes:
    item = made["report.dcm"]
    assert item.MIMETypeOfEncapsulatedDocument == "application/pdf"
    return item.EncapsulatedDocument[: item.EncapsulatedDocumentLength]


def page_text(document: bytes, folder) -> str | None:
    """What another program reads on the pages; None where there is none."""
    if shutil.which("pdftotext") is None:
        return None
    (folder / "report.pdf").write_bytes(document)
    command = ["pdftotext", "-layout", str(folder / "report.pdf"), "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_the_pages_tell_the_answer_and_its_numbers(written, tmp_path):
    text = page_text(pdf_of(written[1]), tmp_path)
    if text is None:
        pytest.skip("pdftotext is not installed")
    told = next(finding for finding in EXAM.findings if finding.code == "IPH")
    for words in ("Intracranial hemorrhage found", f"{told.volume_ml:.1f}", "Doe, Jane", "ID A-1", "not for diagnosis"):
        assert words in text


def test_the_key_image_shows_outlines_in_the_colours_of_the_findings_and_names_nobody(written):
    image = written[1]["key_image_1.dcm"]
    pixels = image.pixel_array
    assert image.PhotometricInterpretation == "RGB" and image.BurnedInAnnotation == "NO"
    left = pixels[:, : pixels.shape[1] // 2].reshape(-1, 3)
    for mask_color in ((227, 25, 28), (51, 161, 43)):  # core/codes.py in bytes
        assert (np.abs(left.astype(int) - mask_color).max(axis=1) <= 2).sum() > 100
    reference = image.SourceImageSequence[0].ReferencedSOPInstanceUID
    assert reference == EXAM.volume.sop_instance_uids[next(f.key_slice for f in EXAM.findings if f.code == "IPH")]
    Image.fromarray(pixels).save(io.BytesIO(), "PNG")
