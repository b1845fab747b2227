"""What the worker leaves on the disk: nothing, also when it is killed while a patient's images lie unpacked."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from NeuroTriagePanel.worker_client import WorkerClient, WorkerCommand
from panel_on_host import wait_until

WRITES = "import json, tempfile; f = tempfile.mkdtemp(); print(json.dumps({'event': 'ready', 'folder': f}), flush=True)"


def started(then: str) -> tuple[WorkerClient, list[dict], list[str]]:
    """A worker that makes a temporary folder and says where."""
    events: list[dict] = []
    ends: list[str] = []
    command = WorkerCommand(sys.executable, ("-c", f"{WRITES}; {then}"), tempfile.gettempdir())
    client = WorkerClient(events.append, lambda sentence, stderr: ends.append(sentence), command)
    client.start()
    wait_until(lambda: bool(events), 60)
    return client, events, ends


def test_a_worker_that_is_stopped_leaves_no_temporary_files():
    client, events, _ = started("import time; time.sleep(600)")
    folder = Path(events[0]["folder"])
    assert folder.is_dir() and folder.parent != Path(tempfile.gettempdir())
    client.stop()
    assert not folder.exists() and not folder.parent.exists()


def test_a_worker_that_crashes_leaves_no_temporary_files_either():
    _, events, ends = started("import os; os._exit(3)")
    wait_until(lambda: bool(ends), 60)
    assert not Path(events[0]["folder"]).exists()
