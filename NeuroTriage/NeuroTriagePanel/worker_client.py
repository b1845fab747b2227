"""The process that reads exams (python -m NeuroTriageLib.worker), seen from Qt: requests out, events in, never waiting.

QProcess tells of new lines by signals on the main thread; Python threads would starve while Qt's loop holds the
interpreter.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import qt

import NeuroTriageLib

# What the process may still say after it was asked to stop, before it is killed (ours).
STOP_TIMEOUT_MS = 2000
KEPT_STDERR_CHARACTERS = 4000
TEMPORARY_FOLDER_VARIABLES = ("TMPDIR", "TEMP", "TMP")  # in the order in which Python's tempfile asks them


@dataclass(frozen=True)
class WorkerCommand:
    """How the worker is started.

    Args:
        program, arguments: command line.
        working_folder: folder from which NeuroTriageLib can be imported.
    """

    program: str
    arguments: tuple[str, ...]
    working_folder: str

    @classmethod
    def default(cls) -> WorkerCommand:
        """The library's own worker, with Slicer's Python inside Slicer and this process's one elsewhere."""
        program = shutil.which("PythonSlicer") or sys.executable
        library_folder = Path(NeuroTriageLib.__file__).resolve().parents[1]
        return cls(program, ("-m", "NeuroTriageLib.worker"), str(library_folder))


class WorkerClient:
    """Starts the worker when it is needed, keeps it for the next exam, and hands its events on.

    Args:
        on_event: called with each event of the protocol (see NeuroTriageLib/worker.py).
        on_ended: called with a sentence and the end of stderr when the process ends without having been asked to.
        command: how to start it.
    """

    def __init__(
        self,
        on_event: Callable[[dict], None],
        on_ended: Callable[[str, str], None],
        command: WorkerCommand | None = None,
    ) -> None:
        self._on_event, self._on_ended = on_event, on_ended
        self.command = command or WorkerCommand.default()
        self._process = None
        self._scratch = ""
        self._line = b""
        self._stderr = ""

    @property
    def running(self) -> bool:
        """True while there is a process."""
        return self._process is not None

    @property
    def process_id(self) -> int:
        """The process's own number, 0 when there is none."""
        return 0 if self._process is None else int(self._process.processId())

    def start(self) -> None:
        """Start the process if there is none, so that the first request need not wait for Python."""
        if self._process is None:
            self._start()

    def send(self, **request) -> None:
        """Send one request; starts the process first if there is none."""
        self.start()
        self._process.write(qt.QByteArray((json.dumps(request) + "\n").encode()))

    def wait(self, milliseconds: int) -> None:
        """Let scripts wait for the process to say something, for at most this long."""
        if self._process is not None:
            self._process.waitForReadyRead(milliseconds)

    def stop(self) -> None:
        """End the process now; it is not spoken of as a crash."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.waitForFinished(STOP_TIMEOUT_MS)
            process.delete()
            self._clear()

    def _start(self) -> None:
        process = qt.QProcess()
        process.setWorkingDirectory(self.command.working_folder)
        process.connect("readyReadStandardOutput()", self._read_events)
        process.connect("readyReadStandardError()", self._read_stderr)
        process.connect("finished(int,QProcess::ExitStatus)", self._on_finished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._on_process_error)
        self._process, self._line, self._stderr = process, b"", ""
        self._scratch = tempfile.mkdtemp(prefix="neurotriage-")
        with _temporary_files_in(self._scratch):
            process.start(self.command.program, list(self.command.arguments))

    def _read_events(self) -> None:
        if self._process is None:
            return
        *lines, self._line = (self._line + bytes(self._process.readAllStandardOutput().data())).split(b"\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # not of the protocol: a library that prints
            if isinstance(event, dict) and "event" in event:
                self._on_event(event)

    def _read_stderr(self) -> None:
        if self._process is not None:
            text = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
            self._stderr = (self._stderr + text)[-KEPT_STDERR_CHARACTERS:]

    def _on_finished(self, exit_code: int) -> None:
        if self._process is None:
            return
        self._read_events()
        self._read_stderr()
        self._forget()
        self._on_ended(f"The process that reads the exam ended unexpectedly (code {exit_code}).", self._stderr)

    def _on_process_error(self, error) -> None:
        if self._process is not None and error == qt.QProcess.FailedToStart:
            self._forget()
            self._on_ended("The process that reads the exam could not be started.", "")

    def _forget(self) -> None:
        process, self._process = self._process, None
        process.deleteLater()
        self._clear()

    def _clear(self) -> None:
        """Remove what a process that was killed could not: it may hold a patient's images."""
        shutil.rmtree(self._scratch, ignore_errors=True)


@contextmanager
def _temporary_files_in(folder: str) -> Iterator[None]:
    """Processes that are started meanwhile put their temporary files there."""
    before = {name: os.environ.get(name) for name in TEMPORARY_FOLDER_VARIABLES}
    os.environ.update(dict.fromkeys(TEMPORARY_FOLDER_VARIABLES, folder))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
