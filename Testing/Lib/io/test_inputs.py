"""What a user can name: folders, zips, single files; and one clear error for everything that cannot be read."""

from __future__ import annotations

import builtins
import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from NeuroTriageLib.core.errors import DicomError, InputError
from NeuroTriageLib.io.inputs import open_input, read_volume
from Testing.Lib.io.dicom_builder import axial, enhanced, slices, write, write_stack


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(folder.rglob("*")):
            target.write(path, path.relative_to(folder))
    return archive


def test_a_zip_gives_the_same_volume_as_its_folder_and_leaves_nothing(tmp_path, monkeypatch):
    stack = axial()
    write_stack(tmp_path / "study" / "deep", stack)
    archive = zipped(tmp_path / "study", tmp_path / "study.zip")
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    with open_input(archive) as (study,):
        volume, _ = read_volume(study.series[0])
        assert list((tmp_path / "scratch").iterdir())
    assert np.array_equal(volume.array_kji, stack.values())
    assert not list((tmp_path / "scratch").iterdir())


def test_a_failing_zip_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("hello")
    archive = zipped(tmp_path / "notes", tmp_path / "a.zip")
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    with pytest.raises(InputError):
        open_input(archive)
    assert not list((tmp_path / "scratch").iterdir())


def test_files_can_be_named_one_by_one(tmp_path):
    stack = axial()
    files = sorted(write_stack(tmp_path, stack).iterdir())
    with open_input(files) as (study,):
        assert len(study.series[0].instances) == 12
    with open_input(str(files[0])) as (study,):
        assert len(study.series[0].instances) == 1


def test_a_single_multi_frame_file_is_a_whole_series(tmp_path):
    write(tmp_path, [enhanced(axial())])
    with open_input(next(tmp_path.iterdir())) as (study,):
        assert len(study.series[0].instances) == 12


def test_what_is_no_image_is_skipped_and_named(tmp_path):
    folder = write_stack(tmp_path, axial())
    (folder / "README.txt").write_text("hello")
    (folder / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
    (folder / "letter.dcm").write_text("Dear colleague, " * 40)
    opened = open_input(folder)
    assert {skipped.path.name for skipped in opened.skipped} == {"README.txt", ".DS_Store", "letter.dcm"}
    assert len(opened.studies[0].series[0].instances) == 12


def test_links_to_nothing_are_no_files(tmp_path):
    folder = write_stack(tmp_path, axial())
    (folder / "annexed.dcm").symlink_to(tmp_path / "not fetched")
    with open_input(folder) as (study,):
        assert len(study.series[0].instances) == 12


def test_a_path_that_does_not_exist_is_said(tmp_path):
    with pytest.raises(InputError, match="does not exist") as caught:
        open_input(tmp_path / "nothing")
    assert "nothing" in caught.value.where and caught.value.next_step


def test_an_empty_folder_and_an_empty_zip_are_said(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="folder is empty"):
        open_input(tmp_path / "empty")
    with pytest.raises(InputError, match="archive is empty"):
        open_input(zipped(tmp_path / "empty", tmp_path / "empty.zip"))


def test_text_named_dcm_is_no_dicom(tmp_path):
    (tmp_path / "scan.dcm").write_text("This is not DICOM. " * 30)
    with pytest.raises(DicomError, match="named like DICOM but is not"):
        open_input(tmp_path / "scan.dcm")


def test_a_picture_is_no_image_series(tmp_path):
    (tmp_path / "scan.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    with pytest.raises(InputError, match="neither DICOM nor NIfTI"):
        open_input(tmp_path / "scan.png")


def test_a_folder_of_damaged_dicom_is_refused_with_the_first_file(tmp_path):
    folder = write_stack(tmp_path, axial(count=3))
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(DicomError, match="None of the 3 files"):
        open_input(folder)


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    folder = write_stack(tmp_path, axial())
    forbidden = sorted(folder.iterdir())[4]
    real_open = io.open

    def guarded(file, *args, **kwargs):
        if str(file) == str(forbidden):
            raise PermissionError(13, "Permission denied", str(file))
        return real_open(file, *args, **kwargs)

    monkeypatch.setattr(io, "open", guarded)
    monkeypatch.setattr(builtins, "open", guarded)
    with pytest.raises(InputError, match="Permission denied") as caught:
        open_input(folder)
    assert forbidden.name in caught.value.where


def test_nothing_named_is_said():
    with pytest.raises(InputError, match="No input"):
        open_input([])


def test_pixels_are_not_read_before_they_are_asked_for(tmp_path):
    items = slices(axial())
    del items[3].PixelData
    with open_input(write(tmp_path, items)) as (study,):
        assert len(study.series[0].instances) == 12
