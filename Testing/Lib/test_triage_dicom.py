"""triage --dicom: from files on disk to objects in the patient's own study, also out of a zip and of multi-frame CT."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset

from NeuroTriageLib import cli
from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriageLib.outputs.folder import DICOM_FILES
from Testing.Lib import tiny_packs
from Testing.Lib.ct_series import PATIENT_ID, head_hu, write_series
from Testing.Lib.io.dicom_builder import CtStack, enhanced, write

NAME = "<i>Müller</i>^Jörg"


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    return tiny_packs.save(tmp_path_factory.mktemp("packs") / "tiny")


def latin_name(k: int, item: Dataset) -> None:
    """A name in Latin-1, and what must not be taken over."""
    item.SpecificCharacterSet, item.PatientName, item.FrameOfReferenceUID = "ISO_IR 100", NAME, "1.2.3"
    item.PatientComments = "SECRETCOMMENT"
    item.private_block(0x0009, "SITE", create=True).add_new(1, "LO", "SECRETPRIVATE")


def test_results_of_a_zip_belong_to_the_patient_and_agree_with_findings_json(pack, tmp_path):
    folder = write_series(tmp_path / "head", latin_name)
    source = pydicom.dcmread(next(folder.iterdir()))
    study = shutil.make_archive(str(tmp_path / "study"), "zip", folder)
    out = tmp_path / "out"
    command = ["triage", study, "-o", str(out), "--model", str(pack), "--no-scene", "--dicom"]
    assert cli.main(command) == 0
    made = {path.name: pydicom.dcmread(path) for path in out.glob("*.dcm")}
    assert {"structured_report.dcm", "heatmap.dcm", "report.dcm"} <= set(made) <= set(DICOM_FILES)
    findings = json.loads((out / "findings.json").read_text("utf-8"))
    has_masks = any(finding["volume_ml"] for finding in findings["findings"])
    assert ("segmentation.dcm" in made) == has_masks
    for item in made.values():
        assert (item.PatientName, item.PatientID) == (NAME, PATIENT_ID)
        assert item.StudyInstanceUID == source.StudyInstanceUID
        assert "SECRET" not in str(item).replace(PATIENT_ID, "")
        assert not any(element.tag.is_private for element in item)
    assert made["heatmap.dcm"].FrameOfReferenceUID == "1.2.3"
    report = (out / "report.html").read_text("utf-8")
    assert "Müller" not in report and "Müller" not in (out / "findings.json").read_text("utf-8")
    assert cli.main([*command, "--force"]) == 0
    for name, item in made.items():
        assert pydicom.dcmread(out / name).SOPInstanceUID == item.SOPInstanceUID


def test_enhanced_ct_is_referred_to_frame_by_frame(pack, tmp_path):
    origins = [[-112.0, -112.0, 5.0 * k] for k in range(len(head_hu()))]
    shape = head_hu().shape[1:]
    stack = CtStack(origins, spacing_ji_mm=(3.5, 3.5), shape_ji=shape, hu=head_hu())
    order = list(range(0, len(origins), 2)) + list(range(1, len(origins), 2))
    folder = write(tmp_path / "head", [enhanced(stack, order=order)])
    volume, _ = read_volume(open_input(folder).studies[0].series[0])
    out = tmp_path / "out"
    assert cli.main(["triage", str(folder), "-o", str(out), "--model", str(pack), "--no-scene", "--dicom"]) == 0
    made = pydicom.dcmread(out / "heatmap.dcm")
    for group in made.PerFrameFunctionalGroupsSequence:
        k = round(float(group.PlanePositionSequence[0].ImagePositionPatient[2]) / 5)
        reference = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert reference.ReferencedSOPInstanceUID == volume.sop_instance_uids[0]
        assert reference.ReferencedFrameNumber == volume.frame_numbers[k] == order.index(k) + 1


def test_a_nifti_file_is_refused_before_it_is_read(pack, tmp_path, capsys):
    image = sitk.GetImageFromArray(head_hu())
    image.SetSpacing((3.5, 3.5, 5.0))
    sitk.WriteImage(image, str(tmp_path / "head.nii.gz"))
    command = ["triage", str(tmp_path / "head.nii.gz"), "-o", str(tmp_path / "out"), "--model", str(pack), "--no-scene"]
    assert cli.main([*command, "--dicom"]) == 2
    said = capsys.readouterr().err
    assert "NIFTI file does not say which patient" in said and "--dicom" in said and "network" not in said
    assert not (tmp_path / "out").exists()


def test_a_machine_without_highdicom_is_told_before_the_work(pack, tmp_path, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("NeuroTriageLib.outputs.dicom.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "highdicom", None)
    command = ["triage", str(tmp_path), "-o", str(tmp_path / "out"), "--model", str(pack), "--dicom"]
    assert cli.main(command) == 1
    assert "pip install 'neurotriage[dicom]'" in capsys.readouterr().err
