"""`neurotriage identify` prints a line of JSON per series: of DICOM, NIfTI with and without sidecars, and headers."""

from __future__ import annotations

import json

import pytest
import SimpleITK as sitk
from pydicom.uid import generate_uid

from NeuroTriageLib import cli
from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.series_selection.identify_command import role_overrides
from Testing.Lib.ct_series import PATIENT_ID, PATIENT_NAME
from Testing.Lib.mr_phantom import VOXEL_MM, head, write_mr

FLAIR = {"Modality": "MR", "ScanningSequence": "SE\\IR", "EchoTime": 0.09, "RepetitionTime": 9, "InversionTime": 2.5}
T2 = {"ScanningSequence": "SE", "EchoTime": 95, "RepetitionTime": 4500}


def run(capsys, *arguments) -> list[dict]:
    assert cli.main(["identify", *map(str, arguments)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def write_nifti(path, contrast: str, scale: float = 1.0) -> None:
    image = sitk.GetImageFromArray(head(contrast) * scale)
    image.SetSpacing(VOXEL_MM[::-1])
    sitk.WriteImage(image, str(path))


def test_a_file_of_headers_gives_a_line_each_in_their_order(tmp_path, capsys):
    path = tmp_path / "h.jsonl"
    path.write_text("\n".join(json.dumps({"subject": n, "header": FLAIR}) for n in range(3)))
    lines = run(capsys, path)
    assert [line["subject"] for line in lines] == [0, 1, 2] and [line["line"] for line in lines] == [1, 2, 3]
    assert {line["contrast"] for line in lines} == {"FLAIR"}
    assert all(0 < line["confidence"] <= 1 and line["reasons"] and line["plane"] == "unknown" for line in lines)


def test_a_dicom_study_gives_contrast_role_and_reasons_and_no_patient(tmp_path, capsys):
    write_mr(tmp_path, "one", study=generate_uid(), PatientName=PATIENT_NAME, PatientID=PATIENT_ID, **T2)
    (line,) = run(capsys, tmp_path)
    assert (line["contrast"], line["plane"], line["role"], line["volumes"]) == ("T2", "axial", "T2", 1)
    assert "SECRET" not in json.dumps(line)


def test_nifti_files_are_known_by_sidecar_name_and_pixels(tmp_path, capsys):
    write_nifti(tmp_path / "a_FLAIR.nii.gz", "FLAIR")
    write_nifti(tmp_path / "b_adc.nii.gz", "ADC")
    write_nifti(tmp_path / "c_dwi.nii.gz", "TRACE")
    write_nifti(tmp_path / "d.nii.gz", "T2")
    write_nifti(tmp_path / "e.nii.gz", "FLAIR")
    (tmp_path / "e.json").write_text(json.dumps(FLAIR))
    lines = {line["description"][0]: line for line in run(capsys, tmp_path)}
    assert {key: line["contrast"] for key, line in lines.items()} == {
        "a": "FLAIR",
        "b": "ADC",
        "c": "TRACE",
        "d": "T2",
        "e": "FLAIR",
    }
    assert lines["e"]["confidence"] > 0.9 > 0.8 > lines["a"]["confidence"] > lines["d"]["confidence"]
    assert lines["b"]["adc_unit"] == "1e-3 mm2/s"


def test_pixels_can_be_left_alone(tmp_path, capsys):
    write_nifti(tmp_path / "d.nii.gz", "T2")
    (line,) = run(capsys, tmp_path, "--headers-only")
    assert line["contrast"] == "OTHER"


def test_the_user_gives_a_series_a_role(tmp_path, capsys):
    uid = write_mr(tmp_path, "one", study=generate_uid(), **T2)
    (line,) = run(capsys, tmp_path, "--series", f"FLAIR={uid}")
    assert line["contrast"] == "T2" and line["role"] == "FLAIR" and line["role_reasons"][0] == "Chosen by the user."


@pytest.mark.parametrize("text", ["FLAIR", "FLAIR=", "=x"])
def test_anything_but_role_and_name_is_refused(text):
    with pytest.raises(ConfigError):
        role_overrides([text])


def test_a_role_named_twice_or_for_headers_alone_is_refused(tmp_path, capsys):
    with pytest.raises(ConfigError):
        role_overrides(["T1=a", "T1=b"])
    (tmp_path / "h.jsonl").write_text(json.dumps(FLAIR))
    assert cli.main(["identify", str(tmp_path / "h.jsonl"), "--series", "T1=a"]) == 2
    assert cli.main(["identify", str(tmp_path / "nothing")]) == 3
    capsys.readouterr()
