"""The threads that give exams to readers: one for each process, and one for the first look."""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..core.errors import NeuroTriageError
from .data_folder import DataFolder
from .exam_queue import UNKNOWN_URGENCY, ExamAnswer, ExamQueue, QueuedExam, RowsFor
from .first_look import FirstLook
from .reader_process import ReaderDied, ReaderHung, ReaderProcess, Stopped
from .reading_process import LookJob, Purpose, ReadJob
from .site_config import Readers

IDLE_S = 0.5  # how often the queue is asked when nothing waits; ours
UNFIT_S = 30.0  # a reader whose model cannot be loaded tries again after this; ours
TELL_S = 2.0  # how often the progress of one exam is written to the ledger; ours
FIRST_LOOK_LIMIT_S = 120.0  # a look that takes longer than this is of no use; ours

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadingRoom:
    """What both loops need.

    Args:
        queue: of exams.
        folder: images and results.
        settings: [readers] of the site's file.
        rows_for: adds what is to be sent of an exam that is answered or set aside, in its transaction.
        has_room: False while there is too little room on the disk to write results.
        process: makes the handle of a reader's process.
    """

    queue: ExamQueue
    folder: DataFolder
    settings: Readers
    rows_for: RowsFor
    has_room: Callable[[], bool]
    process: Callable[[Readers, Purpose], ReaderProcess] = ReaderProcess

    def paths(self, exam: QueuedExam) -> tuple:
        """Where an exam's images lie."""
        return tuple(self.folder.inbox / path for path in exam.paths)


class ReadingLoop:
    """Reads the most urgent exam, again and again, with one process."""

    def __init__(self, room: ReadingRoom, number: int) -> None:
        self.name = f"reader-{number}"
        self.unfit = False  # its model cannot be loaded now
        self._room = room
        self._process = room.process(room.settings, "read")
        self._unfinished: int | None = None

    def run(self, stop: threading.Event) -> None:
        """Until stop is set; an exam that is being read then waits again, and that is no try."""
        self._process.start()
        try:
            if self._unfinished is not None:  # this thread ended by an error before, such as a full disk
                self._room.queue.release(self._unfinished)
            while not stop.is_set():
                exam = self._room.queue.claim() if self._room.has_room() else None
                if exam is None:
                    stop.wait(IDLE_S)
                else:
                    self._read(exam, stop)
        finally:
            self._process.end()

    def _read(self, exam: QueuedExam, stop: threading.Event) -> None:
        room = self._room
        result = room.folder.results / f"{exam.id}_{secrets.token_hex(4)}"
        job = ReadJob(exam.study_uid, room.paths(exam), result)
        started = time.monotonic()
        kept = False
        self._unfinished = exam.id
        try:
            told = self._process.ask(job, _Progress(room.queue, exam.id), stop, room.settings.time_limit_s)
            self.unfit = told.unfit
            if isinstance(told.answer, ExamAnswer):
                kept = room.queue.answer(exam.id, told.answer, room.rows_for) and told.answer.result is not None
                seconds = round(time.monotonic() - started, 1)
                log.info("exam answered", extra={"exam": exam.id, "answer": told.answer.answer, "seconds": seconds})
            elif told.unfit:
                room.queue.release(exam.id)
                log.error("the reader cannot read", extra={"reader": self.name, "reason": told.reason})
                stop.wait(UNFIT_S)
            else:
                self._fail(exam, told.reason)
        except Stopped:
            room.queue.release(exam.id)
        except (ReaderDied, ReaderHung) as error:
            self._fail(exam, str(error))
        except NeuroTriageError as error:  # the results cannot be sent as they are
            self._fail(exam, error.what)
        finally:
            if not kept:
                for path in (result, *result.parent.glob(f".{result.name}.*")):  # outputs/folder.py begins beside it
                    shutil.rmtree(path, ignore_errors=True)
        self._unfinished = None

    def _fail(self, exam: QueuedExam, reason: str) -> None:
        log.warning("reading failed", extra={"exam": exam.id, "try": exam.tries + 1, "reason": reason})
        self._room.queue.failed(exam.id, reason, self._room.rows_for)


class FirstLookLoop:
    """Looks at each exam that waits, with a process of its own."""

    name = "first-look"

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        self._process = room.process(room.settings, "look")

    def run(self, stop: threading.Event) -> None:
        """Until stop is set."""
        try:
            while not stop.is_set():
                exam = self._room.queue.next_to_look_at()
                if exam is None:
                    stop.wait(IDLE_S)
                else:
                    self._look(exam, stop)
        finally:
            self._process.end()

    def _look(self, exam: QueuedExam, stop: threading.Event) -> None:
        try:
            told = self._process.ask(
                LookJob(self._room.paths(exam)), lambda stage, fraction: None, stop, FIRST_LOOK_LIMIT_S
            )
            seen = told.answer
            if not isinstance(seen, FirstLook):
                seen = FirstLook(UNKNOWN_URGENCY, told.reason)
        except Stopped:
            return
        except (ReaderDied, ReaderHung) as error:
            seen = FirstLook(UNKNOWN_URGENCY, str(error))
        self._room.queue.looked_at(exam.id, seen.urgency, seen.to_json())


class _Progress:
    """Writes an exam's progress to the ledger, not too often."""

    def __init__(self, queue: ExamQueue, exam_id: int) -> None:
        self._queue, self._exam_id = queue, exam_id
        self._told = float("-inf")

    def __call__(self, stage: str, fraction: float) -> None:
        now = time.monotonic()
        if now - self._told >= TELL_S:
            self._told = now
            self._queue.progress(self._exam_id, stage, fraction)
