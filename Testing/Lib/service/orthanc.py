"""A real Orthanc on loopback, with DICOM and DICOMweb, that a test starts and stops; skipped where there is none."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from Testing.Lib.service.authority import Authority, Identity

PROGRAM = shutil.which("Orthanc") or (shutil.which("/usr/sbin/Orthanc"))
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
needs_orthanc = pytest.mark.skipif(PROGRAM is None, reason="Orthanc is not installed")
needs_dicomweb = pytest.mark.skipif(not DICOMWEB.exists(), reason="Orthanc's DICOMweb plugin is not installed")
START_S = 30.0


@dataclass
class Orthanc:
    """A running one."""

    dicom_port: int
    http_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def get(self, path: str) -> Any:
        """JSON of its REST interface."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.loads(answer.read())

    def sop_uids(self) -> set[str]:
        """SOP Instance UIDs of all that it holds."""
        return {item["MainDicomTags"]["SOPInstanceUID"] for item in self.get("/instances?expand")}

    def file(self, sop_uid: str) -> bytes:
        """An instance as it is stored there."""
        (number,) = (
            item["ID"] for item in self.get("/instances?expand") if item["MainDicomTags"]["SOPInstanceUID"] == sop_uid
        )
        with urllib.request.urlopen(f"{self.url}/instances/{number}/file", timeout=10) as answer:
            return bytes(answer.read())


@contextmanager
def orthanc(
    folder: Path,
    *,
    modalities: dict[str, tuple[str, int]] | None = None,
    tls: tuple[Authority, Identity] | None = None,
    ports: tuple[int, int] | None = None,
) -> Iterator[Orthanc]:
    """Start one over a folder, which it finds again when it is started again.

    Args:
        folder: of its storage and settings.
        modalities: AE title -> host and port of nodes that it knows and answers requests for commitment to.
        tls: whom it trusts and its own certificate, for DICOM; its https crashes with OpenSSL 3 (see tls_front).
        ports: of DICOM and HTTP; None takes free ones.
    """
    assert PROGRAM is not None
    dicom_port, http_port = ports or (free_port(), free_port())
    settings = _settings(folder, dicom_port, http_port, modalities or {}, tls)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("ab") as log:
        process = subprocess.Popen([PROGRAM, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        running = Orthanc(dicom_port, http_port)
        _wait_for(running, process, folder / "orthanc.log")
        yield running
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


@contextmanager
def tls_front(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """A port that speaks TLS in front of one that does not, as sites put a proxy in front of Orthanc."""

    class Forward(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with (
                context.wrap_socket(self.request, server_side=True) as outside,
                socket.create_connection(("127.0.0.1", port)) as inside,
            ):
                back = threading.Thread(target=_copy, args=(inside, outside))
                back.start()
                _copy(outside, inside)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forward) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Everything, until one side is done."""
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _settings(
    folder: Path,
    dicom_port: int,
    http_port: int,
    modalities: dict[str, tuple[str, int]],
    tls: tuple[Authority, Identity] | None,
) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": "ORTHANC",
        "DicomPort": dicom_port,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowEcho": True,
        "HttpPort": http_port,
        "HttpBindAddresses": ["127.0.0.1"],
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": False,
        "DicomModalities": {
            name: {"AET": name, "Host": host, "Port": port} for name, (host, port) in modalities.items()
        },
        "Plugins": [str(DICOMWEB)] if DICOMWEB.exists() else [],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
    }
    if tls is not None:
        authority, identity = tls
        settings |= {
            "DicomTlsEnabled": True,
            "DicomTlsCertificate": str(identity.certificate),
            "DicomTlsPrivateKey": str(identity.key),
            "DicomTlsTrustedCertificates": str(authority.certificate),
        }
    return settings


def _wait_for(running: Orthanc, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            running.get("/system")
            with socket.create_connection(("127.0.0.1", running.dicom_port), timeout=1.0):
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                break
            time.sleep(0.1)
    pytest.fail(f"Orthanc did not start: {log.read_text(errors='replace')[-2000:]}")
