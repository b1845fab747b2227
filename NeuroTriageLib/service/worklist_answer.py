"""The worklist as JSON, made once for all screens that ask, and anew when the ledger has changed."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import Any

from .exam_files import ExamFiles
from .ledger import Ledger
from .site_config import Order
from .worklist import WorklistExam, counts_by_state, worklist

# Ages and waits in the list, and what leaves its window, are no older than this (ours).
KEEP_S = 5.0
_OF_TIME = ("age_s", "wait_s")


@dataclass(frozen=True)
class _Made:
    version: int
    hours: float
    at_s: float
    tag: str
    content: str


class WorklistAnswer:
    """Safe to use from several threads.

    Args:
        ledger: the node's memory.
        files: of its exams.
        order: of the node's queue.
    """

    def __init__(self, ledger: Ledger, files: ExamFiles, order: Order) -> None:
        self._ledger, self._files, self._order = ledger, files, order
        self._lock = threading.Lock()
        # A connection that never writes: its data_version changes with every commit of any other (sqlite.org/pragma).
        self._watch = sqlite3.connect(ledger.path, check_same_thread=False, isolation_level=None)
        self._made: dict[float, _Made] = {}

    def get(self, hours: float) -> tuple[str, bytes]:
        """The entity tag, which only time does not change, and the answer."""
        with self._lock:
            (version,) = self._watch.execute("PRAGMA data_version").fetchone()
            made = self._made.get(hours)
            if made is None or made.version != version or time.monotonic() - made.at_s > KEEP_S:
                made = self._make(version, hours)
                self._made = {hours: made} | {h: other for h, other in self._made.items() if other.version == version}
        return made.tag, f'{{"now": {self._ledger.now()}, {made.content[1:]}'.encode()

    def listed(self, exam: WorklistExam) -> dict[str, Any]:
        """One line of the list, with whose exam it is."""
        key_images = self._files.key_image_count(exam.id) if exam.has_result else 0
        return exam.to_json() | {"patient": self._files.patient(exam.id).to_json(), "key_images": key_images}

    def _make(self, version: int, hours: float) -> _Made:
        exams = [self.listed(exam) for exam in worklist(self._ledger, hours * 3600, self._order)]
        counts = counts_by_state(self._ledger)
        lasting = [{key: value for key, value in exam.items() if key not in _OF_TIME} for exam in exams]
        tag = hashlib.sha256(json.dumps([lasting, counts]).encode()).hexdigest()[:32]
        content = json.dumps({"counts": counts, "exams": exams})
        return _Made(version, hours, time.monotonic(), f'"{tag}"', content)
