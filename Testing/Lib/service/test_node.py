"""The whole node: exams in, results out, whatever is killed, stopped, full or broken in between."""

from __future__ import annotations

import functools
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from NeuroTriageLib import cli
from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.service import node as node_module
from NeuroTriageLib.service.exam_queue import Arrival
from NeuroTriageLib.service.inbox import Inbox
from NeuroTriageLib.service.node import Node
from NeuroTriageLib.service.node_log import JsonLines
from NeuroTriageLib.service.node_status import node_status
from NeuroTriageLib.service.reader_process import ReaderProcess
from NeuroTriageLib.service.site_config import Destination, Http, SiteConfig, Watch
from NeuroTriageLib.service.site_config import Node as NodeSection
from Testing.Lib.service import quick_reader
from Testing.Lib.service.kill_run import KillPlan, KillRun
from Testing.Lib.service.pacs import Pacs
from Testing.Lib.service.small_exams import as_bytes, send, small_image, small_site, study_uid
from Testing.Lib.service.small_results import SOON

QUICK = functools.partial(ReaderProcess, target=quick_reader.serve)


@contextmanager
def running(site: SiteConfig) -> Iterator[Node]:
    node = Node(site, QUICK)
    node.start()
    try:
        yield node
    finally:
        node.stop()


def wait_for(what: Callable[[], bool], limit_s: float = 60.0) -> None:
    until = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.1)


def states(node: Node) -> list[str]:
    return [row["state"] for row in node.ledger.rows("SELECT state FROM exam ORDER BY id")]


def pacs_at(port: int) -> Destination:
    return Destination("pacs", ae_title="PACS", host="127.0.0.1", port=port, objects=("structured_report",), retry=SOON)


def test_an_exam_goes_in_by_dicom_and_by_folder_and_its_result_arrives(tmp_path: Path) -> None:
    drop, taken = tmp_path / "drop", tmp_path / "taken"
    drop.mkdir()
    taken.mkdir()
    pacs = Pacs()
    pacs.start()
    watch = (Watch("desk", drop, taken, stable_s=0.5),)
    try:
        with running(small_site(tmp_path, destinations=(pacs_at(pacs.port),), watch=watch)) as node:
            assert send(node.receiver.port, [small_image(1, n) for n in range(3)]) == [0, 0, 0]
            (drop / "two").mkdir()
            (drop / "two" / "a.dcm").write_bytes(as_bytes(small_image(2, 1)))
            wait_for(lambda: states(node) == ["done", "done"])
            threads = {thread.name for thread in threading.enumerate()}
            assert {"housekeeping", "courier", "reader-1", "first-look", "watch desk"} <= threads
    finally:
        pacs.stop()
    assert pacs.received == {f"{study_uid(1)}.9.3": 1, f"{study_uid(2)}.9.1": 1}
    ours = {thread.name for thread in threading.enumerate()} & {"housekeeping", "courier", "reader-1", "first-look"}
    assert not ours


def test_late_images_are_answered_as_a_revision_with_all_images(tmp_path: Path) -> None:
    with running(small_site(tmp_path)) as node:
        send(node.receiver.port, [small_image(1, n) for n in range(2)])
        wait_for(lambda: states(node) == ["done"])
        send(node.receiver.port, [small_image(1, 2)])
        wait_for(lambda: states(node) == ["done", "done"])
        models = [json.loads(row["models"])["quick"] for row in node.ledger.rows("SELECT models FROM exam ORDER BY id")]
        assert models == ["2 images", "3 images"]


def test_two_nodes_cannot_use_one_folder(tmp_path: Path) -> None:
    site = small_site(tmp_path)
    with running(site) as node:
        with pytest.raises(ConfigError, match="Another node"):
            Node(site, QUICK)
        assert node_status(site)["running"]
        assert states(node) == []
    assert not node_status(site)["running"]


