"""The pages as a part of the node: an image comes in by HTTP, the answer stands in the list; and its commands."""

from __future__ import annotations

import getpass
import json
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest

from NeuroTriageLib.cli import main
from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.service.exam_queue import Arrival
from NeuroTriageLib.service.http_passwords import password_fits, token_hash
from NeuroTriageLib.service.node import Node
from NeuroTriageLib.service.reader_process import ReaderProcess
from NeuroTriageLib.service.site_config import Http, HttpUser
from Testing.Lib.service import quick_reader
from Testing.Lib.service.made_node import READ_TOKEN, SEND_TOKEN, USERS
from Testing.Lib.service.small_exams import as_bytes, small_image, small_site, study_uid
from Testing.Lib.service.test_stow import TYPE, body_of


def asked(node: Node, path: str, token: str = READ_TOKEN, body: bytes | None = None):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": TYPE}
    assert node.pages is not None
    request = urllib.request.Request(f"http://127.0.0.1:{node.pages.port}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_an_image_sent_over_http_is_read_and_its_answer_stands_in_the_list(tmp_path: Path):
    site = small_site(tmp_path, http=Http(port=0, users=USERS, stow=True))
    node = Node(site, lambda readers, purpose: ReaderProcess(readers, purpose, quick_reader.serve))
    node.start()
    try:
        assert asked(node, "/health")["status"] == "ok"
        asked(node, "/dicomweb/studies", SEND_TOKEN, body_of(as_bytes(small_image(1, 0))))
        until = time.monotonic() + 60
        while (exams := asked(node, "/api/worklist")["exams"])[0]["state"] not in ("answered", "done"):
            assert time.monotonic() < until, exams
            time.sleep(0.2)
        assert exams[0]["study_uid"] == study_uid(1) and exams[0]["rank"] == "found"
        assert exams[0]["source"] == "dicomweb:modality" and exams[0]["patient"]["patient_name"] == "SECRETNAME, ANNA"
        began = time.monotonic()
    finally:
        node.stop()
    assert time.monotonic() - began < 20


def test_health_says_that_a_reader_cannot_load_its_model(tmp_path: Path):
    node = Node(small_site(tmp_path), lambda readers, purpose: ReaderProcess(readers, purpose, quick_reader.serve))
    node.inbox.receive([as_bytes(small_image(1, 0, "UNFIT"))], Arrival("CT1"))
    node.queue.finish(study_uid(1))
    assert node.problems() == []
    node.start()
    try:
        until = time.monotonic() + 60
        while not node.problems() and time.monotonic() < until:
            time.sleep(0.1)
        assert node.problems() == ["A reader cannot load its model and reads nothing."]
        assert [row["tries"] for row in node.ledger.rows("SELECT tries FROM exam")] == [0]
    finally:
        node.stop()


def test_a_password_that_is_not_kept_our_way_keeps_the_node_from_starting(tmp_path: Path):
    site = small_site(tmp_path, http=Http(port=0, users=(HttpUser("reader", "plain"),)))
    with pytest.raises(ConfigError, match="neurotriage node password"):
        Node(site)


def test_the_command_for_passwords_prints_what_the_sites_file_keeps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    said = iter(["a long password", "a long password", "short", "a long password", "another password"])
    monkeypatch.setattr(getpass, "getpass", lambda prompt: next(said))
    assert main(["node", "password"]) == 0
    printed = capsys.readouterr().out
    assert password_fits("a long password", tomllib.loads(printed)["password_hash"]) and "long" not in printed
    assert main(["node", "password"]) == 2 and main(["node", "password"]) == 2


def test_the_command_for_tokens_prints_one_and_what_the_sites_file_keeps_of_it(capsys: pytest.CaptureFixture[str]):
    assert main(["node", "token"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert tomllib.loads(second)["token_sha256"] == token_hash(first.rsplit(" ", 1)[1])
