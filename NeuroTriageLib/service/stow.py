"""Sends result objects to a DICOMweb server (STOW-RS, PS3.18, 10.5)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence

from .http_post import HttpAnswer, HttpPoster, WebServer
from .sending import Answered, Refusal, SentObject, Unreachable, refused

# Tags of the store response (PS3.18, 10.5.3.3), as they are written in DICOM JSON (PS3.18, F.2.2).
FAILED_SOP_SEQUENCE = "00081198"
REFERENCED_SOP_INSTANCE_UID, FAILURE_REASON = "00081155", "00081197"
CHUNK_BYTES = 1024 * 1024


class StowSender:
    """Sends to one DICOMweb server; one thread sends, any other may cancel."""

    def __init__(self, server: WebServer) -> None:
        self._poster = HttpPoster(server)

    def send(self, objects: Sequence[SentObject], answered: Answered) -> None:
        """Send each object in a request of its own, so that one refusal says nothing about another; see Sender."""
        for item in objects:
            try:
                length = item.path.stat().st_size
                answer = self._post(item, length)
            except FileNotFoundError:
                answered(item, Refusal("The result file is missing.", lasting=True))
                continue
            answered(item, _refusal(item, answer))

    def cancel(self) -> None:
        """End what another thread is sending."""
        self._poster.cancel()

    def _post(self, item: SentObject, length: int) -> HttpAnswer:
        boundary = uuid.uuid4().hex
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        tail = f"\r\n--{boundary}--\r\n".encode()

        def body() -> Iterator[bytes]:
            yield head
            with item.path.open("rb") as stream:
                while piece := stream.read(CHUNK_BYTES):
                    yield piece
            yield tail

        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        return self._poster.post("/studies", body(), len(head) + length + len(tail), headers)


def _refusal(item: SentObject, answer: HttpAnswer) -> Refusal | None:
    """What the server says about the object (PS3.18, 10.5.3). Raises Unreachable: it says nothing about it."""
    if answer.status in (401, 403, 404):
        # Wrong login or address: it concerns every object, and passes when somebody mends it.
        raise Unreachable(f"The server answered with status {answer.status}.", next_step="Check url and login.")
    reasons = _failure_reasons(answer.body)
    if item.sop_uid in reasons:
        return refused(reasons[item.sop_uid])
    if answer.status in (200, 202):  # 202: stored with remarks
        return None
    return Refusal(f"It refused the object (status {answer.status}).", lasting=True)


def _failure_reasons(body: bytes) -> dict[str, int]:
    """SOP Instance UID -> failure reason of what a response in DICOM JSON says was not stored; {} of any other body."""
    try:
        items = json.loads(body)[FAILED_SOP_SEQUENCE]["Value"]
        return {
            str(item[REFERENCED_SOP_INSTANCE_UID]["Value"][0]): int(item[FAILURE_REASON]["Value"][0]) for item in items
        }
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return {}
