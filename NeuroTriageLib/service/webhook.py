"""Tells a web server about an answered exam: a POST of JSON, signed when the site gives a secret."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from .http_post import HttpPoster, WebServer, read_secret
from .sending import Refusal, Unreachable

SIGNATURE = "X-NeuroTriage-Signature"


class Webhook:
    """One listener; one thread tells, any other may cancel.

    Args:
        server: its address.
        secret_file: of the signature; None sends none.
    """

    def __init__(self, server: WebServer, secret_file: Path | None = None) -> None:
        self._poster = HttpPoster(server)
        self._secret_file = secret_file

    def tell(self, payload: str) -> Refusal | None:
        """Send a notice; None when the listener has taken it (status 2xx).

        Raises:
            Unreachable: no answer, or one that passes by itself.
            ConfigError: the secret or a certificate cannot be read.
        """
        body = payload.encode()
        # The same notice sent twice (we died before we wrote down that it was taken) has the same key.
        headers = {"Content-Type": "application/json", "Idempotency-Key": json.loads(payload)["notice"]}
        if self._secret_file is not None:
            digest = hmac.new(read_secret(self._secret_file).encode(), body, hashlib.sha256).hexdigest()
            headers[SIGNATURE] = f"sha256={digest}"
        status = self._poster.post("", [body], len(body), headers).status
        if status in (401, 403, 404):  # passes when somebody mends login or address
            raise Unreachable(f"The listener answered with status {status}.", next_step="Check url and login.")
        return None if 200 <= status < 300 else Refusal(f"It refused the notice (status {status}).", lasting=True)

    def cancel(self) -> None:
        """End what another thread is telling."""
        self._poster.cancel()
