"""A DICOMweb server on loopback with a few studies: QIDO-RS with paging, WADO-RS of series, errors on demand."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pydicom

MOST_PER_PAGE = 2


class SmallDicomweb(ThreadingHTTPServer):
    """Serves folders of DICOM files, one study in each; `refuse` is the HTTP status of every answer but 0."""

    def __init__(self, studies: list[Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refuse = 0
        self.wanted_authorization = ""
        self.ignores_offset = False
        self.paths: list[str] = []
        self.queries: list[dict[str, list[str]]] = []
        self.series: dict[str, dict[str, tuple[str, list[bytes]]]] = {}
        for folder in studies:
            for path in sorted(folder.rglob("*.dcm")):
                header = pydicom.dcmread(path, stop_before_pixels=True)
                of_study = self.series.setdefault(str(header.StudyInstanceUID), {})
                of_study.setdefault(str(header.SeriesInstanceUID), (header.Modality, []))[1].append(path.read_bytes())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/dicom-web"


@contextmanager
def serving(studies: list[Path]) -> Iterator[SmallDicomweb]:
    server = SmallDicomweb(studies)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: SmallDicomweb

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.server.paths.append(parts.path)
        if self.server.refuse:
            return self._send(self.server.refuse, "text/plain", b"SECRETNAME is not for you")
        if self.headers.get("Authorization", "") != self.server.wanted_authorization:
            return self._send(401, "text/plain", b"")
        match = re.fullmatch(r"/dicom-web/studies(?:/([\d.]+)/series(?:/([\d.]+))?)?", parts.path)
        study, series = match.groups() if match else ("?", None)
        if study is None:
            return self._studies(parse_qs(parts.query))
        if study not in self.server.series:
            return self._send(404, "text/plain", b"")
        if series is None:
            return self._json(
                [{"0020000E": _value("UI", uid), "00080060": _value("CS", modality)}
                 for uid, (modality, _) in self.server.series[study].items()]
            )  # fmt: skip
        return self._series(self.server.series[study][series][1])

    def _studies(self, query: dict[str, list[str]]) -> None:
        self.server.queries.append(query)
        start = 0 if self.server.ignores_offset else int(query.get("offset", ["0"])[0])
        found = sorted(self.server.series.items())[start : start + MOST_PER_PAGE]
        self._json(
            [{"0020000D": _value("UI", uid), "00080061": _value("CS", *{modality for modality, _ in series.values()})}
             for uid, series in found]
        )  # fmt: skip

    def _series(self, files: list[bytes]) -> None:
        body = b"".join(b"\r\n--edge\r\nContent-Type: application/dicom\r\n\r\n" + data for data in files)
        self._send(200, 'multipart/related; type="application/dicom"; boundary=edge', body[2:] + b"\r\n--edge--")

    def _json(self, document: object) -> None:
        self._send(200, "application/dicom+json", json.dumps(document).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _value(vr: str, *values: str) -> dict[str, object]:
    return {"vr": vr, "Value": list(values)}
