"""States and order of exams: complete when quiet, never changed while read, urgent first, none starves, three tries."""

from __future__ import annotations

import itertools
import json
import sqlite3
from pathlib import Path

import pytest

from NeuroTriageLib.service.data_folder import DataFolder
from NeuroTriageLib.service.exam_queue import HIGH, LOW, MEDIUM, RECOVERED, Arrival, ExamAnswer, ExamQueue
from NeuroTriageLib.service.inbox import Inbox
from NeuroTriageLib.service.ledger import Ledger
from NeuroTriageLib.service.site_config import Completeness, Limits, Order
from Testing.Lib.service.small_exams import as_bytes, small_image, study_uid

H = 3600.0
ANSWER = ExamAnswer("found", "folder", ({"code": "any", "status": "found"},), {"kuo2019": "ab"})


def no_rows(db: sqlite3.Connection, exam: sqlite3.Row, answer: ExamAnswer) -> None:
    pass


class Ward:
    """A queue whose clock the test turns."""

    def __init__(self, folder: Path, order: Order | None = None) -> None:
        self.now = 1e9
        data = DataFolder(folder)
        data.make()
        self.ledger = Ledger(data.ledger, lambda: self.now)
        self.queue = ExamQueue(self.ledger, Completeness(quiet_s=60, longest_s=600), order or Order(), 3)
        self.inbox = Inbox(self.ledger, data, self.queue, Limits(keep_free_gb=0.0))

    def arrive(self, study: int, number: int = 1, priority: int = MEDIUM, expected: int | None = None) -> None:
        self.inbox.receive([as_bytes(small_image(study, number))], Arrival("CT1", priority, expected))

    def complete(self, study: int, priority: int = MEDIUM, urgency: float | None = None) -> None:
        self.arrive(study, priority=priority)
        self.queue.finish(study_uid(study))
        if urgency is not None:
            self.queue.looked_at(self.exam(study)["id"], urgency, {"probability": urgency})

    def exam(self, study: int) -> sqlite3.Row:
        return self.ledger.rows("SELECT * FROM exam WHERE study_uid = ? ORDER BY revision DESC", (study_uid(study),))[0]

    def claimed(self) -> str | None:
        exam = self.queue.claim()
        return None if exam is None else exam.study_uid


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path)


def test_an_exam_is_complete_when_nothing_came_for_the_quiet_time(ward: Ward) -> None:
    ward.arrive(1, 1)
    ward.now += 50
    ward.arrive(1, 2)
    ward.now += 50
    assert ward.queue.complete_quiet() == 0
    ward.now += 10
    assert ward.queue.complete_quiet() == 1
    assert ward.exam(1)["state"] == "queued"


def test_an_image_that_is_sent_again_keeps_the_exam_open(ward: Ward) -> None:
    ward.arrive(1, 1)
    ward.now += 50
    ward.arrive(1, 1)
    ward.now += 50
    assert ward.queue.complete_quiet() == 0


def test_an_exam_that_never_becomes_quiet_is_read_after_the_longest_time(ward: Ward) -> None:
    for number in range(13):
        ward.arrive(1, number)
        assert ward.queue.complete_quiet() == (number == 12)
        ward.now += 50


def test_an_exam_is_complete_at_once_when_its_sender_always_sends_so_many(ward: Ward) -> None:
    for number in range(3):
        assert number == 0 or ward.exam(1)["state"] == "receiving"
        ward.arrive(1, number, expected=3)
    assert ward.exam(1)["state"] == "queued"


def test_a_last_image_that_a_start_has_taken_in_completes_the_exam_when_it_is_sent_again(ward: Ward) -> None:
    """The node was killed between file and acknowledgement: who had sent it is not known when it is taken in."""
    ward.arrive(1, 1, expected=2)
    ward.inbox.receive([as_bytes(small_image(1, 2))], Arrival("recovered"))
    assert ward.exam(1)["state"] == "receiving"
    ward.arrive(1, 2, expected=2)
    assert ward.exam(1)["state"] == "queued"


def test_an_exam_that_waits_takes_a_late_image_and_waits_for_quiet_again(ward: Ward) -> None:
    ward.complete(1)
    ward.now += 5
    ward.arrive(1, 2)
    assert (ward.exam(1)["state"], ward.exam(1)["revision"]) == ("receiving", 1)


@pytest.mark.parametrize("answered", [False, True])
def test_late_images_open_a_revision_that_is_read_with_all_images(ward: Ward, answered: bool) -> None:
    ward.complete(1)
    first = ward.queue.claim()
    assert first is not None and len(first.paths) == 1
    if answered:
        ward.queue.answer(first.id, ANSWER, no_rows)
    ward.arrive(1, 2)
    assert ward.exam(1)["revision"] == 2
    ward.queue.finish(study_uid(1))
    second = ward.queue.claim()
    assert second is not None and (second.revision, len(second.paths)) == (2, 2)