def test_a_node_that_cannot_begin_frees_its_folder_and_says_why(tmp_path: Path) -> None:
    with running(small_site(tmp_path)) as node:
        taken = NodeSection(data_folder=tmp_path / "other", port=node.receiver.port)
        other = Node(small_site(tmp_path, node=taken, http=Http(port=0)), QUICK)
        with pytest.raises(ConfigError, match="cannot be received there"):
            other.start()
        other.stop()
    assert not node_status(other.site)["running"]


def test_a_part_that_breaks_is_told_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_module, "AGAIN_S", 0.1)
    broken = []

    def has_room(self: Inbox) -> bool:
        if len(broken) < 3:
            broken.append(1)
            raise OSError("disk")
        return True

    monkeypatch.setattr(Inbox, "has_room", has_room)
    with running(small_site(tmp_path, callers=())) as node:
        wait_for(lambda: len(broken) == 3)
        assert any(thread.name == "reader-1" for thread in threading.enumerate())
        assert states(node) == []


def test_a_node_that_is_killed_loses_nothing_and_answers_everything_once(tmp_path: Path) -> None:
    plan = KillPlan(exams=8, senders=3, kills=2, pacs_stops=1, longest_life_s=6.0)
    table = KillRun(tmp_path, plan).run()
    assert len(table.kills) == 2
    assert table.lost_images == table.unfinished == 0
    assert table.answers == {study_uid(number): 1 for number in range(8)}
    assert table.results.keys() == {f"{study_uid(number)}.9.3" for number in range(8)}


def test_serve_ends_on_sigterm_within_seconds_and_names_nobody(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    text = '[node]\ndata_folder = "data"\nport = 0\n[[callers]]\nae_title = "CT1"\n[limits]\nkeep_free_gb = 0.0\n'
    site.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "Testing.Lib.service.quick_node", str(site)]
    node = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.getcwd()})
    assert node.stderr is not None
    first = json.loads(node.stderr.readline())
    assert first["message"] == "node started" and first["level"] == "info"
    node.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    _, rest = node.communicate(timeout=30)
    assert node.returncode == 0
    assert time.monotonic() - begun < 20
    assert json.loads(rest.splitlines()[-1])["message"] == "node stopped"


def test_an_errors_message_is_not_logged_only_its_kind_and_place() -> None:
    try:
        raise ValueError("SECRETNAME^ANNA")
    except ValueError:
        record = logging.makeLogRecord({"msg": "a part failed", "exc_info": sys.exc_info(), "part": "reader-1"})
    line = JsonLines().format(record)
    values = json.loads(line)
    assert (values["error"], values["part"]) == ("ValueError", "reader-1")
    assert "test_node.py" in values["at"][0] and "SECRETNAME" not in line


def test_the_commands_check_tell_and_try_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site.toml"
    site.write_text('[node]\ndata_folder = "data"\n', encoding="utf-8")
    config = ["--config", str(site)]
    assert cli.main(["serve", *config, "--check"]) == 0
    assert "nobody may send" in capsys.readouterr().out
    assert cli.main(["node", "status", *config]) == 3
    node = Node(small_site(tmp_path, callers=()), QUICK)
    node.inbox.receive([as_bytes(small_image(1, 1))], Arrival("CT1"))
    node.queue.finish(study_uid(1))
    for _ in range(3):
        exam = node.queue.claim()
        assert exam is not None
        node.queue.failed(exam.id, "It cannot be read.", node.outbox.rows_for)
    node.stop()
    assert cli.main(["node", "status", *config, "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["exams"] == {"set_aside": 1} and status["set_aside"][0]["reason"] == "It cannot be read."
    assert cli.main(["node", "retry", *config, study_uid(1)]) == 0
    assert cli.main(["node", "status", *config]) == 0
    assert "Exams: 1 queued" in capsys.readouterr().out
    assert cli.main(["node", "retry", *config, study_uid(1)]) == 2
