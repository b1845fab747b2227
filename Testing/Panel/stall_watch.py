"""How long the interface could not answer: the gaps between turns of Qt's loop, on the clock and in processor time."""

from __future__ import annotations

import itertools
import time

import qt


class StallWatch:
    """Notes each turn of Qt's loop from now until longest() is asked for.

    Processor time is that of the thread alone: other programs on the machine are not the panel's fault. While the
    thread sleeps it spends none, so a test that sleeps between turns measures the panel's work all the same.
    """

    def __init__(self) -> None:
        self._turns: list[tuple[float, float]] = []
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", lambda: self._turns.append((time.monotonic(), time.thread_time())))
        self._timer.start()

    def longest(self) -> tuple[float, float]:
        """Seconds on the clock, and seconds of processor time, of the longest gap of each kind; ends the watch."""
        self._timer.stop()
        pairs = list(itertools.pairwise(self._turns))
        assert pairs, "Qt's loop never came round"
        return max(b[0] - a[0] for a, b in pairs), max(b[1] - a[1] for a, b in pairs)
