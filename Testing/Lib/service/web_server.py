"""A small web server in the test's own process: STOW-RS, UPS-RS and webhooks, with an answer that tests choose."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

from pydicom import Dataset, dcmread


@dataclass
class Request:
    """What came: path with query, headers in lower case, body."""

    path: str
    headers: dict[str, str]
    body: bytes

    def instances(self) -> list[Dataset]:
        """The DICOM objects of a STOW-RS request."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        parts = BytesParser().parsebytes(head + self.body).get_payload()
        return [dcmread(BytesIO(part.get_payload(decode=True))) for part in parts]  # type: ignore[union-attr,arg-type]


@dataclass
class WebSite:
    """Its knobs may be turned while it runs.

    Args:
        status, answer, headers: of every answer.
        pause_s: before it.
    """

    status: int = 200
    answer: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    requests: list[Request] = field(default_factory=list)
    url: str = ""


def failed_response(sop_uid: str, reason: int) -> bytes:
    """A store response in DICOM JSON that says that an instance was not stored."""
    item = {"00081155": {"vr": "UI", "Value": [sop_uid]}, "00081197": {"vr": "US", "Value": [reason]}}
    return json.dumps({"00081198": {"vr": "SQ", "Value": [item]}}).encode()


@contextmanager
def serving(site: WebSite, tls: ssl.SSLContext | None = None) -> Iterator[WebSite]:
    """Serve on loopback; url is set."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            site.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            time.sleep(site.pause_s)
            self.send_response(site.status)
            for key, value in site.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(site.answer)))
            self.end_headers()
            self.wfile.write(site.answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}/web"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
