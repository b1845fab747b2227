"""Images by DICOMweb (STOW-RS, PS3.18, 10.5): parts of a request become files, the inbox says what became of each.

A part is written to the disk as it comes, so a study of any size takes no memory.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from ..core.errors import InputError

DICOM_TYPE = "application/dicom"
ANSWER_TYPE = "application/dicom+json"
DICOMWEB = "dicomweb:"
"""Before a user's name, as the source of an image in the ledger."""


@dataclass(frozen=True)
class StoredImage:
    """What the inbox says of one image.

    Args:
        sop_class_uid, sop_uid: "" when they could not be read.
        status: of C-STORE (PS3.4, B.2.3): 0 when it is safely on the disk, else why not.
    """

    sop_class_uid: str
    sop_uid: str
    status: int


StoreImage = Callable[[Path, str, str | None], StoredImage]
"""Takes over a file: (path, source, Study Instance UID that it must have, or None); the file is gone afterwards."""


@dataclass(frozen=True)
class StowRequest:
    """A request's own words.

    Args:
        content_type: its header.
        source: as it stands in the ledger: "dicomweb:NAME".
        study_uid: of the address /studies/UID; None of /studies.
    """

    content_type: str
    source: str
    study_uid: str | None = None


class StowReceiver:
    """Receives requests; safe to use for several at once.

    Args:
        store: the inbox.
        spool_folder: where parts are written; on the inbox's file system.
        image_bytes: larger parts are refused.
    """

    def __init__(self, store: StoreImage, spool_folder: Path, image_bytes: int) -> None:
        self._store, self._spool, self._image_bytes = store, spool_folder, image_bytes

    async def receive(self, request: StowRequest, body: AsyncIterator[bytes]) -> tuple[int, dict[str, Any]]:
        """HTTP status and answer (DICOM JSON, PS3.18, 10.5.3.2).

        Raises:
            InputError: it is no multipart/related of application/dicom, is cut off, or has too large a part; what came
                before that was stored.
        """
        parts = _Parts(self._spool, self._image_bytes)
        parser = MultipartParser(_boundary(request.content_type), parts.callbacks())
        images: list[StoredImage] = []
        try:
            async for piece in body:
                parser.write(piece)
                images += [await self._stored(path, request) for path in parts.taken()]
            parser.finalize()
            if not parts.ended:
                raise InputError("The request ends before its last part.", next_step="Send it again.")
        except MultipartParseError as error:
            raise InputError("The request's parts cannot be told apart.", next_step="Send it again.") from error
        finally:
            parts.close()
        return _answer(images)

    async def _stored(self, path: Path, request: StowRequest) -> StoredImage:
        return await run_in_threadpool(self._store, path, request.source, request.study_uid)


class _Parts:
    """What the parser finds, as files."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._file: BinaryIO | None = None
        self._size = 0
        self._complete: list[Path] = []
        self._field, self._value, self._type = b"", b"", ""
        self.ended = False

    def callbacks(self) -> Any:
        """For the parser."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_field,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._write,
            "on_part_end": self._end,
            "on_end": self._end_all,
        }

    def taken(self) -> list[Path]:
        """The parts that are complete since the last time; they are the caller's now."""
        complete, self._complete = self._complete, []
        return complete

    def close(self) -> None:
        """Remove what nobody has taken."""
        if self._file is not None:
            self._file.close()
            Path(self._file.name).unlink(missing_ok=True)
        for path in self._complete:
            path.unlink(missing_ok=True)

    def _begin(self) -> None:
        self._type, self._size = "", 0

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._field.lower() == b"content-type":
            self._type = parse_options_header(self._value)[0].decode("latin-1").lower()
        self._field = self._value = b""

    def _open(self) -> None:
        if self._type != DICOM_TYPE:
            raise InputError(
                "A part of the request is no DICOM image.", next_step=f"Send parts of the type {DICOM_TYPE}."
            )
        handle, name = tempfile.mkstemp(dir=self._folder, prefix="stow-", suffix=".part")
        os.close(handle)
        self._file = open(name, "wb")  # noqa: SIM115 - closed when the part ends, or by close

    def _write(self, data: bytes, start: int, end: int) -> None:
        assert self._file is not None
        self._size += end - start
        if self._size > self._most_bytes:
            raise InputError("A part of the request is larger than the node takes.", next_step="See [limits] image_mb.")
        self._file.write(memoryview(data)[start:end])

    def _end(self) -> None:
        assert self._file is not None
        self._file.close()
        self._complete.append(Path(self._file.name))
        self._file = None

    def _end_all(self) -> None:
        self.ended = True


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    inner = options.get(b"type", DICOM_TYPE.encode()).decode("latin-1").lower()
    if kind != b"multipart/related" or inner != DICOM_TYPE or not 1 <= len(options.get(b"boundary", b"")) <= 70:
        raise InputError(  # RFC 2046, 5.1.1: a boundary has 1 to 70 characters
            "The request is no DICOMweb store request.",
            next_step=f'Send multipart/related; type="{DICOM_TYPE}" with a boundary.',
        )
    return options[b"boundary"]


def _answer(images: list[StoredImage]) -> tuple[int, dict[str, Any]]:
    """PS3.18, table 10.5.3-1: 200 all stored, 202 some, 409 none; the images of each kind."""
    stored = [_item(image) for image in images if image.status == 0]
    failed = [_item(image, {"00081197": _element("US", image.status)}) for image in images if image.status != 0]
    answer = {}
    if failed:
        answer["00081198"] = {"vr": "SQ", "Value": failed}
    if stored:
        answer["00081199"] = {"vr": "SQ", "Value": stored}
    return (200 if not failed and stored else 202 if stored else 409), answer


def _item(image: StoredImage, more: dict[str, Any] | None = None) -> dict[str, Any]:
    uids = {"00081150": _element("UI", image.sop_class_uid), "00081155": _element("UI", image.sop_uid)}
    return uids | (more or {})


def _element(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr} if value == "" else {"vr": vr, "Value": [value]}