def test_what_looks_urgent_comes_first_and_dicom_priority_counts(ward: Ward) -> None:
    ward.complete(1, urgency=0.1)
    ward.complete(2, LOW, urgency=0.1)
    ward.complete(3, HIGH, urgency=0.1)
    ward.complete(4, urgency=0.9)
    ward.complete(5, HIGH, urgency=0.9)
    order = [ward.claimed() for _ in range(5)]
    assert order == [study_uid(number) for number in (5, 4, 3, 1, 2)]


def test_an_exam_that_no_look_has_seen_stands_between_urgent_and_not_urgent(ward: Ward) -> None:
    ward.complete(1, urgency=0.05)
    ward.complete(2)
    ward.complete(3, urgency=0.95)
    assert [ward.claimed() for _ in range(3)] == [study_uid(number) for number in (3, 2, 1)]


def test_none_starves_an_exam_is_overtaken_only_for_the_largest_head_start(tmp_path: Path) -> None:
    """Every hour two exams come and one is read: one routine, the others as urgent as can be."""
    order = Order(first_look_h=2.0, dicom_high_h=1.0, dicom_low_h=-1.0)
    ward = Ward(tmp_path, order)
    ward.complete(0, LOW, urgency=0.0)
    longest_h = order.first_look_h + order.dicom_high_h - order.dicom_low_h
    for hour, number in zip(range(100), itertools.count(1, 2)):
        for extra in range(2):
            ward.complete(number + extra, HIGH, urgency=1.0)
        ward.now += H
        if ward.claimed() == study_uid(0):
            # those that came within the largest head start after it are read before it, two an hour, one read an hour
            assert hour <= 2 * longest_h + 2
            return
    raise AssertionError("the routine exam was never read")


def test_three_failures_set_an_exam_aside_with_its_reason_and_others_come_between(ward: Ward) -> None:
    ward.complete(1, urgency=0.9)
    ward.complete(2, urgency=0.9)
    for number in range(3):
        exam = ward.queue.claim()
        assert exam is not None
        if number == 1:
            assert exam.study_uid == study_uid(2)
            ward.queue.answer(exam.id, ANSWER, no_rows)
            exam = ward.queue.claim()
            assert exam is not None
        assert exam.study_uid == study_uid(1)
        ward.queue.failed(exam.id, f"reason {number}", no_rows)
    assert (ward.exam(1)["state"], ward.exam(1)["reason"], ward.exam(1)["tries"]) == ("set_aside", "reason 2", 3)
    assert ward.queue.claim() is None
    assert ward.queue.try_again(study_uid(1)) == 1
    assert ward.claimed() == study_uid(1)


def test_a_clock_that_is_set_back_delays_no_exam_by_more_than_the_quiet_time(ward: Ward) -> None:
    ward.arrive(1)
    ward.now -= 5 * H
    assert ward.queue.complete_quiet() == 0
    ward.now += 60
    assert ward.queue.complete_quiet() == 1


@pytest.mark.parametrize("number", [1, 2])
def test_an_exam_that_was_found_after_a_kill_is_the_exam_of_who_sends_it_again(ward: Ward, number: int) -> None:
    ward.inbox.receive([as_bytes(small_image(1, 1))], Arrival(RECOVERED))
    ward.arrive(1, number)
    assert ward.exam(1)["source"] == "CT1"


def test_a_restart_is_no_try(ward: Ward) -> None:
    ward.complete(1)
    for _ in range(5):
        assert ward.claimed() == study_uid(1)
        assert ward.queue.recover() == 1
    assert ward.exam(1)["tries"] == 0


def test_an_exam_is_answered_once_and_with_what_is_to_be_sent_or_not_at_all(ward: Ward) -> None:
    ward.complete(1)
    exam = ward.queue.claim()
    assert exam is not None

    def broken(db: sqlite3.Connection, row: sqlite3.Row, answer: ExamAnswer) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        ward.queue.answer(exam.id, ANSWER, broken)
    assert ward.exam(1)["state"] == "reading"
    assert ward.queue.answer(exam.id, ANSWER, no_rows)
    assert not ward.queue.answer(exam.id, ANSWER, no_rows)
    row = ward.exam(1)
    assert (row["state"], row["result"], json.loads(row["models"])) == ("answered", "folder", {"kuo2019": "ab"})
    assert len(ward.ledger.rows("SELECT 1 FROM audit WHERE event = 'answered'")) == 1


def test_the_first_look_sees_each_waiting_exam_once_in_the_order_of_arrival(ward: Ward) -> None:
    for study in (1, 2):
        ward.complete(study)
        ward.now += 1
    seen = []
    while exam := ward.queue.next_to_look_at():
        seen.append(exam.study_uid)
        ward.queue.looked_at(exam.id, 0.3, {"probability": 0.3})
    assert seen == [study_uid(1), study_uid(2)]
