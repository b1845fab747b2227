"""The panel's process towards a node: the list, an exam voxel by voxel, and every way in which a node can be away."""

from __future__ import annotations

import http.server
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.core.exchange import load_exam
from NeuroTriageLib.node_client import NodeAddress, NodeClient
from Testing.Lib.service.made_node import READ_TOKEN, SEND_TOKEN, MadeNode, ServedNode, same_voxels


def told(**request: Any) -> list[dict[str, Any]]:
    """The events that answer a request."""
    events = io.StringIO()
    NodeClient(events).serve([json.dumps({"id": 5, "token": READ_TOKEN, **request})])
    return [json.loads(line) for line in events.getvalue().splitlines()]


@contextmanager
def web(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[str]]]:
    """A web server that answers as it is told: (url, paths that were asked for)."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answer(self)

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def content(body: bytes, status: int = 200) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def archive(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name in names:
            made.writestr(name, b"x")
    return stream.getvalue()


def test_the_list_comes_and_is_not_sent_again_unchanged(tmp_path: Path):
    node = MadeNode(tmp_path)
    node.add("1.2", "queued")
    with ServedNode(node) as served:
        (first,) = told(command="worklist", url=served.url)
        assert [exam["study_uid"] for exam in first["exams"]] == ["1.2"] and not first["unchanged"]
        (second,) = told(command="worklist", url=served.url + "/", etag=first["etag"])
    assert second == {"event": "worklist", "id": 5, "unchanged": True}


def test_an_exam_comes_with_its_images_voxel_by_voxel(tmp_path: Path):
    node = MadeNode(tmp_path / "node")
    exam_id, answer = node.add_answered()
    with ServedNode(node) as served:
        *progress, opened = told(command="open", url=served.url, exam=exam_id, folder=str(tmp_path / "panel"))
    assert {event["stage"] for event in progress} == {"fetching", "loading"}
    assert opened["event"] == "opened" and opened["study"]["study_instance_uid"] == answer.study_instance_uid
    (folder,) = opened["results"]
    exam = load_exam(Path(folder))
    assert same_voxels(exam, answer) and exam.findings == answer.findings


@pytest.mark.parametrize(("token", "words"), [("wrong", "does not know this token"), (SEND_TOKEN, "may not read")])
def test_a_token_that_may_not_is_told_with_what_to_do(tmp_path: Path, token: str, words: str):
    with ServedNode(MadeNode(tmp_path)) as served:
        (event,) = told(command="worklist", url=served.url, token=token)
    assert event["event"] == "error" and words in event["what"] and event["next_step"]


def test_an_exam_without_an_answer_is_told_in_the_nodes_own_words(tmp_path: Path):
    node = MadeNode(tmp_path / "node")
    exam_id = node.add("1.2", "queued")
    with ServedNode(node) as served:
        (event,) = told(command="open", url=served.url, exam=exam_id, folder=str(tmp_path / "panel"))
    assert "does not have the answer" in event["what"] and "not answered yet" in event["next_step"]


def test_a_node_that_is_away_or_somebody_else_is_an_error_and_the_process_goes_on():
    with web(content(b"<html>", 502)) as (url, _):
        events = [told(command="worklist", url=url)[0], told(command="worklist", url="http://127.0.0.1:9")[0]]
    assert [event["event"] for event in events] == ["error", "error"]
    assert "answers 502" in events[0]["what"] and "does not answer" in events[1]["what"]


@pytest.mark.parametrize(
    "body",
    [
        b"no zip",
        archive("../../evil"),
        archive("/etc/evil"),
        archive("exam_1.zip", "images/../../x.dcm"),
        archive("exam_1.zip", "images/a.dcm"),
        archive("exam_1.zip"),
    ],
)
def test_an_archive_that_is_no_exam_is_refused_and_writes_nothing(body: bytes, tmp_path: Path):
    with web(content(body)) as (url, _):
        events = told(command="open", url=url, exam=1, folder=str(tmp_path / "panel"))
    assert events[-1]["event"] == "error" and not list(tmp_path.rglob("evil"))


def test_the_token_follows_no_redirection():
    def redirect(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", f"{other}/stolen")
        handler.end_headers()

    with web(content(b"{}")) as (other, asked), web(redirect) as (url, _):
        (event,) = told(command="worklist", url=url)
    assert event["event"] == "error" and asked == []


@pytest.mark.parametrize(
    "url", ["http://node.hospital:8443", "ftp://localhost", "localhost:8443", "", "file:///etc/passwd"]
)
def test_an_address_to_which_the_token_would_travel_in_the_clear_is_refused(url: str):
    with pytest.raises(ConfigError):
        NodeAddress(url, "token")
