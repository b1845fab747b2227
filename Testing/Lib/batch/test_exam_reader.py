"""What a worker does with one exam: the same answer as `neurotriage triage`, and a reason for each that has none."""

from __future__ import annotations

import dataclasses
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import pytest

from NeuroTriageLib import catalog, cli
from NeuroTriageLib.batch import command, exam_reader
from NeuroTriageLib.batch.exam_reader import ExamReader
from NeuroTriageLib.batch.exam_task import ExamTask, Place
from NeuroTriageLib.batch.model_identity import model_identity
from NeuroTriageLib.core.errors import ModelError
from Testing.Lib import tiny_nael2021, tiny_packs
from Testing.Lib.batch.small_archive import options, tasks_in, uid, write_damaged, write_study
from Testing.Lib.ct_series import PATIENT_ID, PATIENT_NAME, every, write_series
from Testing.Lib.io.nifti_builder import write_nifti
from Testing.Lib.mr_phantom import write_study as write_mr


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    return tiny_packs.save(tmp_path_factory.mktemp("packs") / "tiny")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return write_study(tmp_path_factory.mktemp("study") / "SECRETNAME" / "series", 1)


def reader_for(out: Path, *arguments: object) -> ExamReader:
    """A worker of a batch with these options, in this process."""
    parsed = options("source", "-o", out, *arguments)
    out.mkdir(exist_ok=True)
    reading = command._Reading(model_identity(parsed)[0], None, lambda stage, text: None)
    return ExamReader(command._settings(parsed, reading, 1))


def only_task(source: Path, out: Path) -> ExamTask:
    (task,) = tasks_in(source, out).values()
    return task


def document_of(out: Path) -> dict:
    (path,) = out.rglob("findings.json")
    return json.loads(path.read_text("utf-8"))


def test_an_exam_of_an_archive_gets_the_answer_that_triage_gives(study, pack, tmp_path):
    outcome = reader_for(tmp_path / "out", "--model", pack).read(only_task(study, tmp_path / "out"))
    assert cli.main(["triage", str(study), "-o", str(tmp_path / "one"), "--model", str(pack), "--no-scene"]) == 0
    alone, batch = document_of(tmp_path / "one"), document_of(tmp_path / "out")
    assert batch["findings"] == alone["findings"] and batch["geometry"] == alone["geometry"]
    assert outcome.state == "answered" and [row["code"] for row in outcome.findings] == [
        finding["code"] for finding in alone["findings"]
    ]
    files = {path.name for path in (tmp_path / "one").iterdir()}
    assert {path.name for path in next(tmp_path.joinpath("out").rglob("findings.json")).parent.iterdir()} == files


def test_neither_name_nor_id_nor_path_of_a_patient_stands_in_results(study, pack, tmp_path):
    out = tmp_path / "out"
    task = only_task(study, tmp_path / "index")
    outcome = reader_for(out, "--model", pack).read(task)
    said = json.dumps(outcome.to_json()).encode() + b"".join(p.read_bytes() for p in out.rglob("*") if p.is_file())
    for secret in (PATIENT_NAME, PATIENT_ID, "SECRETNAME"):
        assert secret.encode() not in said


def test_findings_alone_can_be_asked_for(study, pack, tmp_path):
    reader_for(tmp_path / "out", "--model", pack, "--results", "findings").read(only_task(study, tmp_path / "out"))
    (path,) = tmp_path.joinpath("out").rglob("findings.json")
    assert [item.name for item in path.parent.iterdir()] == ["findings.json"]


def test_an_answer_that_is_there_is_not_made_again(study, pack, tmp_path, monkeypatch):
    reader, task = reader_for(tmp_path / "out", "--model", pack), only_task(study, tmp_path / "out")
    first = reader.read(task)
    monkeypatch.setattr(exam_reader, "triage_input", lambda *args, **more: pytest.fail("read a second time"))
    assert reader.read(task).findings == first.findings


def test_two_exams_at_once_wait_for_each_other_only_in_the_network(pack, tmp_path, monkeypatch):
    archive = tmp_path / "archive"
    for number in range(4):
        write_study(archive / str(number), number)
    tasks = tasks_in(archive, tmp_path / "out").values()
    system = catalog.load_system(pack=pack, device="cpu")
    inside, most, lock = [0], [0], threading.Lock()
    read = type(system).read

    def counted(self, *args, **more):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        try:
            return read(self, *args, **more)
        finally:
            with lock:
                inside[0] -= 1

    monkeypatch.setattr(type(system), "read", counted)
    reader = reader_for(tmp_path / "out", "--model", pack)
    with ThreadPoolExecutor(exam_reader.EXAMS_AT_ONCE) as threads:
        outcomes = list(threads.map(reader.read, tasks))
    assert [outcome.state for outcome in outcomes] == ["answered"] * 4
    assert most[0] == 1
    assert len({json.dumps(outcome.findings) for outcome in outcomes}) == 1, "the same head, the same answer"


