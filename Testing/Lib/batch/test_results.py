"""The table and the folders of a batch: complete or not there, pseudonymous, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import sqlite3

import pytest

from NeuroTriageLib.batch.exam_task import exam_key
from NeuroTriageLib.batch.outcome import ExamOutcome
from NeuroTriageLib.batch.progress import BatchProgress
from NeuroTriageLib.batch.result_store import ResultStore
from NeuroTriageLib.batch.results_database import ResultsDatabase
from NeuroTriageLib.core.errors import OutputError
from Testing.Lib.batch.small_archive import table

FINDING = {
    "contrast": "", "code": "any", "system": "kuo2019", "status": "found", "probability": 0.9, "threshold": 0.5,
    "volume_ml": 12.5, "doubt": None, "agreement": None,
}  # fmt: skip


def answered(exam: str, **changes) -> ExamOutcome:
    return ExamOutcome(exam, "answered", (FINDING | changes,), 1.5)


def test_an_answer_takes_the_place_of_an_earlier_failure_whole(tmp_path):
    results = ResultsDatabase(tmp_path, "hash", {})
    results.keep(ExamOutcome("1.2", "failed", error="Truncated."))
    results.keep(answered("1.2"))
    results.close()
    assert [row[:4] for row in table(tmp_path)] == [("1.2", "answered", "", "any")]


def test_each_set_of_models_has_answers_of_its_own(tmp_path):
    for model in ("one", "two"):
        results = ResultsDatabase(tmp_path, model, {"models": model})
        assert results.states() == {}
        results.keep(answered("1.2"))
        assert results.states() == {"1.2": "answered"}
        results.close()
    assert len(table(tmp_path)) == 2


def test_a_row_that_cannot_be_written_leaves_nothing_of_its_exam(tmp_path):
    results = ResultsDatabase(tmp_path, "hash", {})
    twice = ExamOutcome("1.2", "answered", (FINDING, FINDING), 1.0)
    with pytest.raises(OutputError):
        results.keep(twice)
    assert results.states() == {} and table(tmp_path) == []
    results.close()


def test_the_tables_are_written_whole_and_hold_no_formulas(tmp_path):
    results = ResultsDatabase(tmp_path, "hash", {})
    results.keep(answered("1.2"))
    results.keep(ExamOutcome("1.3", "failed", error="=cmd|' /C calc'!A0", crashes=3))
    results.keep(ExamOutcome("1.4", "not_suitable", error="No head CT."))
    results.write_tables()
    results.close()
    with (tmp_path / "failures.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["exam"], row["state"]) for row in rows] == [("1.3", "failed"), ("1.4", "not_suitable")]
    assert rows[0]["error"].startswith("'=") and rows[0]["crashes"] == "3"
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["probability"] for row in csv.DictReader(stream)] == ["0.9", "", ""]


def test_the_database_can_be_read_while_a_batch_writes(tmp_path):
    results = ResultsDatabase(tmp_path, "hash", {})
    reader = sqlite3.connect(tmp_path / "results.sqlite", timeout=0)
    results.keep(answered("1.2"))
    assert reader.execute("SELECT count(*) FROM results").fetchone() == (1,)
    reader.close()
    results.close()


def test_a_result_folder_is_there_whole_or_not_at_all(tmp_path):
    store = ResultStore(tmp_path, "f" * 64)

    def write(folder):
        folder.mkdir()
        (folder / "findings.json").write_text('{"findings": []}', encoding="utf-8")

    def fail(folder):
        write(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="disk is full"):
        store.publish("1.2", fail)
    assert store.document("1.2") is None and not list(tmp_path.rglob("*.json"))
    store.publish("1.2", write)
    assert store.document("1.2") == {"findings": []}
    assert store.folder("1.2").name == "1.2"


def test_a_second_answer_of_an_exam_does_not_replace_the_first(tmp_path):
    store = ResultStore(tmp_path, "f" * 64)
    for text in ("1", "2"):

        def write(folder, text=text):
            folder.mkdir()
            (folder / "findings.json").write_text(text, encoding="utf-8")

        store.publish("1.2", write)
    assert store.document("1.2") == 1
    assert [path.name for path in store.folder("1.2").parent.iterdir()] == ["1.2"]


def test_what_killed_workers_left_is_cleared_away_and_results_stay(tmp_path):
    store = ResultStore(tmp_path, "f" * 64)
    store.publish("1.2", lambda folder: folder.mkdir())
    left = store.folder("1.2").parent / ".unfinished-0123"
    left.mkdir()
    (left / "masks.seg.nrrd").write_bytes(b"half")
    store.remove_unfinished()
    assert not left.exists() and store.folder("1.2").is_dir()


@pytest.mark.parametrize("wrong", ["../../etc", "1.2/3", "DOE^JOHN", "1" * 65, ".", "1.2 "])
def test_only_a_real_study_uid_names_an_exam(wrong):
    assert exam_key(wrong).startswith("study-") and wrong not in exam_key(wrong)
    assert exam_key("1.2.3") == "1.2.3"


def test_progress_tells_rate_and_remaining_time():
    times = iter([0.0, 10.0, 20.0, 30.0])
    progress = BatchProgress(10, 2, clock=lambda: next(times))
    assert progress.per_hour is None and progress.line() == "2/10 exams, 0 failed"
    for state in ("answered", "answered", "not_suitable", "failed"):
        progress.add(state)
    assert progress.per_hour == 360.0 and progress.seconds_left == 40.0
    assert progress.line() == "6/10 exams, 360/h, 1 min left, 1 not suitable, 1 failed"
