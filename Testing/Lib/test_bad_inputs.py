"""Bad inputs: each ends with one clear message and its exit code, no traceback, and nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, MRImageStorage

from NeuroTriageLib import cli
from Testing.Lib import tiny_packs
from Testing.Lib.ct_series import (
    PATIENT_ID,
    PATIENT_NAME,
    SIZE,
    SLICES,
    SPACING_MM,
    every,
    head_hu,
    without,
    write_series,
)

USAGE, INPUT, SELECTION, MODEL, OTHER = 2, 3, 4, 5, 1


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    """A tiny model pack with random weights."""
    return tiny_packs.save(tmp_path_factory.mktemp("packs") / "tiny")


class Outcome:
    """What a run of the command said and left behind."""

    def __init__(self, code: int, error: str, left: list[str]) -> None:
        self.code, self.error, self.left = code, error, left


@pytest.fixture
def run(tmp_path, pack, capsys, monkeypatch):
    """Run `neurotriage triage INPUT` and check what every failure must keep to."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    results = tmp_path / "results"
    results.mkdir()

    def triage(path: Path, *options: str, out: Path | None = None) -> Outcome:
        named = () if "--model" in options else ("--model", str(pack))
        arguments = ["triage", str(path), "-o", str(out or results / "out"), "--no-scene", "--device", "cpu"]
        try:
            code = cli.main([*arguments, *named, *options])
        except SystemExit as leave:  # argparse
            code = int(leave.code or 0)
        error = capsys.readouterr().err
        left = sorted(str(p.relative_to(tmp_path)) for p in [*results.rglob("*"), *scratch.rglob("*")])
        return Outcome(code, error, left)

    return triage


def check(outcome: Outcome, code: int, *words: str) -> None:
    """One message with these words, the right code, no traceback, no patient, nothing left behind."""
    lines = [line for line in outcome.error.splitlines() if "error:" in line]
    assert outcome.code == code, outcome.error
    assert len(lines) == 1, outcome.error
    assert "Traceback" not in outcome.error and "unexpected" not in outcome.error
    assert PATIENT_NAME not in outcome.error and PATIENT_ID not in outcome.error
    assert outcome.left == []
    for word in words:
        assert word.lower() in lines[0].lower(), lines[0]


def test_the_unspoiled_series_is_read(run, tmp_path):
    outcome = run(write_series(tmp_path / "ct"))
    assert outcome.code == 0, outcome.error
    assert "results/out/findings.json" in outcome.left


def test_an_input_that_does_not_exist(run, tmp_path):
    check(run(tmp_path / "nothing"), INPUT, "does not exist")


def test_an_empty_folder(run, tmp_path):
    (tmp_path / "empty").mkdir()
    check(run(tmp_path / "empty"), INPUT, "empty")


def test_a_folder_of_documents(run, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("hello")
    check(run(tmp_path / "notes"), INPUT, "None of the 1 files")


def test_text_that_was_renamed_to_dcm(run, tmp_path):
    (tmp_path / "scan.dcm").write_text("This is a letter. " * 50)
    check(run(tmp_path / "scan.dcm"), INPUT, "scan.dcm", "not DICOM")


def test_a_file_without_a_byte(run, tmp_path):
    (tmp_path / "scan.dcm").write_bytes(b"")
    check(run(tmp_path / "scan.dcm"), INPUT, "scan.dcm")


def test_dicom_that_is_cut_off_in_its_header(run, tmp_path):
    folder = write_series(tmp_path / "ct")
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:500])
    check(run(folder), INPUT, "None of the 30 files", "damaged")


def test_a_slice_that_is_cut_off_in_its_pixels(run, tmp_path):
    folder = write_series(tmp_path / "ct")
    path = folder / "012.dcm"
    path.write_bytes(path.read_bytes()[:-4000])
    check(run(folder), INPUT, "012.dcm", "truncated or damaged")


