"""Retention: only what is past goes, by age or when the disk is full; a kill in between loses nothing; audit stays."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from NeuroTriageLib.service.data_folder import DataFolder
from NeuroTriageLib.service.exam_queue import Arrival, ExamAnswer, ExamQueue
from NeuroTriageLib.service.inbox import Inbox
from NeuroTriageLib.service.ledger import Ledger
from NeuroTriageLib.service.retention import DAY_S, IMAGES, RESULTS, RetentionSweep
from NeuroTriageLib.service.site_config import Completeness, Limits, Order, Retention
from Testing.Lib.service.small_exams import as_bytes, small_image, study_uid


class Archive:
    """Exams that were answered, whose clock the test turns."""

    def __init__(self, folder: Path, rule: Retention) -> None:
        self.now = 1e9
        self.data = DataFolder(folder)
        self.data.make()
        self.ledger = Ledger(self.data.ledger, lambda: self.now)
        self.queue = ExamQueue(self.ledger, Completeness(), Order(), 1)
        self.inbox = Inbox(self.ledger, self.data, self.queue, Limits(keep_free_gb=0.0))
        self.retention = RetentionSweep(self.ledger, self.data, rule)

    def add(self, study: int, state: str = "done", image: int = 1) -> int:
        self.inbox.receive([as_bytes(small_image(study, image))], Arrival("CT1"))
        self.queue.finish(study_uid(study))
        exam = self.queue.claim()
        assert exam is not None
        if state == "set_aside":
            self.queue.failed(exam.id, "reason", lambda *_: None)
            return exam.id
        (self.data.results / f"r{exam.id}").mkdir()
        self.queue.answer(exam.id, ExamAnswer("found", f"r{exam.id}", (), {}), lambda *_: None)
        with self.ledger.transaction() as db:
            db.execute("UPDATE exam SET state = ?, done_at = ? WHERE id = ?", (state, self.now, exam.id))
        return exam.id

    def kept(self) -> tuple[int, int]:
        """Images and results that are there."""
        return len(list(self.data.inbox.iterdir())), len(list(self.data.results.iterdir()))

    def states(self) -> list[str]:
        return [row["state"] for row in self.ledger.rows("SELECT state FROM exam ORDER BY id")]


BY_AGE = Retention(images_days=7, results_days=30, set_aside_days=30, disk_share=1.0)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path, BY_AGE)


def test_images_then_results_of_done_exams_go_by_age_and_the_audit_stays(archive: Archive) -> None:
    archive.add(1)
    archive.now += 6 * DAY_S
    assert archive.retention.sweep() == 0
    archive.now += 2 * DAY_S
    archive.retention.sweep()
    assert (archive.kept(), archive.states()) == ((0, 1), ["done"])
    archive.now += 30 * DAY_S
    archive.retention.sweep()
    assert (archive.kept(), archive.states()) == ((0, 0), ["deleted"])
    events = [row["event"] for row in archive.ledger.rows("SELECT event FROM audit")]
    assert {"opened", "answered", "removed images", "removed results"} <= set(events)
    assert archive.retention.sweep() == 0


@pytest.mark.parametrize("state", ["answered", "reading", "queued"])
def test_an_exam_that_is_not_done_keeps_everything_however_old(archive: Archive, state: str) -> None:
    archive.add(1, state)
    archive.now += 1000 * DAY_S
    assert archive.retention.sweep() == 0


@pytest.mark.parametrize(("state", "goes"), [("committed", True), ("given_up", False), ("waiting", False)])
def test_nothing_goes_of_an_exam_with_a_result_that_never_reached_its_place(
    archive: Archive, state: str, goes: bool
) -> None:
    exam = archive.add(1)
    with archive.ledger.transaction() as db:
        db.execute(
            "INSERT INTO delivery (exam_id, destination, sop_class_uid, sop_uid, path, state, waiting_since,"
            " next_try_at) VALUES (?, 'pacs', '1', '2', 'x', ?, 0, 0)",
            (exam, state),
        )
    archive.now += 1000 * DAY_S
    archive.retention.sweep()
    assert archive.kept() == ((0, 0) if goes else (1, 1))


def test_a_study_with_a_newer_exam_keeps_its_images(archive: Archive) -> None:
    archive.add(1)
    archive.now += 100 * DAY_S
    archive.add(1, "answered", image=2)
    archive.retention.sweep()
    assert len(list(archive.data.inbox.rglob("*.dcm"))) == 2


def test_images_of_exams_that_were_set_aside_go_by_their_own_rule(archive: Archive) -> None:
    archive.add(1, "set_aside")
    archive.now += 10 * DAY_S
    assert archive.retention.sweep() == 0
    archive.now += 30 * DAY_S
    archive.retention.sweep()
    assert (archive.kept(), archive.states()) == ((0, 0), ["deleted"])


def test_images_of_a_study_that_was_set_aside_later_are_kept_as_long_as_those_of_any_such(archive: Archive) -> None:
    archive.add(1)
    archive.add(1, "set_aside", image=2)
    archive.now += 10 * DAY_S
    assert archive.retention.sweep() == 0
    archive.now += 30 * DAY_S
    archive.retention.sweep()
    assert archive.kept() == (0, 0)


def test_images_that_are_kept_longer_than_results_go_all_the_same(tmp_path: Path) -> None:
    archive = Archive(tmp_path, Retention(images_days=30, results_days=7, disk_share=1.0))
    archive.add(1)
    archive.now += 10 * DAY_S
    archive.retention.sweep()
    assert (archive.kept(), archive.states()) == ((1, 0), ["deleted"])
    archive.now += 30 * DAY_S
    archive.retention.sweep()
    assert archive.kept() == (0, 0)


def test_a_study_that_is_sent_again_after_its_images_went_is_a_further_exam(archive: Archive) -> None:
    archive.add(1)
    archive.now += 8 * DAY_S
    archive.retention.sweep()
    archive.add(1, "answered")
    assert archive.states() == ["done", "answered"]


def test_a_full_disk_takes_images_of_the_oldest_first_then_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Archive(tmp_path, Retention(None, None, None, disk_share=0.5))
    for study in (1, 2, 3):
        archive.add(study)
        archive.now += 60
    monkeypatch.setattr(DataFolder, "used_share", lambda self: 0.2 * (len(archive.kept()) and sum(archive.kept()) / 2))
    archive.retention.sweep()
    assert archive.kept() == (2, 3)
    assert not (archive.data.inbox / study_uid(1)).exists()


@pytest.mark.parametrize("kind", [IMAGES, RESULTS])
def test_a_kill_between_moving_away_and_forgetting_is_undone(archive: Archive, kind: str) -> None:
    exam = archive.add(1)
    name, folder = (study_uid(1), archive.data.inbox) if kind == IMAGES else (f"r{exam}", archive.data.results)
    (folder / name).rename(archive.data.removed / f"{kind}{name}")
    archive.retention.recover()
    assert (folder / name).is_dir()


def test_a_kill_after_forgetting_is_finished_and_results_that_became_no_answer_go(archive: Archive) -> None:
    archive.add(1)
    (archive.data.removed / f"{IMAGES}1.2.3").mkdir()
    (archive.data.results / "7_abcd").mkdir()
    archive.retention.recover()
    assert list(archive.data.removed.iterdir()) == []
    assert archive.kept() == (1, 1)


def test_a_removal_that_fails_in_the_ledger_leaves_the_files(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.add(1)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Ledger, "note", full)
    with pytest.raises(sqlite3.OperationalError):
        archive.retention.remove_images(study_uid(1))
    assert archive.kept() == (1, 1)
