"""Exams are found by their study UID wherever their files lie, and a folder that is known is not opened again."""

from __future__ import annotations

import os
import shutil
import zipfile

import numpy as np
import pytest

from NeuroTriageLib.batch import folder_contents
from NeuroTriageLib.core.errors import InputError
from Testing.Lib.batch.small_archive import tasks_in, uid, write_damaged, write_study
from Testing.Lib.ct_series import PATIENT_NAME
from Testing.Lib.io.nifti_builder import write_nifti


def files_of(task):
    return sorted(path.name for place in task.places for path in place.files())


def test_a_study_in_several_folders_is_one_exam(tmp_path):
    write_study(tmp_path / "a" / "x" / "series1", 1, slice(0, 3))
    write_study(tmp_path / "b" / "series2", 1, slice(3, 5))
    write_study(tmp_path / "b", 2, slice(0, 2))
    tasks = tasks_in(tmp_path, tmp_path / "out")
    assert set(tasks) == {uid(1), uid(2)}
    assert files_of(tasks[uid(1)]) == [f"1_00{k}.dcm" for k in range(5)]
    assert files_of(tasks[uid(2)]) == ["2_000.dcm", "2_001.dcm"]


def test_studies_that_share_a_folder_are_told_apart(tmp_path):
    for number in (1, 2, 3):
        write_study(tmp_path / "flat", number, slice(0, 2))
    tasks = tasks_in(tmp_path / "flat", tmp_path / "out")
    assert {key: files_of(task) for key, task in tasks.items()} == {
        uid(number): [f"{number}_000.dcm", f"{number}_001.dcm"] for number in (1, 2, 3)
    }


def test_a_second_look_opens_no_file_of_an_unchanged_folder(tmp_path, monkeypatch):
    for number in (1, 2):
        write_study(tmp_path / "archive" / str(number), number, slice(0, 2))
    first = tasks_in(tmp_path / "archive", tmp_path / "out")
    opened = []
    look = folder_contents.kind_of_file
    monkeypatch.setattr(folder_contents, "kind_of_file", lambda path: opened.append(path.name) or look(path))
    assert tasks_in(tmp_path / "archive", tmp_path / "out") == first
    assert not opened
    write_study(tmp_path / "archive" / "2", 2, slice(2, 3))  # a slice comes late
    assert len(files_of(tasks_in(tmp_path / "archive", tmp_path / "out")[uid(2)])) == 3
    assert sorted(opened) == ["2_000.dcm", "2_001.dcm", "2_002.dcm"]


def test_a_file_that_changed_in_place_is_looked_at_again(tmp_path):
    write_study(tmp_path / "archive", 1, slice(0, 1))
    assert set(tasks_in(tmp_path / "archive", tmp_path / "out")) == {uid(1)}
    write_study(tmp_path / "other", 2, slice(0, 1))
    os.replace(tmp_path / "other" / "2_000.dcm", tmp_path / "archive" / "1_000.dcm")
    assert set(tasks_in(tmp_path / "archive", tmp_path / "out")) == {uid(2)}


def test_what_was_removed_is_no_exam_any_more(tmp_path):
    for number in (1, 2):
        write_study(tmp_path / "archive" / str(number), number, slice(0, 1))
    tasks_in(tmp_path / "archive", tmp_path / "out")
    shutil.rmtree(tmp_path / "archive" / "1")
    assert set(tasks_in(tmp_path / "archive", tmp_path / "out")) == {uid(2)}


