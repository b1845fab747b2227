"""The whole command with real worker processes: killed, crashed or interrupted at any moment, the table is the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from NeuroTriageLib import cli
from NeuroTriageLib.batch import command
from NeuroTriageLib.batch.local_pool import LocalPool
from NeuroTriageLib.core.errors import ConfigError, OutputError
from Testing.Lib import tiny_packs
from Testing.Lib.batch.small_archive import options, table, uid, write_archive, write_damaged
from Testing.Lib.ct_series import PATIENT_ID

ROOT = Path(__file__).resolve().parents[3]
EXAMS = 5


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    return tiny_packs.save(tmp_path_factory.mktemp("packs") / "tiny")


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    folder = write_archive(tmp_path_factory.mktemp("archive") / "archive", EXAMS)
    write_damaged(folder / "SECRETNAME^damaged")
    return folder


@pytest.fixture(scope="module")
def finished(archive, pack, tmp_path_factory) -> Path:
    """The output of a run that nothing disturbed."""
    out = tmp_path_factory.mktemp("finished") / "out"
    assert cli.main(arguments(archive, out, pack)) == 1, "one exam is damaged"
    return out


@pytest.fixture(scope="module")
def wanted(finished) -> list:
    """Its table."""
    return table(finished)


def arguments(archive: Path, out: Path, pack: Path, *more: str) -> list[str]:
    base = ["batch", str(archive), "-o", str(out), "--model", str(pack), "--device", "cpu"]
    return [*base, "--results", "findings", *more]


def start(archive: Path, out: Path, pack: Path) -> subprocess.Popen:
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "NeuroTriageLib.cli", *arguments(archive, out, pack)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def wait_for_results(out: Path, count: int, process: subprocess.Popen) -> None:
    while len(list(out.glob("exams/*/*/*/findings.json"))) < count and process.poll() is None:
        time.sleep(0.02)


def test_every_exam_has_its_rows_and_the_damaged_one_its_reason(wanted):
    answered = [row for row in wanted if row[1] == "answered"]
    assert {row[0] for row in answered} == {uid(number) for number in range(EXAMS)}
    assert len(answered) == EXAMS * len(tiny_packs.CODES)
    (failed,) = [row for row in wanted if row[1] == "failed"]
    assert failed[3] is None and failed[-1].startswith("DicomError")


def test_a_batch_that_was_killed_goes_on_and_ends_with_the_same_table(archive, pack, wanted, tmp_path):
    out = tmp_path / "out"
    process = start(archive, out, pack)
    wait_for_results(out, 2, process)
    process.kill()
    process.communicate()
    done = {path.parent.name: path.stat().st_mtime_ns for path in out.glob("exams/*/*/*/findings.json")}
    assert len(done) >= 2
    assert cli.main(arguments(archive, out, pack)) == 1
    assert table(out) == wanted
    after = {path.parent.name: path.stat().st_mtime_ns for path in out.glob("exams/*/*/*/findings.json")}
    assert {name: after[name] for name in done} == done, "what was answered is not read again"


@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(archive, pack, wanted, tmp_path):
    out, moment = tmp_path / "out", random.Random(7)
    for _ in range(8):
        process = start(archive, out, pack)
        time.sleep(moment.uniform(0.3, 12.0))
        process.kill()
        process.communicate()
    assert cli.main(arguments(archive, out, pack)) == 1
    assert table(out) == wanted
    assert not list(out.glob("exams/*/*/.*"))


def test_a_finished_batch_starts_no_worker_again(archive, pack, finished, wanted, monkeypatch, capsys):
    monkeypatch.setattr(command, "_pool", lambda *args: pytest.fail("a worker was started"))
    assert cli.main(arguments(archive, finished, pack)) == 1
    said = capsys.readouterr()
    assert f"{EXAMS + 1}/{EXAMS + 1} exams" in said.out and PATIENT_ID not in said.out + said.err
    assert table(finished) == wanted


class DeadlyPool(LocalPool):
    """Ends the worker that gets a certain exam, as a crash in a decoder would."""

    poison = uid(2)
    deaths = 0

    def submit(self, slot, task):
        super().submit(slot, task)
        if task.key == self.poison:
            DeadlyPool.deaths += 1
            os.kill(self._workers[slot].pid, signal.SIGKILL)


@pytest.mark.slow
def test_an_exam_that_kills_its_workers_is_set_aside_and_can_be_tried_again(
    archive, pack, wanted, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    DeadlyPool.deaths = 0
    monkeypatch.setattr("NeuroTriageLib.batch.local_pool.LocalPool", DeadlyPool)
    assert cli.main(arguments(archive, out, pack)) == 1
    rows = table(out)
    (aside,) = [row for row in rows if row[0] == uid(2)]
    assert aside[1] == "failed" and "Set aside after 3 tries: the worker process was ended by SIGKILL" in aside[-1]
    assert [row for row in rows if row[0] != uid(2)] == [row for row in wanted if row[0] != uid(2)]
    assert DeadlyPool.deaths in (3, 4), "three alone, and at most one beside another exam"
    monkeypatch.setattr(DeadlyPool, "poison", "")
    assert cli.main(arguments(archive, out, pack)) == 1
    assert table(out) == rows, "a failed exam stays failed"
    assert cli.main(arguments(archive, out, pack, "--retry-failed")) == 1
    assert table(out) == wanted


def test_an_interrupted_batch_ends_its_workers_and_tells_in_its_tables_what_is_done(
    archive, pack, tmp_path, monkeypatch
):
    out, pids = tmp_path / "out", []

    class Interrupted(LocalPool):
        def wait(self, timeout_s):
            pids[:] = self.process_ids
            if list(out.glob("exams/*/*/*/findings.json")):
                raise KeyboardInterrupt
            return super().wait(0.02)

    monkeypatch.setattr("NeuroTriageLib.batch.local_pool.LocalPool", Interrupted)
    assert cli.main(arguments(archive, out, pack)) == 1
    assert (out / "results.csv").is_file() and not list(out.glob("exams/*/*/.*"))
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_two_batches_in_one_folder_are_refused(tmp_path):
    (tmp_path / "out").mkdir()
    with command._locked(tmp_path / "out"), pytest.raises(OutputError, match="Another batch"):  # noqa: SIM117
        with command._locked(tmp_path / "out"):
            pass
    with command._locked(tmp_path / "out"):
        pass


def test_wrong_options_are_told_before_anything_is_read(tmp_path, pack):
    for more in (["--jobs", "0"], ["--limit", "-1"], ["--query", "StudyDate=2020"]):
        with pytest.raises(ConfigError):
            command.run_batch(options(tmp_path, "-o", tmp_path / "out", "--model", pack, *more), lambda *args: None)


def test_dispatching_needs_no_worker_for_an_empty_archive(tmp_path, pack, capsys):
    (tmp_path / "empty").mkdir()
    assert cli.main(arguments(tmp_path / "empty", tmp_path / "out", pack)) == 0
    assert "0/0 exams" in capsys.readouterr().out
