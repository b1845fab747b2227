"""The node's log tells that a thread ended by an error, and not what the error quotes."""

from __future__ import annotations

import io
import logging
import threading

import pytest

from NeuroTriageLib.service import node_log


def test_a_thread_that_ends_by_an_error_is_logged_without_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(node_log.JsonLines())
    monkeypatch.setattr(node_log.log, "handlers", [handler])
    monkeypatch.setattr(node_log.log, "propagate", False)
    monkeypatch.setattr(threading, "excepthook", node_log.log_end_of_thread)

    def fail() -> None:
        raise ValueError("SECRETNAME^ANNA")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert "ValueError" in stream.getvalue() and "fail" in stream.getvalue()
    assert "SECRETNAME" not in stream.getvalue()