def test_a_study_without_a_head_ct_is_not_suitable_and_no_failure(pack, tmp_path):
    write_series(tmp_path / "spine", every(BodyPartExamined="LSPINE", SeriesDescription="LUMBAR SPINE"))
    outcome = reader_for(tmp_path / "out", "--model", pack).read(only_task(tmp_path / "spine", tmp_path / "out"))
    assert outcome.state == "not_suitable" and "not negative" in outcome.error
    assert not list(tmp_path.joinpath("out").rglob("findings.json"))


def test_the_reason_of_an_unsuitable_image_file_tells_no_path(tmp_path, pack):
    folder = tmp_path / "SECRETNAME"
    folder.mkdir()
    write_nifti(folder / "image.nii.gz", np.zeros((4, 8, 8), np.float32), np.diag([1.0, 1.0, 5.0, 1.0]))
    reader, task = reader_for(tmp_path / "out", "--model", pack), only_task(folder, tmp_path / "out")
    for series in ((), ("image",)):
        outcome = reader.read(dataclasses.replace(task, series=series))
        assert outcome.state == "not_suitable" and "SECRETNAME" not in outcome.error


def test_a_damaged_exam_fails_with_its_reason_and_without_its_path(pack, tmp_path):
    write_damaged(tmp_path / "SECRETNAME")
    outcome = reader_for(tmp_path / "out", "--model", pack).read(only_task(tmp_path / "SECRETNAME", tmp_path / "out"))
    assert outcome.state == "failed" and outcome.error.startswith("DicomError: ")
    assert "SECRETNAME" not in outcome.error and not outcome.ends_batch


def test_a_full_disk_concerns_every_exam(study, pack, tmp_path, monkeypatch):
    def full(results, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exam_reader, "write_findings_json", full)
    reader = reader_for(tmp_path / "out", "--model", pack, "--results", "findings")
    outcome = reader.read(only_task(study, tmp_path / "out"))
    assert outcome.ends_batch and "disk is full" in outcome.error
    assert not list(tmp_path.joinpath("out", "exams").rglob(".*"))


def test_a_bug_costs_one_exam_and_is_told_without_its_values(study, pack, tmp_path, monkeypatch):
    def broken(*args, **more):
        raise ValueError(f"{PATIENT_NAME} is no number")

    reader = reader_for(tmp_path / "out", "--model", pack)
    monkeypatch.setattr(exam_reader, "triage_input", broken)
    outcome = reader.read(only_task(study, tmp_path / "out"))
    assert outcome.state == "failed" and "ValueError in test_exam_reader.py" in outcome.error
    assert PATIENT_NAME not in outcome.error


def test_a_brain_mri_has_a_row_for_each_finding_on_each_contrast(tmp_path):
    pack = tiny_nael2021.save(tmp_path / "tiny", operating_points=dict.fromkeys(tiny_nael2021.CONFIG.codes, 0.0))
    write_mr(tmp_path / "mr")
    outcome = reader_for(tmp_path / "out", "--model", pack).read(only_task(tmp_path / "mr", tmp_path / "out"))
    assert {(row["contrast"], row["code"]) for row in outcome.findings} == {
        ("FLAIR", "abnormal"), ("FLAIR", "acute_hemorrhage"), ("FLAIR", "mass_effect"), ("TRACE", "acute_infarct"),
    }  # fmt: skip


def test_a_choice_of_series_is_that_of_its_exam_alone(pack, tmp_path):
    write_study(tmp_path / "exam", 1)
    task = ExamTask(uid(1), uid(1), (Place(str(tmp_path / "exam"), None),), ("no such series",))
    outcome = reader_for(tmp_path / "out", "--model", pack).read(task)
    assert outcome.state == "failed" and "No series in the input is named" in outcome.error


def test_the_identity_of_models_follows_weights_and_options_but_not_the_place_of_the_pack(pack, tmp_path):
    def identity(*arguments):
        return model_identity(options("source", "-o", "out", *arguments))[0]

    first = identity("--model", pack)
    assert identity("--model", tiny_packs.save(tmp_path / "tiny")) == first
    assert identity("--model", pack, "--threshold", "any=0.3") != first
    assert identity("--model", tiny_packs.save(tmp_path / "other", version="2")) != first
    assert identity() != first, "the systems that ship"
    with pytest.raises(ModelError):
        identity("--model", tmp_path / "nowhere")


def test_a_model_that_cannot_be_loaded_ends_a_worker_at_its_start(pack, tmp_path):
    reader = reader_for(tmp_path / "out", "--model", pack)
    settings = exam_reader.ReaderSettings.from_json(reader._settings.to_json())
    settings.options["model"] = str(tmp_path / "nowhere")
    with pytest.raises(ModelError):
        ExamReader(settings)


def test_dicom_results_are_written_when_they_are_asked_for(study, pack, tmp_path):
    pytest.importorskip("highdicom")
    reader_for(tmp_path / "out", "--model", pack, "--dicom").read(only_task(study, tmp_path / "out"))
    (path,) = tmp_path.joinpath("out").rglob("structured_report.dcm")
    assert pydicom.dcmread(path).StudyInstanceUID == uid(1)
