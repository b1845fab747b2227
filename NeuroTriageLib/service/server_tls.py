"""TLS for what we offer: our certificate, and whose clients may come in."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from ..core.errors import ConfigError
from .client_tls import unusable
from .site_config import Tls


class _LaterHandshake(ssl.SSLContext):
    """Shakes hands when a connection is first read, in its own thread: else a silent client would block all others."""

    def wrap_socket(self, sock: socket.socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(sock, *args, **options | {"do_handshake_on_connect": False})


def server_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or newer (PS3.15, B.12: BCP 195); with authorities every client needs a certificate that they signed.

    Raises ConfigError: a certificate or key is missing or cannot be read.
    """
    if tls.certificate is None or tls.private_key is None:
        raise ConfigError("A server needs tls.certificate and tls.private_key.", where="tls")
    try:
        context = _LaterHandshake(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(str(tls.certificate), str(tls.private_key))
        if tls.authorities is not None:
            context.load_verify_locations(cafile=str(tls.authorities))
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise unusable(tls) from error
    return context
