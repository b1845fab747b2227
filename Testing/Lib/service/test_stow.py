"""Images over HTTP: what is called stored is in the inbox, and nothing else is left behind."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
from pathlib import Path

import pydicom
import pytest

from NeuroTriageLib.service.data_folder import DataFolder
from NeuroTriageLib.service.exam_queue import ExamQueue
from NeuroTriageLib.service.inbox import Inbox
from NeuroTriageLib.service.site_config import Completeness, HttpUser, Limits, Order
from NeuroTriageLib.service.stow_inbox import stow_inbox
from Testing.Lib import ct_series
from Testing.Lib.service.made_node import READ_TOKEN, SEND_TOKEN, MadeNode, ServedNode, raw_answer

BOUNDARY = "-limit-of-parts"
TYPE = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


@pytest.fixture
def node(tmp_path: Path) -> MadeNode:
    return MadeNode(tmp_path / "node")


def served(node: MadeNode, users: tuple[HttpUser, ...] = (), **limits: float) -> ServedNode:
    queue = ExamQueue(node.ledger, Completeness(), Order(), 3)
    inbox = Inbox(node.ledger, DataFolder(node.folder), queue, Limits(**({"keep_free_gb": 0.0} | limits)))
    return ServedNode(node, stow_inbox(inbox, node.ledger, users), body_idle_s=1.0)


def images(folder: Path, count: int = 3) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(path) for path in sorted(ct_series.write_series(folder).iterdir())[:count]]


def content_of(dataset: pydicom.Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def body_of(*parts: bytes, kind: str = "application/dicom") -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def sent(served: ServedNode, body: bytes, *, study: str = "", token: str = SEND_TOKEN, kind: str = TYPE):
    """(status, JSON answer)."""
    address = f"{served.url}/dicomweb/studies{'/' + study if study else ''}"
    request = urllib.request.Request(address, body, {"Content-Type": kind, "Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")


def uids(answer: dict, key: str) -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer.get(key, {}).get("Value", [])]


def left_over(node: MadeNode) -> list[Path]:
    return list((node.folder / "arriving").iterdir())


def test_what_is_called_stored_is_in_inbox_and_ledger_byte_for_byte(node: MadeNode, tmp_path: Path):
    datasets = images(tmp_path / "sent")
    with served(node) as service:
        status, answer = sent(service, body_of(*map(content_of, datasets)), study=datasets[0].StudyInstanceUID)
    assert status == 200 and uids(answer, "00081199") == [item.SOPInstanceUID for item in datasets]
    rows = node.ledger.rows("SELECT image.path, exam.source FROM image JOIN exam ON exam.id = image.exam_id")
    assert {row["source"] for row in rows} == {"dicomweb:modality"} and not left_over(node)
    kept = {(node.folder / "inbox" / row["path"]).read_bytes() for row in rows}
    assert kept == {content_of(item) for item in datasets}


def test_an_image_of_another_study_and_a_part_that_is_no_dicom_are_named_as_failed_beside_those_stored(
    node: MadeNode, tmp_path: Path
):
    datasets = images(tmp_path / "sent", 2)
    datasets[1].StudyInstanceUID = "1.2.3"
    with served(node) as service:
        body = body_of(content_of(datasets[0]), content_of(datasets[1]), b"no dicom")
        status, answer = sent(service, body, study=datasets[0].StudyInstanceUID)
    assert status == 202 and uids(answer, "00081199") == [datasets[0].SOPInstanceUID]
    failed = answer["00081198"]["Value"]
    assert failed[0]["00081155"]["Value"] == [datasets[1].SOPInstanceUID] and "Value" not in failed[1]["00081155"]
    assert all(item["00081197"]["Value"] == [0xC000] for item in failed) and not left_over(node)


def test_without_room_nothing_is_stored_and_the_sender_is_told_why(node: MadeNode, tmp_path: Path):
    with served(node, keep_free_gb=1e9) as service:
        status, answer = sent(service, body_of(content_of(images(tmp_path / "sent", 1)[0])))
    assert status == 409 and answer["00081198"]["Value"][0]["00081197"]["Value"] == [0xA700]
    assert not node.ledger.rows("SELECT * FROM image") and not left_over(node)


def test_a_part_that_is_too_large_is_refused_before_it_is_written_whole(node: MadeNode):
    with served(node) as service:
        status, answer = sent(service, body_of(bytes(1_100_000)))
    assert status == 400 and "larger than" in answer["error"] and not left_over(node)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", TYPE),
        (b"no boundary at all", TYPE),
        (body_of(b"x")[:-20], TYPE),
        (body_of(b"x"), "application/dicom"),
        (body_of(b"x"), 'multipart/related; type="text/plain"; boundary=x'),
        (body_of(b"x"), f"multipart/related; boundary={'x' * 71}"),
        (body_of(b"x", kind="text/html"), TYPE),
        (f"--{BOUNDARY}\r\n".encode() + b"A: b\r\n" * 100 + b"\r\nx", TYPE),
    ],
)
def test_a_request_that_is_no_store_request_is_refused_and_leaves_nothing(node: MadeNode, body: bytes, kind: str):
    with served(node) as service:
        assert sent(service, body, kind=kind)[0] == 400
    assert not left_over(node) and not node.ledger.rows("SELECT * FROM image")


def test_only_who_may_send_can_and_a_session_of_the_page_cannot(node: MadeNode, tmp_path: Path):
    body = body_of(content_of(images(tmp_path / "sent", 1)[0]))
    with served(node) as service:
        assert sent(service, body, token=READ_TOKEN)[0] == 403
        assert sent(service, body, token="guess")[0] == 401
    assert not node.ledger.rows("SELECT * FROM image")


def test_a_sender_that_stops_in_the_middle_is_left_and_its_part_is_removed(node: MadeNode, tmp_path: Path):
    body = body_of(content_of(images(tmp_path / "sent", 1)[0]))
    head = f"POST /dicomweb/studies HTTP/1.1\r\nHost: x\r\nContent-Type: {TYPE}\r\nContent-Length: {len(body)}\r\n"
    head += f"Authorization: Bearer {SEND_TOKEN}\r\nConnection: close\r\n\r\n"
    with served(node) as service:
        answer = raw_answer(service.url, head.encode() + body[:300], stop=False)
    assert b" 408 " in answer.splitlines()[0] and not left_over(node)


def test_a_refused_image_is_in_the_audit_trail_and_a_user_may_be_slowed_down(node: MadeNode, tmp_path: Path) -> None:
    dataset = images(tmp_path / "study", 1)[0]
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    slow = HttpUser("modality", images_per_minute=60.0)
    with served(node, (slow,)) as opened:
        begun = time.monotonic()
        assert sent(opened, body_of(*[content_of(dataset)] * 3))[0] == 409
        assert time.monotonic() - begun >= 2.0, "one a second, the first at once"
    notes = node.ledger.rows("SELECT detail FROM audit WHERE event = 'refused image'")
    assert len(notes) == 3 and "dicomweb:modality: It is no image of a class" in notes[0]["detail"]
