"""The commands `neurotriage serve` and `neurotriage node`; what needs the extra is imported when it is asked for."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError

Say = Callable[[str], None]
"""Takes one line for people."""

LEAST_CHARACTERS = 12  # of a password that is the only factor; NIST SP 800-63B asks for 8 at least, ours
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `serve`."""
    _add_config(parser)
    parser.add_argument("--check", action="store_true", help="check the file, say what the node would do, and end")


def add_node_arguments(commands: Any) -> None:
    """Add the actions of `node`; each sets `node`: (options, say) -> exit code."""
    status = commands.add_parser("status", help="what the node is doing: exams by state, what waits, what went wrong")
    _add_config(status)
    status.add_argument("--json", action="store_true", help="print JSON")
    status.set_defaults(node=_status)
    password = commands.add_parser("password", help="what the site's file keeps of a password, for [[http.users]]")
    password.set_defaults(node=_password)
    token = commands.add_parser("token", help="a new token for a program, and what the site's file keeps of it")
    token.set_defaults(node=_token)
    again = commands.add_parser("retry", help="queue exams of a study again that were set aside")
    _add_config(again)
    again.add_argument("study", metavar="STUDY_UID", help="StudyInstanceUID, as `node status` names it")
    again.set_defaults(node=_retry)
    resend = commands.add_parser("resend", help="send again what was given up of a study's results and notices")
    _add_config(resend)
    resend.add_argument("study", metavar="STUDY_UID", help="StudyInstanceUID, as `node status` names it")
    resend.set_defaults(node=_resend)


def serve(options: argparse.Namespace, say: Say) -> int:
    """Run the node until it is told to stop (SIGTERM, Ctrl-C), or check its file. Raises NeuroTriageError."""
    _need_the_extra()
    from .site_file import read_site_file

    site = read_site_file(options.config)
    from .site_check import site_lines

    lines = list(site_lines(site))
    if options.check:
        for line in lines:
            say(line)
        return 0
    from .node import Node
    from .node_log import begin_log

    begin_log()
    stop = threading.Event()
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    node = Node(site)
    try:
        node.start()
        while not stop.wait(1.0):  # a wait without end would not see signals everywhere
            pass
    finally:
        node.stop()
    return 0


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="the site's file (TOML), see docs/node.md")


def _status(options: argparse.Namespace, say: Say) -> int:
    _need_the_extra()
    from .node_status import node_status, status_lines
    from .site_file import read_site_file

    status = node_status(read_site_file(options.config))
    say(json.dumps(status, indent=1) if options.json else "\n".join(status_lines(status)))
    return 0


def _password(options: argparse.Namespace, say: Say) -> int:
    from getpass import getpass

    from .http_passwords import password_hash

    password = getpass("Password: ")
    if len(password) < LEAST_CHARACTERS:
        raise ConfigError(f"The password has fewer than {LEAST_CHARACTERS} characters.", next_step="Choose another.")
    if getpass("Again: ") != password:
        raise ConfigError("The two passwords differ.", next_step="Try again.")
    say(f'password_hash = "{password_hash(password)}"')
    return 0


def _token(options: argparse.Namespace, say: Say) -> int:
    from .http_passwords import new_token, token_hash

    token = new_token()
    say(f"Token, shown only now: {token}")
    say(f'token_sha256 = "{token_hash(token)}"')
    return 0


def _retry(options: argparse.Namespace, say: Say) -> int:
    _need_the_extra()
    from .node_status import open_ledger
    from .site_file import read_site_file

    site = read_site_file(options.config)
    from .exam_queue import ExamQueue

    queue = ExamQueue(open_ledger(site), site.completeness, site.order, site.readers.tries)
    count = queue.try_again(options.study)
    if not count:
        raise ConfigError("No exam of this study was set aside.", where=options.study)
    say(f"{count} exam{'s' if count > 1 else ''} will be read again.")
    return 0


def _resend(options: argparse.Namespace, say: Say) -> int:
    _need_the_extra()
    from .node_status import open_ledger
    from .site_file import read_site_file

    site = read_site_file(options.config)
    from .data_folder import DataFolder
    from .outbox import Outbox

    count = Outbox(open_ledger(site), site, DataFolder(site.node.data_folder)).send_again(options.study)
    if not count:
        raise ConfigError("Nothing of this study was given up, or its files are gone.", where=options.study)
    say(f"What will be sent again: {count} results and notices.")
    return 0


def _need_the_extra() -> None:
    """Raises ConfigError when a package of the extra is missing."""
    try:
        import filelock  # noqa: F401
        import pydantic  # noqa: F401
        import pynetdicom  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"The node needs a package that is not installed ({error.name}).",
            next_step="Install it with: pip install 'neurotriage[service]'",
        ) from error