def test_zips_are_exams_without_being_unpacked_and_never_twice(tmp_path):
    for number in (1, 2):
        write_study(tmp_path / "studies", number, slice(0, 2))
    with zipfile.ZipFile(tmp_path / "both.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((tmp_path / "studies").iterdir()):
            archive.write(path, path.name)
    for path in (tmp_path / "studies").glob("2_*"):
        path.unlink()
    tasks = tasks_in(tmp_path, tmp_path / "out")
    assert files_of(tasks[uid(1)]) == ["1_000.dcm", "1_001.dcm"], "the unpacked files are the exam"
    assert files_of(tasks[uid(2)]) == ["both.zip"] and tasks[uid(2)].study_uid == uid(2)


def test_what_cannot_be_read_is_an_exam_that_will_fail(tmp_path):
    write_damaged(tmp_path / "archive" / "SECRETNAME")
    (tmp_path / "archive" / "broken.zip").write_bytes(b"PK\x03\x04 and nothing more")
    tasks = tasks_in(tmp_path / "archive", tmp_path / "out")
    assert sorted(files_of(task) for task in tasks.values()) == [["broken.zip"], ["image.dcm"]]
    assert all(key.startswith("file-") for key in tasks)


def test_a_damaged_file_goes_with_every_study_of_its_folder(tmp_path):
    for number in (1, 2):
        write_study(tmp_path / "archive", number, slice(0, 1))
    (tmp_path / "archive" / "bad.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 400)
    tasks = tasks_in(tmp_path / "archive", tmp_path / "out")
    assert set(tasks) == {uid(1), uid(2)}
    assert all("bad.dcm" in files_of(task) for task in tasks.values())


def test_image_files_are_an_exam_each_unless_their_names_are_contrasts_of_one(tmp_path):
    image = np.zeros((4, 8, 8), np.float32)
    for name in ("case1.nii.gz", "case2.nii.gz"):
        (tmp_path / "ct").mkdir(exist_ok=True)
        write_nifti(tmp_path / "ct" / name, image)
    for name in ("FLAIR.nii.gz", "ADC.nii.gz", "TRACE.nii.gz"):
        (tmp_path / "mr").mkdir(exist_ok=True)
        write_nifti(tmp_path / "mr" / name, image)
    for name in ("sub-1_FLAIR.nii.gz", "sub-2_FLAIR.nii.gz"):
        (tmp_path / "flat").mkdir(exist_ok=True)
        write_nifti(tmp_path / "flat" / name, image)
    found = sorted(files_of(task) for task in tasks_in(tmp_path, tmp_path / "out").values())
    assert found == [
        ["ADC.nii.gz", "FLAIR.nii.gz", "TRACE.nii.gz"], ["case1.nii.gz"], ["case2.nii.gz"],
        ["sub-1_FLAIR.nii.gz"], ["sub-2_FLAIR.nii.gz"],
    ]  # fmt: skip


def test_the_output_folder_inside_the_archive_is_no_part_of_it(tmp_path):
    write_study(tmp_path / "1", 1, slice(0, 1))
    write_study(tmp_path / "out" / "exams", 2, slice(0, 1))
    assert set(tasks_in(tmp_path, tmp_path / "out")) == {uid(1)}


def test_the_name_of_an_exam_without_uid_tells_no_path_and_survives_moving_the_archive(tmp_path):
    (tmp_path / "a" / PATIENT_NAME).mkdir(parents=True)
    write_nifti(tmp_path / "a" / PATIENT_NAME / "head.nii.gz", np.zeros((4, 8, 8), np.float32))
    (key,) = tasks_in(tmp_path / "a", tmp_path / "out")
    assert "SECRET" not in key.upper()
    (tmp_path / "a").rename(tmp_path / "moved")
    assert set(tasks_in(tmp_path / "moved", tmp_path / "out2")) == {key}


def test_files_that_vanish_after_they_were_found_are_told(tmp_path):
    write_study(tmp_path / "archive", 1, slice(0, 1))
    (task,) = tasks_in(tmp_path / "archive", tmp_path / "out").values()
    shutil.rmtree(tmp_path / "archive")
    with pytest.raises(InputError, match="can no longer be read where they were found"):
        files_of(task)


def test_a_source_that_does_not_exist_is_told(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        tasks_in(tmp_path / "nowhere", tmp_path / "out")
