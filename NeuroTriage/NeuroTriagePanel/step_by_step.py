"""Work on the main thread in short steps, so that the interface answers between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import qt


class StepByStep:
    """Goes on with a generator that pauses (core/pauses.py), from one pause to the next per turn of Qt's loop.

    Args:
        work: what is done; what it returns is handed to on_done.
        on_done: called with that at the end.
        on_error: called with the exception that it raised instead.
    """

    def __init__(
        self, work: Iterator[None], on_done: Callable[[Any], None], on_error: Callable[[Exception], None]
    ) -> None:
        self._work: Iterator[None] | None = work
        self._on_done, self._on_error = on_done, on_error
        self._wait()

    def stop(self) -> None:
        """No further step, and nobody is told."""
        self._work = None

    def _wait(self) -> None:
        qt.QTimer.singleShot(0, self._take)

    def _take(self) -> None:
        if self._work is None:
            return
        try:
            next(self._work)
        except StopIteration as end:
            self.stop()
            self._on_done(end.value)
        except Exception as error:  # handed on: whoever started the work knows what to tell the user
            self.stop()
            self._on_error(error)
        else:
            if self._work is not None:  # not stopped meanwhile
                self._wait()
