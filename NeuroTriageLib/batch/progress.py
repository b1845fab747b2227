"""How far a batch is: done, rate, remaining time, failures."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .outcome import State

RECENT = 200
"""The rate is that of so many exams, the last ones: an archive changes from year to year (ours)."""


@dataclass
class BatchProgress:
    """Counts of one run.

    Args:
        total: exams of the source.
        done_before: those that earlier runs have dealt with.
        clock: seconds, monotonic.
    """

    total: int
    done_before: int = 0
    clock: Callable[[], float] = time.monotonic
    counts: dict[State, int] = field(default_factory=lambda: {"answered": 0, "not_suitable": 0, "failed": 0})

    def __post_init__(self) -> None:
        self._ends: deque[float] = deque(maxlen=RECENT + 1)

    def add(self, state: State) -> None:
        """Count one exam that has just ended."""
        self.counts[state] += 1
        self._ends.append(self.clock())

    @property
    def done(self) -> int:
        """Exams dealt with, those of earlier runs included."""
        return self.done_before + sum(self.counts.values())

    @property
    def per_hour(self) -> float | None:
        """Exams in an hour at the present rate; None before two have ended."""
        seconds = self._ends[-1] - self._ends[0] if self._ends else 0.0
        return 3600.0 * (len(self._ends) - 1) / seconds if seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the end at the present rate; None when it is not known."""
        return None if self.per_hour is None else 3600.0 * (self.total - self.done) / self.per_hour

    def line(self) -> str:
        """The state in one line."""
        parts = [f"{self.done}/{self.total} exams"]
        if self.per_hour is not None and self.seconds_left is not None:
            parts += [f"{self.per_hour:.0f}/h", f"{_duration(self.seconds_left)} left"]
        if self.counts["not_suitable"]:
            parts.append(f"{self.counts['not_suitable']} not suitable")
        parts.append(f"{self.counts['failed']} failed")
        return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
