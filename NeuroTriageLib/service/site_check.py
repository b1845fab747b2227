"""What a site's file would have the node do, after everything has been looked at that can be without running it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..catalog import CONSENSUS, MR_SYSTEM, default_system, find_pack
from ..core.errors import ConfigError, ModelError
from .client_tls import client_context
from .data_folder import DataFolder
from .first_look import SYSTEM as FIRST_SYSTEM
from .http_access import check_password_hashes
from .http_post import WebServer
from .server_tls import server_context
from .site_config import Destination, SiteConfig


def site_lines(site: SiteConfig) -> Iterator[str]:
    """One line for each thing that the node would do, and for each that a site should think about.

    Raises:
        ConfigError: folders, certificates or secrets that cannot be used.
        ModelError: a model pack that is named is not there.
    """
    yield from _in(site)
    yield from _reading(site)
    yield from _out(site)
    yield from _kept(site)


def _in(site: SiteConfig) -> Iterator[str]:
    node = site.node
    if node.tls is not None:
        server_context(node.tls)
    if site.callers:
        secured = "without TLS" if node.tls is None else "with TLS"
        if node.tls is not None and node.tls.authorities is not None:
            secured += ", clients show a certificate"
        yield f"DICOM: listens on {node.address}:{node.port} as {node.ae_title}, {secured}."
    else:
        yield "DICOM: nobody may send, so it does not listen; name senders in [[callers]]."
    for caller in site.callers:
        where = ", ".join(caller.addresses) or "anywhere (think of naming its addresses)"
        yield f"  {caller.ae_title} may send from {where}."
    for watch in site.watch:
        for folder in (watch.folder, watch.taken_folder):
            _check_folder(folder)
        yield f"Watches {watch.folder}; what was taken goes to {watch.taken_folder}."
    rule = site.completeness
    yield f"An exam is complete when nothing came for {rule.quiet_s:g} s, or after {rule.longest_s:g} s."
    if site.http is not None:
        check_password_hashes(site.http.users)
        yield f"HTTP{'S' if site.http.tls else ''}: {site.http.address}:{site.http.port}, {len(site.http.users)} users."


def _reading(site: SiteConfig) -> Iterator[str]:
    readers = site.readers
    ct = find_pack(default_system(), readers.ct_model)
    yield f"{readers.processes} reader(s) on {readers.device}: head CT with {ct.name}."
    try:
        yield f"  Brain MRI with {find_pack(MR_SYSTEM, readers.mr_model).name}."
    except ModelError:
        if readers.mr_model is not None:
            raise
        yield "  No model for brain MRI is installed: exams that hold nothing else are set aside."
    if readers.accept_unfamiliar and default_system() == CONSENSUS:
        yield "  Exams unlike those that the models learned from are answered too."
    if readers.first_look:
        yield f"  First look with {find_pack(FIRST_SYSTEM, readers.first_look_model).name}."


def _out(site: SiteConfig) -> Iterator[str]:
    if not site.destinations:
        yield "Results are sent nowhere; name a place in [[destinations]]."
    for item in site.destinations:
        if item.tls is not None:
            client_context(item.tls)
        if item.url is not None:
            WebServer(item.url, item.login)
        asked = ", asks for storage commitment" if item.commitment else ""
        yield f"Results go to {item.name}: {_place(item)}{asked}."
        yield f"  These: {', '.join(item.objects)}; of exams with {', '.join(item.answers)}."
    for listener in site.listeners:
        WebServer(listener.url, listener.login)
        yield f"{listener.name} is told of {', '.join(listener.answers)}: {listener.kind} {listener.url}."


def _kept(site: SiteConfig) -> Iterator[str]:
    data = DataFolder(site.node.data_folder)
    _check_folder(data.path if data.path.exists() else data.path.parent)
    rule = site.retention
    for days, what in (
        (rule.images_days, "images of exams that are done"),
        (rule.results_days, "their results"),
        (rule.set_aside_days, "images of exams that were set aside"),
    ):
        yield f"Keeps {what} {'for ever' if days is None else f'{days:g} days'}."
    if rule.disk_share < 1.0:
        yield f"Removes the oldest done exams earlier when the disk is fuller than {rule.disk_share:.0%}."
    yield f"Data: {data.path}."


def _place(item: Destination) -> str:
    if item.kind == "stow":
        return str(item.url)
    return f"{item.ae_title} at {item.host}:{item.port}{'' if item.tls is None else ' over TLS'}"


def _check_folder(folder: Path) -> None:
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(
            "This folder is not there, or may not be written to.",
            where=str(folder),
            next_step="Make it, or give the node's user the right to write there.",
        )
