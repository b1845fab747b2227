"""The pages of a node, made from its parts."""

from __future__ import annotations

from collections.abc import Callable

from .data_folder import DataFolder
from .exam_files import ExamFiles
from .http_access import Access
from .http_api import HttpParts, make_app
from .http_server import HttpServer
from .inbox import MB, Inbox
from .ledger import Ledger
from .site_config import Http, SiteConfig
from .stow_inbox import stow_inbox
from .stow_receiver import StowReceiver


def http_server(
    site: SiteConfig, http: Http, ledger: Ledger, data: DataFolder, inbox: Inbox, problems: Callable[[], list[str]]
) -> HttpServer:
    """A server that listens and does not answer yet. Raises ConfigError: port, certificate or a password is wrong."""
    image_bytes = int(site.limits.image_mb * MB)
    stow = StowReceiver(stow_inbox(inbox, ledger, http.users), data.arriving, image_bytes) if http.stow else None
    parts = HttpParts(
        ledger,
        ExamFiles(ledger, data.inbox, data.results),
        Access(http.users),
        stow,
        body_idle_s=site.limits.idle_s,
        requests_per_minute=http.requests_per_minute,
        secure=http.tls is not None,
        order=site.order,
        problems=problems,
    )
    return HttpServer(http, make_app(parts))
