"""Around every page: headers that keep a browser from doing more than it is told, and a limit on requests."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .http_metrics import RefusedRequests

log = logging.getLogger(__name__)

# Our own files only, no script or style within a page, no frame, no plug-in (Content Security Policy Level 3).
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
# A report holds its pictures and style within itself, and runs nothing.
REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox; base-uri 'none'; frame-ancestors 'none'"
)
_POLICY = "content-security-policy"
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with "no-referrer" our own forms would have the origin "null"
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",  # patients' data stays out of a browser's cache
}
# Addresses that are counted at once; a flood from more pushes out the oldest (ours).
MOST_ADDRESSES = 10_000


class RequestRate:
    """How many requests an address may still make: a bucket that fills at the allowed rate and holds a minute's share.

    Args:
        per_minute: allowed of one address.
        clock: seconds that only grow.
    """

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, address: str) -> float:
        """Count a request: 0 when it is allowed, else the seconds until the next one would be."""
        now = self._clock()
        with self._lock:
            left, since = self._buckets.pop(address, (self._per_minute, now))
            left = min(left + (now - since) * self._per_minute / 60, self._per_minute)
            allowed = left >= 1
            self._buckets[address] = (left - 1 if allowed else left, now)
            if len(self._buckets) > MOST_ADDRESSES:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) * 60 / self._per_minute


class Guard:
    """The outermost layer of the pages.

    Args:
        app: what answers.
        rate: of requests.
        refused: counts answers of 4xx and 5xx.
        secure: the pages are served by https.
    """

    def __init__(self, app: ASGIApp, rate: RequestRate, refused: RefusedRequests, secure: bool) -> None:
        self._app, self._rate, self._refused, self._secure = app, rate, refused, secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = False

        async def guarded(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                self._complete(message)
            await send(message)

        wait_s = self._rate.wait_s(scope["client"][0] if scope["client"] else "")
        if wait_s > 0:
            refusal = JSONResponse({"error": "Too many requests."}, 429, {"retry-after": str(int(wait_s) + 1)})
            await refusal(scope, receive, guarded)
            return
        try:
            await self._app(scope, receive, guarded)
        except Exception as error:  # what went wrong is ours to know: a browser gets no trace
            log.error("an HTTP request failed: %s", type(error).__name__)
            if not began:
                await JSONResponse({"error": "The node could not answer."}, 500)(scope, receive, guarded)

    def _complete(self, message: Message) -> None:
        headers = MutableHeaders(raw=message["headers"])
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault(_POLICY, PAGE_POLICY)
        if self._secure:
            headers.setdefault("strict-transport-security", "max-age=31536000")
        message["headers"] = headers.raw
        if message["status"] >= 400:
            self._refused.note(message["status"])
