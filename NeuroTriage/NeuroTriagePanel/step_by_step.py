"""Work on the main thread in short steps, so that the interface answers between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import qt


class StepByStep:
    """Takes one step of an iterator per turn of Qt's loop.

    Args:
        steps: callables; the iterator itself is asked for the next one only when it is due.
        on_done: called after the last one.
        on_error: called with the exception that a step raised; the rest is left out then.
    """

    def __init__(
        self, steps: Iterator[Callable[[], None]], on_done: Callable[[], None], on_error: Callable[[Exception], None]
    ) -> None:
        self._steps: Iterator[Callable[[], None]] | None = steps
        self._on_done, self._on_error = on_done, on_error
        self._wait()

    def stop(self) -> None:
        """No further step, and nobody is told."""
        self._steps = None

    def _wait(self) -> None:
        qt.QTimer.singleShot(0, self._take)

    def _take(self) -> None:
        if self._steps is None:
            return
        try:
            step = next(self._steps, None)
            if step is not None:
                step()
        except Exception as error:  # handed on: whoever started the work knows what to tell the user
            self.stop()
            self._on_error(error)
            return
        if self._steps is None:  # stopped by the step itself
            return
        if step is None:
            self.stop()
            self._on_done()
        else:
            self._wait()
