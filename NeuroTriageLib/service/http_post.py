"""One HTTP POST to a web server of the site: no redirect is followed, no proxy asked, nothing of the answer trusted."""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..core.errors import ConfigError
from .client_tls import client_context
from .sending import Unreachable
from .site_config import Login, Tls

ANSWER_BYTES = 4 * 1024 * 1024  # more of an answer is not read; a STOW answer has about 1 kB for each object (ours)
LONGEST_WAIT_S = 3600.0  # a server's Retry-After counts up to here, so that none can silence us for days (ours)
USER_AGENT = "NeuroTriage"


@dataclass(frozen=True)
class HttpAnswer:
    """Status and first bytes of the body."""

    status: int
    body: bytes


@dataclass(frozen=True)
class WebServer:
    """A server as the site's file describes it.

    Args:
        url: http or https, without user and password.
        login: who we are.
        tls: whom we trust, and our own certificate.
        timeout_s: of connecting, and of each wait for an answer.
    """

    url: str
    login: Login | None = None
    tls: Tls | None = None
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if self.login is not None and parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
            raise ConfigError(
                "A login would be sent without encryption.", where=self.url, next_step="Use an https address."
            )


class HttpPoster:
    """Posts to one server; one thread posts, any other may cancel."""

    def __init__(self, server: WebServer) -> None:
        self.server = server
        self._parts = urlsplit(server.url)
        self._connection: http.client.HTTPConnection | None = None
        self._cancelled = False

    def post(self, path: str, body: Iterable[bytes], length: int, headers: dict[str, str]) -> HttpAnswer:
        """Post to the server's address with the path added.

        Args:
            path: begins with "/", already quoted; may hold a query.
            body: the bytes, piece by piece.
            length: of all pieces.
            headers: Content-Type and others.

        Raises:
            Unreachable: no connection, no answer in time, or the server says that it is out of order (5xx, 408, 429).
            ConfigError: a secret or certificate cannot be read.
        """
        sent = {
            "Content-Length": str(length),
            "User-Agent": USER_AGENT,
            "Connection": "close",
            **_authorization(self.server.login),
            **headers,
        }
        connection = self._connection = self._connect()
        try:
            connection.connect()
            if self._cancelled:
                raise Unreachable("It was cancelled.", where=self.server.url)
            connection.request("POST", self._parts.path.rstrip("/") + path, body=body, headers=sent)
            answer = connection.getresponse()
            status, wait_s = answer.status, _asked_wait_s(answer.getheader("Retry-After"))
            content = answer.read(ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"The server does not answer ({_plain(error)}).", where=self.server.url) from error
        finally:
            self._connection = None
            connection.close()
        if status >= 500 or status in (408, 429):
            raise Unreachable(f"The server answered with status {status}.", where=self.server.url, wait_s=wait_s)
        return HttpAnswer(status, content)

    def cancel(self) -> None:
        """End a post that another thread is in, and every further one."""
        self._cancelled = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> http.client.HTTPConnection:
        host, port, timeout = self._parts.hostname or "", self._parts.port, self.server.timeout_s
        if self._parts.scheme == "https":
            context = client_context(self.server.tls)
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
        return http.client.HTTPConnection(host, port, timeout=timeout)


def _authorization(login: Login | None) -> dict[str, str]:
    """The header that says who we are; the secrets are read each time, so that they can be changed."""
    if login is None:
        return {}
    if login.token_file is not None:
        return {"Authorization": f"Bearer {read_secret(login.token_file)}"}
    if login.user is None or login.password_file is None:
        raise ConfigError("A login needs token_file, or user and password_file.", next_step="Add them to the login.")
    pair = f"{login.user}:{read_secret(login.password_file)}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def read_secret(path: Path) -> str:
    """The first line of a file, which must hold nothing else. Raises ConfigError: it cannot be read, or holds more."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("A secret cannot be read.", where=str(path), next_step="Check path and rights.") from error
    if not text or not text.isprintable():
        raise ConfigError("A secret is one line of printable text.", where=str(path))
    return text


def _asked_wait_s(header: str | None) -> float:
    """Retry-After in seconds (RFC 9110, 10.2.3); its other form, a date, counts as nothing said."""
    return min(float(header), LONGEST_WAIT_S) if header is not None and header.isascii() and header.isdigit() else 0.0


def _plain(error: Exception) -> str:
    """An error in one word or two, without what the other side has sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
