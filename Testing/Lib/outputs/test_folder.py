"""The result folder is complete or as it was."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import replace

import pytest

from NeuroTriageLib.core.errors import OutputError
from NeuroTriageLib.outputs import folder
from NeuroTriageLib.outputs.folder import check_output_folder, write_outputs
from Testing.Lib.exam_builder import IPH, ExamSettings, build_exam, build_unreadable_exam

EXAM = build_exam(ExamSettings(blood=IPH))
FOUR = ["findings.json", "masks.seg.nrrd", "heatmap.nrrd", "report.html"]


def write_scene(result, path):
    path.write_bytes(b"scene")


def everything(root):
    """Every file and folder below, with the files' contents."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in sorted(root.rglob("*"))
    }


def test_five_files_are_written_and_nothing_beside_them(tmp_path):
    paths = write_outputs(EXAM, tmp_path / "out", write_scene=write_scene)
    assert [path.name for path in paths] == [*FOUR, "scene.mrb"]
    assert all(path.is_file() for path in paths)
    assert sorted(os.listdir(tmp_path)) == ["out"]
    assert sorted(os.listdir(tmp_path / "out")) == sorted([*FOUR, "scene.mrb"])


def test_a_system_that_draws_no_masks_leaves_no_empty_ones(tmp_path):
    reading = replace(EXAM.readings[0], segments=False)
    paths = write_outputs(replace(EXAM, readings=(reading,)), tmp_path / "out")
    assert [path.name for path in paths] == ["findings.json", "heatmap.nrrd", "report.html"]


def test_missing_parents_are_made(tmp_path):
    write_outputs(EXAM, tmp_path / "a" / "b" / "out")
    assert sorted(os.listdir(tmp_path / "a" / "b")) == ["out"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    write_outputs(EXAM, tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == sorted(FOUR)


def test_new_folder_has_the_usual_rights(tmp_path):
    (tmp_path / "usual").mkdir()
    write_outputs(EXAM, tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_without_force_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "findings.json").write_text("mine")
    before = everything(tmp_path)
    with pytest.raises(OutputError, match="--force") as caught:
        write_outputs(EXAM, tmp_path / "out")
    assert caught.value.exit_code == 1
    assert everything(tmp_path) == before


def test_force_replaces_the_results_and_keeps_the_users_files(tmp_path):
    write_outputs(EXAM, tmp_path / "out", write_scene=write_scene)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    old_report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    write_outputs(build_exam(ExamSettings()), tmp_path / "out", force=True)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8") != old_report


def test_force_leaves_no_older_scene_beside_newer_findings(tmp_path):
    write_outputs(EXAM, tmp_path / "out", write_scene=write_scene)
    write_outputs(EXAM, tmp_path / "out", force=True)
    assert sorted(os.listdir(tmp_path / "out")) == sorted(FOUR)


def test_an_exam_that_could_not_be_read_has_no_mask_that_would_look_negative(tmp_path):
    write_outputs(build_unreadable_exam(), tmp_path / "out", write_scene=write_scene)
    assert sorted(os.listdir(tmp_path / "out")) == ["findings.json", "report.html"]


def test_scene_writer_that_writes_nothing_costs_no_other_file(tmp_path):
    paths = write_outputs(EXAM, tmp_path / "out", write_scene=lambda result, path: None)
    assert [path.name for path in paths] == FOUR


@pytest.mark.parametrize("made_before", [False, True], ids=["new folder", "with older results"])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt(), OutputError("No.")])
def test_any_failure_leaves_everything_as_it_was(made_before, failure, tmp_path):
    if made_before:
        write_outputs(build_exam(ExamSettings()), tmp_path / "deep" / "out")
    before = everything(tmp_path)

    def fail(result, path):
        path.write_bytes(b"half")
        raise failure

    with pytest.raises(KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else OutputError):
        write_outputs(EXAM, tmp_path / "deep" / "out", force=True, write_scene=fail)
    assert everything(tmp_path) == before


def test_failure_while_moving_into_place_brings_the_old_results_back(tmp_path, monkeypatch):
    write_outputs(build_exam(ExamSettings()), tmp_path / "out", write_scene=write_scene)
    before = everything(tmp_path)
    real = os.replace

    def stops_at_the_report(source, target):
        if str(target).endswith("out/report.html") and ".replaced" not in str(source):
            raise OSError(errno.EIO, "Input/output error")
        real(source, target)

    monkeypatch.setattr(folder.os, "replace", stops_at_the_report)
    with pytest.raises(OutputError):
        write_outputs(EXAM, tmp_path / "out", force=True)
    assert everything(tmp_path) == before


def test_full_disk_is_named(tmp_path, monkeypatch):
    def full(result, path):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(folder, "write_masks", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_outputs(EXAM, tmp_path / "out")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_missing_rights_are_named_before_the_work(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(OutputError, match="no right"):
        check_output_folder(tmp_path / "out", force=False)
    tmp_path.chmod(0o755)


def test_no_rights_at_the_end_are_named(tmp_path, monkeypatch):
    def denied(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(folder.tempfile, "mkdtemp", denied)
    with pytest.raises(OutputError, match="no right"):
        write_outputs(EXAM, tmp_path / "new" / "out")
    assert os.listdir(tmp_path) == []


def test_a_file_in_place_of_the_folder_is_refused_even_with_force(tmp_path):
    (tmp_path / "out").write_text("mine")
    for place in (tmp_path / "out", tmp_path / "out" / "below"):
        with pytest.raises(OutputError):
            check_output_folder(place, force=True)
    assert (tmp_path / "out").read_text() == "mine"


def test_a_name_that_no_disk_takes_is_one_clear_message(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        check_output_folder(tmp_path / ("x" * 300), force=False)


def test_a_link_to_a_folder_is_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    write_outputs(EXAM, tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "elsewhere")) == sorted(FOUR)
    assert (tmp_path / "out").is_symlink()


def write_dicom(result, folder):
    (folder / "structured_report.dcm").write_bytes(b"report")
    (folder / "key_image_2.dcm").write_bytes(b"picture")


def test_dicom_objects_are_replaced_as_a_set_and_other_dicom_files_stay(tmp_path):
    paths = write_outputs(EXAM, tmp_path / "out", write_dicom=write_dicom)
    assert [path.name for path in paths] == [*FOUR, "structured_report.dcm", "key_image_2.dcm"]
    (tmp_path / "out" / "IM0001.dcm").write_bytes(b"mine")
    write_outputs(EXAM, tmp_path / "out", force=True)
    assert sorted(os.listdir(tmp_path / "out")) == sorted([*FOUR, "IM0001.dcm"])
