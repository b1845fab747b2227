"""The node's end of a reader's process: starts it, asks it, and ends it when it hangs or has become old."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from typing import Any

from .reading_process import LookJob, Purpose, ReadJob, Told, serve
from .site_config import Readers

LISTEN_S = 0.2  # how soon a stop is noticed; ours
END_S = 3.0  # what a process gets to end by itself; ours

Progress = Callable[[str, float], None]


class ReaderDied(Exception):
    """The process ended in the middle of a job."""


class ReaderHung(Exception):
    """The process needed longer than it may and was ended."""


class Stopped(Exception):
    """The node stops; the process was ended in the middle of a job."""


class ReaderProcess:
    """One process, used by one thread of the node; started when it is first asked.

    Args:
        settings: [readers] of the site's file.
        purpose: what it will be asked for.
        target: what the process runs; tests put others in its place.
    """

    def __init__(self, settings: Readers, purpose: Purpose, target: Callable[..., None] = serve) -> None:
        self._settings, self._purpose, self._target = settings, purpose, target
        self._context = multiprocessing.get_context("spawn")  # a forked copy of threads and SQLite is unsafe
        self._process: Any = None
        self._pipe: Any = None
        self._jobs = 0

    @property
    def pid(self) -> int | None:
        """Of the process, None when there is none."""
        return None if self._process is None else self._process.pid

    def ask(self, job: ReadJob | LookJob, progress: Progress, stop: threading.Event, limit_s: float) -> Told:
        """Have a job done.

        Raises:
            ReaderDied, ReaderHung, Stopped: there is no answer, and no process any more; the next job starts one.
        """
        try:
            return self._ask(job, progress, stop, limit_s)
        except (EOFError, OSError) as error:
            code = self._exit_code()
            self.end()
            raise ReaderDied(f"The reader ended unexpectedly ({code}).") from error

    def start(self) -> None:
        """Start the process now, so that it is warm when the first exam comes."""
        if self._process is not None and self._jobs < self._settings.exams_per_process and self._process.is_alive():
            return
        self.end()
        self._pipe, theirs = self._context.Pipe()
        job = (theirs, self._settings, self._purpose)
        self._process = self._context.Process(target=self._target, args=job, daemon=True)
        self._process.start()
        theirs.close()
        self._jobs = 0

    def end(self) -> None:
        """End the process, if need be by force."""
        if self._process is None:
            return
        self._pipe.close()
        self._process.join(0 if self._process.exitcode is not None else END_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        self._process.close()
        self._process = self._pipe = None

    def _ask(self, job: ReadJob | LookJob, progress: Progress, stop: threading.Event, limit_s: float) -> Told:
        self.start()
        self._jobs += 1
        self._pipe.send(job)
        until = time.monotonic() + limit_s
        while True:
            if self._pipe.poll(LISTEN_S):
                told = self._pipe.recv()
                if isinstance(told, Told):
                    if told.worn:
                        self.end()
                    return told
                progress(*told)
            elif stop.is_set():
                self._kill()
                raise Stopped
            if time.monotonic() > until:
                self._kill()
                raise ReaderHung(f"The reader needed more than {limit_s:g} s and was ended.")

    def _kill(self) -> None:
        self._process.kill()
        self.end()

    def _exit_code(self) -> str:
        self._process.join(END_S)
        code = self._process.exitcode
        return "no exit status" if code is None else f"signal {-code}" if code < 0 else f"exit status {code}"
