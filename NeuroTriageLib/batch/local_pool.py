"""Workers on this machine: one process each, spawned, spoken to in lines of JSON, one GPU each where there are GPUs."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .exam_reader import ReaderSettings
from .exam_task import ExamTask
from .outcome import ExamOutcome
from .worker_pool import Died, Event, Finished, Ready, Refused

_CHILD = "import sys; sys.path.insert(0, sys.argv[1]); from NeuroTriageLib.batch.worker_process import main; main()"


class LocalPool:
    """Warm processes on this machine.

    Args:
        settings: what they read with.
        slots: how many.
        gpus: what CUDA calls the GPUs, shared out among the slots; () leaves the choice to torch.
    """

    def __init__(self, settings: ReaderSettings, slots: int, gpus: Sequence[str] = ()) -> None:
        self._settings, self._slots, self._gpus = settings, slots, tuple(gpus)
        self._workers: dict[int, subprocess.Popen[str]] = {}
        self._events: queue.Queue[tuple[subprocess.Popen[str], Event]] = queue.Queue()

    @property
    def slots(self) -> int:
        """How many workers there are."""
        return self._slots

    @property
    def process_ids(self) -> list[int]:
        """Of the workers that run, by slot."""
        return [self._workers[slot].pid for slot in sorted(self._workers)]

    def start(self, slot: int) -> None:
        """Start the process of a slot."""
        environment = dict(os.environ)
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[slot % len(self._gpus)]
        root = str(Path(__file__).resolve().parents[2])
        worker = subprocess.Popen(
            [sys.executable, "-c", _CHILD, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,  # Ctrl-C is the batch's to answer
        )
        self._workers[slot] = worker
        threading.Thread(target=self._listen, args=(slot, worker), daemon=True).start()
        self._send(slot, json.dumps(self._settings.to_json()))

    def submit(self, slot: int, task: ExamTask) -> None:
        """Hand an exam to a ready worker."""
        self._send(slot, json.dumps(task.to_json()))

    def _send(self, slot: int, line: str) -> None:
        stream = self._workers[slot].stdin
        assert stream is not None
        with suppress(OSError):  # it has just died, which its listener tells
            stream.write(line + "\n")
            stream.flush()

    def _listen(self, slot: int, worker: subprocess.Popen[str]) -> None:
        assert worker.stdout is not None
        for line in worker.stdout:
            if not line.endswith("\n"):
                break  # it ended while it wrote
            message = json.loads(line)
            if message["event"] == "ready":
                self._events.put((worker, Ready(slot)))
            elif message["event"] == "refused":
                self._events.put((worker, Refused(slot, message["message"])))
            else:
                self._events.put((worker, Finished(slot, ExamOutcome.from_json(message["outcome"]))))
        self._events.put((worker, Died(slot, _how_it_ended(worker.wait()))))

    def kill(self, slot: int) -> None:
        """End a worker at once."""
        _end(self._workers.pop(slot))

    def wait(self, timeout_s: float) -> list[Event]:
        """What has happened."""
        found: list[Event] = []
        deadline = time.monotonic() + timeout_s
        while True:
            left = deadline - time.monotonic()
            try:
                worker, event = self._events.get(block=not found and left > 0, timeout=max(left, 0.001))
            except queue.Empty:
                return found
            if self._workers.get(event.slot) is not worker:
                continue  # killed, or already replaced
            if isinstance(event, Died):
                _end(self._workers.pop(event.slot))
            found.append(event)

    def close(self) -> None:
        """End all workers."""
        for slot in list(self._workers):
            self.kill(slot)


def _end(worker: subprocess.Popen[str]) -> None:
    worker.kill()
    worker.wait()
    for stream in (worker.stdin, worker.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"the worker process ended with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"the worker process was ended by {name}"
