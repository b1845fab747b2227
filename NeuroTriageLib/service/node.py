"""The node: its parts made from the site's file, its threads watched over, started after a kill and stopped cleanly."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from filelock import FileLock, Timeout

from ..core.errors import ConfigError
from .commitment import REPORT_CLASSES, event_handlers
from .courier import Courier
from .data_folder import DataFolder
from .dicom_receiver import DicomReceiver
from .exam_queue import ExamQueue
from .folder_watch import FolderWatch
from .http_service import http_server
from .inbox import Inbox
from .ledger import Ledger
from .outbox import Outbox
from .reader_process import ReaderProcess
from .reading_loops import FirstLookLoop, ReadingLoop, ReadingRoom
from .reading_process import Purpose
from .retention import RetentionSweep
from .site_config import Readers, SiteConfig

COMPLETE_S = 1.0  # how often quiet exams are looked for; ours
SWEEP_S = 600.0  # how often the retention rule is applied; ours
AGAIN_S = 5.0  # a part that ended by an error is started again after this; ours
STOP_S = 10.0  # what the parts get to end; ours

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """Something that runs in a thread of its own, until the event is set, and returns within seconds then."""

    name: str
    run: Callable[[threading.Event], None]


class Node:
    """One node on one data folder.

    Args:
        site: all settings.
        process: makes the handle of a reader's process.
        now: the clock, seconds since 1970.

    Raises:
        ConfigError: another node uses the data folder, its ledger cannot be used, or a destination is wrong.
        OutputError: the data folder cannot be made.
    """

    def __init__(
        self,
        site: SiteConfig,
        process: Callable[[Readers, Purpose], ReaderProcess] = ReaderProcess,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.site = site
        self.data = DataFolder(site.node.data_folder)
        self.data.make()
        self._lock = FileLock(self.data.lock)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(
                "Another node uses this data folder.",
                where=str(self.data.path),
                next_step="Stop it first, or name another folder.",
            ) from error
        try:
            self._make(process, now)
        except BaseException:
            self._lock.release()
            raise

    def _make(self, process: Callable[[Readers, Purpose], ReaderProcess], now: Callable[[], float]) -> None:
        site = self.site
        self.ledger = Ledger(self.data.ledger, now)
        self.queue = ExamQueue(self.ledger, site.completeness, site.order, site.readers.tries)
        self.inbox = Inbox(self.ledger, self.data, self.queue, site.limits)
        self.retention = RetentionSweep(self.ledger, self.data, site.retention)
        self.outbox = Outbox(self.ledger, site, self.data)
        self._courier = Courier(self.outbox)
        reports = event_handlers(self._courier.commitments)
        self.receiver = DicomReceiver(site, self.inbox, self.ledger, reports, REPORT_CLASSES)
        self._parts = self._all_parts(process)
        self.pages = None
        if site.http is not None:
            self.pages = http_server(site, site.http, self.ledger, self.data, self.inbox, self.problems)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._doors: list[Callable[[], None]] = []  # how each that was opened is closed

    def start(self) -> None:
        """Make order after the last end, whatever it was, then let images in. Raises ConfigError."""
        self._recover()
        for part in self._parts:
            thread = threading.Thread(target=self._watch_over, args=(part,), name=part.name, daemon=True)
            thread.start()
            self._threads.append(thread)
        if self.site.callers:
            self.receiver.start()
            self._doors.append(self.receiver.stop)
        if self.pages is not None:
            self.pages.start()
            self._doors.append(self.pages.stop)
        log.info("node started", extra={"parts": [part.name for part in self._parts]})

    def stop(self) -> None:
        """Let nobody in any more, end what runs, and release the data folder. What was being read waits again."""
        self._stop.set()
        for close in self._doors:
            close()
        until = time.monotonic() + STOP_S
        for thread in self._threads:
            thread.join(max(0.1, until - time.monotonic()))
        with self.ledger.transaction() as db:
            self.ledger.note(db, "node stopped")
        self.ledger.close()
        self._lock.release()
        log.info("node stopped")

    def problems(self) -> list[str]:
        """What is wrong now, in sentences that anybody may read."""
        said = [] if self.inbox.has_room() else ["The disk is too full to take images."]
        if any(loop.unfit for loop in self._reading):
            said.append("A reader cannot load its model and reads nothing.")
        return said

    def _all_parts(self, process: Callable[[Readers, Purpose], ReaderProcess]) -> list[Part]:
        readers = self.site.readers
        room = ReadingRoom(self.queue, self.data, readers, self.outbox.rows_for, self.inbox.has_room, process)
        self._reading = [ReadingLoop(room, number) for number in range(1, readers.processes + 1)]
        loops: list[ReadingLoop | FirstLookLoop | FolderWatch] = [*self._reading]
        if readers.first_look:
            loops.append(FirstLookLoop(room))
        for rule in self.site.watch:
            loops.append(FolderWatch(rule, self.inbox, self.queue, self.data, self.ledger))
        return [
            Part("housekeeping", Housekeeping(self.queue, self.retention).run),
            Part("courier", self._courier.run),
            *(Part(loop.name, loop.run) for loop in loops),
        ]

    def _recover(self) -> None:
        waiting = self.queue.recover()
        self.retention.recover()
        self.inbox.recover()
        with self.ledger.transaction() as db:
            self.ledger.note(db, "node started", f"{waiting} exams were being read")

    def _watch_over(self, part: Part) -> None:
        """Run a part; one that ends by an error, such as a full disk, is told and started again."""
        while not self._stop.is_set():
            try:
                part.run(self._stop)
            except Exception:
                log.exception("a part of the node failed and is started again", extra={"part": part.name})
                self._stop.wait(AGAIN_S)
        self.ledger.close()  # this thread's connection


class Housekeeping:
    """What is done by the clock: exams become complete, what is old goes."""

    def __init__(self, queue: ExamQueue, retention: RetentionSweep) -> None:
        self._queue, self._retention = queue, retention
        self._swept = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Until stop is set."""
        while not stop.is_set():
            self._queue.complete_quiet()
            if time.monotonic() - self._swept >= SWEEP_S:
                self._swept = time.monotonic()
                removed = self._retention.sweep()
                if removed:
                    log.info("removed by the retention rule", extra={"folders": removed})
            stop.wait(COMPLETE_S)
