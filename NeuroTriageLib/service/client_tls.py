"""TLS for what we call: whom we trust, and the certificate that says who we are."""

from __future__ import annotations

import ssl

from ..core.errors import ConfigError
from .site_config import Tls


def client_context(tls: Tls | None) -> ssl.SSLContext:
    """TLS 1.2 or newer with the other side's name checked (PS3.15, B.12: BCP 195); None is the system's authorities.

    Raises ConfigError: a certificate or key cannot be read.
    """
    tls = tls or Tls()
    try:
        context = ssl.create_default_context(cafile=None if tls.authorities is None else str(tls.authorities))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.certificate is not None:
            context.load_cert_chain(str(tls.certificate), None if tls.private_key is None else str(tls.private_key))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise unusable(tls) from error
    return context


def unusable(tls: Tls) -> ConfigError:
    """What a site is told about certificates that cannot be used, ours or those whom we trust."""
    return ConfigError(
        "A certificate or private key cannot be used.",
        where=", ".join(str(path) for path in (tls.authorities, tls.certificate, tls.private_key) if path),
        next_step="They must be PEM files that the node may read, and the key must belong to the certificate.",
    )