def test_compressed_pixels_that_cannot_be_decoded(run, tmp_path):
    def spoil(k: int, slice_: Dataset) -> None:
        slice_.file_meta.TransferSyntaxUID = JPEG2000Lossless
        slice_.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + b"\x00" * 200])
        slice_["PixelData"].VR = "OB"

    check(run(write_series(tmp_path / "ct", spoil)), INPUT, "truncated or damaged")


def test_slices_without_pixel_data(run, tmp_path):
    check(run(write_series(tmp_path / "ct", without("PixelData"))), INPUT, "no pixel data")


def test_a_series_that_mixes_two_patients(run, tmp_path):
    def spoil(k: int, slice_: Dataset) -> None:
        if k >= SLICES // 2:
            slice_.PatientName, slice_.PatientID = "OTHER^BEN", "OTHERID"

    outcome = run(write_series(tmp_path / "ct", spoil))
    check(outcome, INPUT, "2 patients")
    assert "OTHER" not in outcome.error


def test_two_studies_of_which_none_is_named(run, tmp_path):
    write_series(tmp_path / "both" / "a")
    write_series(tmp_path / "both" / "b")
    check(run(tmp_path / "both"), USAGE, "2 studies", "--study")


def test_an_mr_study(run, tmp_path):
    def spoil(k: int, slice_: Dataset) -> None:
        slice_.Modality, slice_.SOPClassUID = "MR", MRImageStorage
        slice_.file_meta.MediaStorageSOPClassUID = MRImageStorage

    check(run(write_series(tmp_path / "mr", spoil)), SELECTION, "MR", "not negative")


def test_one_single_slice(run, tmp_path):
    check(run(write_series(tmp_path / "ct", hu=head_hu()[12:13])), SELECTION, "not negative")


def test_a_bone_reconstruction_after_contrast_of_another_part(run, tmp_path):
    spoil = every(SeriesDescription="CTA NECK", BodyPartExamined="NECK", ContrastBolusAgent="IOHEXOL")
    check(run(write_series(tmp_path / "ct", spoil)), SELECTION, "not negative")


def test_a_coronal_reformat_alone(run, tmp_path):
    def spoil(k: int, slice_: Dataset) -> None:
        slice_.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        slice_.ImagePositionPatient = [-112.0, 5.0 * k, 112.0]

    check(run(write_series(tmp_path / "ct", spoil)), SELECTION, "not axial")


def test_slices_without_a_position(run, tmp_path):
    change = without("ImagePositionPatient", "ImageOrientationPatient")
    check(run(write_series(tmp_path / "ct", change)), SELECTION, "geometry cannot be known")


def test_a_water_phantom(run, tmp_path):
    j, i = np.indices((SIZE, SIZE))
    disc = np.where(np.hypot(j - 32, i - 32) < 28, 0, -1000).astype(np.int16)
    check(run(write_series(tmp_path / "ct", hu=np.repeat(disc[None], SLICES, axis=0))), SELECTION, "no head CT")


def test_a_folder_that_may_not_be_read(run, tmp_path, monkeypatch):
    locked = write_series(tmp_path / "ct" / "locked").parent
    real = os.scandir

    def scandir(path="."):
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    outcome = run(locked)
    monkeypatch.undo()
    check(outcome, INPUT, "locked", "right to read")


def test_a_damaged_zip(run, tmp_path):
    archive = zip_of(write_series(tmp_path / "ct"), tmp_path / "ct.zip")
    content = bytearray(archive.read_bytes())
    content[200:4000] = bytes(3800)
    archive.write_bytes(content)
    check(run(archive), INPUT, "zip")


def test_a_zip_that_would_write_outside_its_folder(run, tmp_path):
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("../../evil.dcm", b"x" * 500)
    check(run(archive), INPUT, "outside")


