"""What the doors for images have in common: how fast a sender may be, and what is written down of those turned away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from .ledger import Ledger

REFUSALS_PER_MINUTE = 60  # that are written down: strangers must not fill the disk with them; ours

log = logging.getLogger(__name__)


class Refusals:
    """Notes of one door.

    Args:
        ledger: keeps the audit trail.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._allowance = ledger, Allowance(REFUSALS_PER_MINUTE)

    def note(self, event: str, detail: str) -> None:
        """One line of audit and log, not without end; a full disk must not end the caller's thread."""
        if not self._allowance.take():
            return
        log.warning(event, extra={"reason": detail})
        try:
            with self._ledger.transaction() as db:
                self._ledger.note(db, event, detail)
        except Exception as error:
            log.error("audit not written", extra={"reason": type(error).__name__})


class Rate:
    """Slows a caller down to so many images a minute; 0 is no limit."""

    def __init__(
        self, per_minute: float, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._step = 60.0 / per_minute if per_minute else 0.0
        self._now, self._sleep = now, sleep
        self._free_at = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next image may be taken."""
        if not self._step:
            return
        with self._lock:
            now = self._now()
            turn = max(self._free_at, now)
            self._free_at = turn + self._step
        self._sleep(turn - now)


class Allowance:
    """So many a minute, and no more."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._now = per_minute, now
        self._begun, self._taken = now(), 0
        self._lock = threading.Lock()

    def take(self) -> bool:
        """False when this minute's are used up."""
        with self._lock:
            if self._now() - self._begun >= 60.0:
                self._begun, self._taken = self._now(), 0
            self._taken += 1
            return self._taken <= self._per_minute
