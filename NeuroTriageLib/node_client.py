"""The process through which Slicer's panel asks a node (service/http_api.py): JSON lines in, JSON lines out.

Requests (stdin), one JSON object per line; url, token and authorities (PEM file, null: the system's) are the user's:
    {"id": 1, "command": "worklist", "url", "token", "authorities", "hours": 24, "etag": ""}
    {"id": 2, "command": "open", "url", "token", "authorities", "exam": 17, "folder": FOLDER}
Events (stdout): worklist ("unchanged", or "exams", "now" and "etag"), progress, opened, error.
"opened" names one exchange folder (core/exchange.py) for each series that something is shown on, and the study.
It ends with its stdin.
"""

from __future__ import annotations

import ipaddress
import json
import re
import shutil
import ssl
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TextIO
from urllib.parse import urlsplit

from .core.errors import ConfigError, InputError, NeuroTriageError
from .core.exam_bundle import unpack_bundle, write_bundle
from .core.exchange import load_exam, save_exam
from .study_files import inspect_studies, load_series

ANSWER_S = 20.0  # without a byte for so long, the node is called away; ours
PIECE_BYTES = 1 << 20
MOST_BYTES = 20 * 10**9  # of an exam, more than the largest study has; ours
MOST_LIST_BYTES = 20 * 10**6  # of a worklist; ours
_MEMBER = re.compile(r"exam_[0-9]{1,3}\.zip|images/[0-9.]{1,64}\.dcm")
"""What service/review_files.py puts into an archive; anything else is refused."""


@dataclass(frozen=True)
class NodeAddress:
    """Where a node is, and how it knows us.

    Args:
        url: "https://node.hospital:8443".
        token: of a user of the node who may read.
        authorities: PEM file of who signed the node's certificate; None: the system's.

    Raises ConfigError: no such address, or one to which the token would travel in the clear.
    """

    url: str
    token: str
    authorities: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("This is no address of a node.", next_step="It looks like https://node.hospital:8443.")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ConfigError(
                "Token and images would travel in the clear.", next_step="Use the node's https:// address."
            )

    def ask(self, path: str, etag: str = "") -> Any:
        """The node's answer to GET, to be read and closed; None for "unchanged". Raises InputError."""
        headers = {"Authorization": f"Bearer {self.token}"} | ({"If-None-Match": etag} if etag else {})
        request = urllib.request.Request(self.url.rstrip("/") + path, headers=headers)
        try:
            return self._opener().open(request, timeout=ANSWER_S)
        except urllib.error.HTTPError as error:
            if error.code == 304:
                return None
            raise _refused(error) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise InputError(
                f"The node does not answer ({reason}).", next_step="Check its address in the settings, and the network."
            ) from error

    def _opener(self) -> urllib.request.OpenerDirector:
        try:
            context = ssl.create_default_context(cafile=self.authorities or None)
        except OSError as error:
            raise ConfigError(
                "The certificate file cannot be read.", where=str(self.authorities), next_step="Choose a PEM file."
            ) from error
        return urllib.request.build_opener(_NoRedirection, urllib.request.HTTPSHandler(context=context))