def zip_of(folder: Path, archive: Path) -> Path:
    """The folder's files as a zip."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as stream:
        for path in sorted(folder.iterdir()):
            stream.write(path, path.name)
    return archive


def test_a_truncated_nifti_file(run, tmp_path):
    path = tmp_path / "head.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(head_hu()), str(path))
    path.write_bytes(path.read_bytes()[:2000])
    check(run(path), INPUT, "head.nii.gz")


def test_a_nifti_file_that_is_a_mask(run, tmp_path):
    image = sitk.GetImageFromArray((head_hu() > 0).astype(np.uint8))
    image.SetSpacing((SPACING_MM, SPACING_MM, 5.0))
    sitk.WriteImage(image, str(tmp_path / "mask.nii.gz"))
    check(run(tmp_path / "mask.nii.gz"), SELECTION, "not Hounsfield units")


def test_a_series_option_that_names_nothing(run, tmp_path):
    check(run(write_series(tmp_path / "ct"), "--series", "ABDOMEN"), USAGE, "ABDOMEN")


def test_a_study_option_that_names_nothing(run, tmp_path):
    check(run(write_series(tmp_path / "ct"), "--study", "1.2.3"), USAGE, "1.2.3")


def test_an_unknown_system_and_an_unknown_option(run, tmp_path):
    folder = write_series(tmp_path / "ct")
    check(run(folder, "--system", "nobody"), USAGE, "nobody")
    check(run(folder, "--frobnicate"), USAGE, "frobnicate")


def test_a_model_pack_that_does_not_exist(run, tmp_path):
    check(run(write_series(tmp_path / "ct"), "--model", str(tmp_path / "none")), MODEL, "does not exist")


def test_a_model_pack_whose_weights_were_changed(run, tmp_path):
    folder = tiny_packs.save(tmp_path / "pack")
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    check(run(write_series(tmp_path / "ct"), "--model", str(folder)), MODEL, "damaged")


def test_a_model_pack_whose_description_is_no_json(run, tmp_path):
    folder = tiny_packs.save(tmp_path / "pack")
    (folder / "pack.json").write_text("{", encoding="utf-8")
    check(run(write_series(tmp_path / "ct"), "--model", str(folder)), MODEL, "not JSON")


def test_weights_that_do_not_fit_the_network(run, tmp_path):
    folder = tiny_packs.save(tmp_path / "pack")
    manifest = json.loads((folder / "pack.json").read_text())
    manifest["config"]["width"] = 0.125
    (folder / "pack.json").write_text(json.dumps(manifest))
    check(run(write_series(tmp_path / "ct"), "--model", str(folder)), MODEL, "do not fit")


def test_a_model_pack_of_another_system_or_with_unknown_settings(run, tmp_path):
    folder = write_series(tmp_path / "ct")
    check(run(folder, "--model", str(tiny_packs.save(tmp_path / "other", system="nael2021"))), MODEL, "nael2021")
    check(run(folder, "--model", str(tiny_packs.save(tmp_path / "odd", config={"depth": 3}))), MODEL, "depth")


def test_an_output_folder_that_holds_something(run, tmp_path):
    occupied = tmp_path / "mine"
    occupied.mkdir()
    (occupied / "thesis.txt").write_text("two years of work")
    check(run(write_series(tmp_path / "ct"), out=occupied), OTHER, "--force")
    assert [path.name for path in occupied.iterdir()] == ["thesis.txt"]


def test_an_output_that_is_a_file(run, tmp_path):
    (tmp_path / "file").write_text("x")
    check(run(write_series(tmp_path / "ct"), out=tmp_path / "file"), OTHER, "file")


def test_a_disk_that_fills_up_while_results_are_written(run, tmp_path, monkeypatch):
    from NeuroTriageLib.outputs import folder

    def full(result, path, **options):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(folder, "write_heatmap", full)
    check(run(write_series(tmp_path / "ct")), OTHER, "disk is full")


def test_a_disk_that_is_really_full(run, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk")
    try:
        check(run(write_series(tmp_path / "ct"), out=disk / "out"), OTHER, "disk is full")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
