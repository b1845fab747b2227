"""The thread that serves the pages: http on loopback or https, ended within seconds."""

from __future__ import annotations

import asyncio
import socket
import threading

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..core.errors import ConfigError
from .server_tls import server_context
from .site_config import Http

# Connections at once, whatever they do; a hospital's screens poll, they do not stay (ours).
MOST_CONNECTIONS = 200
# Who has not said what it wants by then is left (ours; nginx waits 60 s by default).
FIRST_WORD_S = 15.0
THREADS = 8  # that answer; they wait for the disk more than they work (ours)
STOP_S = 3  # what is being answered may end; then it is cut off (ours)


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that does not wait for ever for a request to begin."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connected."""
        super().connection_made(transport)
        self._patience = self.loop.call_later(FIRST_WORD_S, self._leave)

    def connection_lost(self, exc: Exception | None) -> None:
        """Somebody left."""
        self._patience.cancel()
        super().connection_lost(exc)

    def _leave(self) -> None:
        if self.cycle is None:
            self.transport.close()


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin in the loop that will serve: its threads, each with a connection to the ledger, are few."""
        current_default_thread_limiter().total_tokens = THREADS
        await super().startup(sockets)


class HttpServer:
    """The pages on their port.

    Args:
        settings: [http].
        app: what answers.

    Raises:
        ConfigError: the port is taken, or a certificate cannot be read.
    """

    def __init__(self, settings: Http, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app,
            http=ImpatientProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # whoever calls must not say where it calls from
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=STOP_S,
            h11_max_incomplete_event_size=16 * 1024,  # of a request's head; ours, a quarter of the default
        )
        config.load()
        if settings.tls is not None:
            config.ssl = server_context(settings.tls)
        try:
            self._socket = socket.create_server((settings.address, settings.port))
        except OSError as error:
            raise ConfigError(
                f"The pages cannot be served: {error.strerror or error}.",
                where=f"{settings.address}:{settings.port}",
                next_step="Check address and port in [http].",
            ) from error
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="http")

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more; returns when the thread has ended."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