class NodeClient:
    """Serves requests until the end of the input.

    Args:
        events: where events are written, one line each.
    """

    def __init__(self, events: TextIO) -> None:
        self._events = events

    def serve(self, requests: Iterable[str]) -> None:
        """Answer them one after the other."""
        for line in requests:
            request = json.loads(line)
            try:
                node = NodeAddress(request["url"], request["token"], request.get("authorities"))
                answer = {"worklist": self._worklist, "open": self._open}[request["command"]]
                answer(request, node)
            except NeuroTriageError as error:
                self._emit_error(request, error)
            except OSError as error:
                self._emit_error(request, InputError(f"The exam could not be fetched: {error.strerror or error}."))

    def _worklist(self, request: dict[str, Any], node: NodeAddress) -> None:
        answer = node.ask(f"/api/worklist?hours={float(request.get('hours', 24))}", request.get("etag", ""))
        if answer is None:
            self._emit(event="worklist", id=request["id"], unchanged=True)
            return
        with answer:
            content = json.loads(answer.read(MOST_LIST_BYTES))
            etag = answer.headers.get("etag", "")
        self._emit(event="worklist", id=request["id"], unchanged=False, etag=etag, **content)

    def _open(self, request: dict[str, Any], node: NodeAddress) -> None:
        target = Path(request["folder"])
        target.mkdir(parents=True, exist_ok=True)
        # In the asker's folder, which the asker removes: a process that is killed leaves no patient's images behind.
        with tempfile.TemporaryDirectory(dir=target) as work:
            folder = Path(work)
            with (
                node.ask(f"/api/exams/{int(request['exam'])}/review") as answer,
                (folder / "all.zip").open("wb") as kept,
            ):
                self._copy(answer, kept, request)
            _unpack(folder / "all.zip", folder)
            images = folder / "images"
            self._emit(event="progress", id=request["id"], stage="loading")
            results = [
                _exam_from(bundle, images, target / bundle.stem)
                for bundle in sorted(folder.glob("exam_*.zip"), key=lambda path: int(path.stem.removeprefix("exam_")))
            ]
            study = inspect_studies([images])[0]
        told = {key: study[key] for key in ("study_instance_uid", "study_date", "patient_key", "reads")}
        self._emit(event="opened", id=request["id"], results=list(map(str, results)), study=told)

    def _copy(self, answer: Any, kept: IO[bytes], request: dict[str, Any]) -> None:
        size = 0
        while piece := answer.read(PIECE_BYTES):
            size += len(piece)
            if size > MOST_BYTES:
                raise InputError("The node sends more than an exam can have.", next_step="Check its address.")
            kept.write(piece)
            self._emit(event="progress", id=request["id"], stage="fetching", megabytes=round(size / 1e6, 1))

    def _emit_error(self, request: dict[str, Any], error: NeuroTriageError) -> None:
        self._emit(event="error", id=request["id"], what=error.what, where=error.where, next_step=error.next_step)

    def _emit(self, **event: Any) -> None:
        self._events.write(json.dumps(event) + "\n")
        self._events.flush()


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    """The token is for the node alone."""

    def redirect_request(self, *args: Any, **options: Any) -> None:
        return None


def _unpack(path: Path, folder: Path) -> None:
    """Raises InputError for an archive that is damaged or holds anything else than an exam's files."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            wrong = not all(_MEMBER.fullmatch(item.filename) for item in members)
            if wrong or sum(item.file_size for item in members) > MOST_BYTES:
                raise InputError("The node sends something else than an exam.", next_step="Check its address.")
            archive.extractall(folder)
    except (zipfile.BadZipFile, EOFError) as error:
        raise InputError("The exam did not arrive whole.", next_step="Open it again.") from error


def _exam_from(bundle: Path, images: Path, target: Path) -> Path:
    """A complete exchange folder of a bundle and the images that it is about."""
    unpack_bundle(bundle.read_bytes(), target)
    uid = json.loads((target / "exam.json").read_text(encoding="utf-8"))["volume"]["series_instance_uid"]
    volume, _ = load_series([images], uid)
    result = load_exam(target, volume)
    if any(reading.label_kji.shape != result.grid.shape_kji for reading in result.readings[:1]):
        raise InputError("The exam's images are not those that were read.", next_step="Open it again.")
    shutil.rmtree(target)
    save_exam(result, target)
    write_bundle(target)
    return target


def _refused(error: urllib.error.HTTPError) -> InputError:
    """What the node says, in the user's words."""
    known = {
        401: ("The node does not know this token.", "Enter the token of a user of the node in the settings."),
        403: ("This token may not read the worklist.", 'Ask for the right "read" in the node\'s site file.'),
        429: ("The node was asked too often.", "Wait some minutes."),
    }
    if error.code in known:
        return InputError(known[error.code][0], next_step=known[error.code][1])
    try:
        told = json.loads(error.read(PIECE_BYTES))
        return InputError(str(told["error"]), next_step=str(told.get("next_step", "")))
    except (ValueError, KeyError, TypeError):
        return InputError(f"The node answers {error.code}.", next_step="Check its address in the settings.")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def main() -> None:
    """Serve stdin and stdout; anything else that prints goes to stderr so that the protocol stays clean."""
    events, sys.stdout = sys.stdout, sys.stderr
    NodeClient(events).serve(sys.stdin)


if __name__ == "__main__":
    main()
