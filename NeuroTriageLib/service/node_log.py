"""The node's log: one JSON object a line on stderr, without anything that identifies a patient.

Exams are told by their number in the ledger. Of an error only its kind and where it was raised are told: its message
could quote a header. What the libraries below us would log (peers' requests, headers) is not taken up.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
import warnings
from datetime import UTC, datetime
from typing import Any, TextIO

import pydicom

OURS = __name__.split(".")[0]
log = logging.getLogger(__name__)
_OTHERS = ("pynetdicom", "pydicom", "uvicorn", "fastapi", "asyncio", "highdicom", "PIL", "urllib3")
_PLAIN = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """A record as one line: time, level, thread, message, what was given as extra, and an error's kind and place."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        values: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "thread": record.threadName,
            "message": record.getMessage(),
        }
        values |= {key: value for key, value in record.__dict__.items() if key not in _PLAIN}
        if record.exc_info and record.exc_info[0] is not None:
            values["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            values["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(values, default=str)


def begin_log(stream: TextIO = sys.stderr) -> None:
    """Log our own messages there from now on, and nobody else's."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    ours = logging.getLogger(OURS)
    ours.handlers[:], ours.propagate = [handler], False
    ours.setLevel(logging.INFO)
    for name in _OTHERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    threading.excepthook = log_end_of_thread
    warnings.simplefilter("ignore")
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


def log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    """Log that a thread ended by an error: what Python prints by itself quotes the message.

    pynetdicom's threads end so when a message cannot be taken apart; that is the end of one association.
    """
    error = ended.exc_value or ended.exc_type()
    log.error("a thread ended by an error", exc_info=(ended.exc_type, error, ended.exc_traceback))
