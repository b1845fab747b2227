"""A warm worker of a batch: one line of JSON with its settings, then one per exam; it answers with lines of JSON.

Requests (stdin): the settings (ReaderSettings), then exams (ExamTask). The end of the input, which also comes when the
batch was killed, ends the process at once, whatever it is reading.
Answers (stdout): {"event": "ready"}; {"event": "refused", "message": TEXT}; and for each exam
{"event": "finished", "outcome": ExamOutcome}.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TextIO

from ..core.errors import NeuroTriageError
from ..io.dicom_headers import quiet_pydicom
from .exam_task import ExamTask


def main() -> None:
    """Serve stdin and stdout; whatever else prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    sys.stdout = sys.stderr
    with quiet_pydicom():  # for all threads: it changes settings of the whole process
        _serve(sys.stdin, answers)
    os._exit(0)  # without waiting for threads that still read


def _serve(requests: TextIO, answers: TextIO) -> None:
    lock = threading.Lock()

    def answer(**event: Any) -> None:
        with lock:
            answers.write(json.dumps(event) + "\n")
            answers.flush()

    from .exam_reader import EXAMS_AT_ONCE, ExamReader, ReaderSettings

    try:
        reader = ExamReader(ReaderSettings.from_json(json.loads(requests.readline())))
    except NeuroTriageError as error:
        answer(event="refused", message=error.message())
        return
    answer(event="ready")

    def read(line: str) -> None:
        answer(event="finished", outcome=reader.read(ExamTask.from_json(json.loads(line))).to_json())

    threads = ThreadPoolExecutor(EXAMS_AT_ONCE)
    for line in requests:
        threads.submit(read, line)


if __name__ == "__main__":
    main()
