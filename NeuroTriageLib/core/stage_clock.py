"""How long each stage of a reading takes, and the caller's progress at its ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class StageClock:
    """Seconds per stage.

    Args:
        progress: called with a stage's name and the share of it that is done (0-1); may raise Cancelled.
        seconds: stage name -> seconds, filled in by stage().
    """

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage and report its start and end."""
        self.progress(name, 0.0)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)
        self.progress(name, 1.0)


def no_progress(stage: str, fraction: float) -> None:
    """Progress that nobody follows."""
