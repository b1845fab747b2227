"""What a node is doing, read from its ledger while it runs or when it does not; without patients' names or IDs."""

from __future__ import annotations

from typing import Any

from filelock import FileLock, Timeout

from ..core.errors import InputError
from .data_folder import DataFolder
from .inbox import GB
from .ledger import Ledger
from .site_config import SiteConfig

LATEST = 10  # failures that are shown; ours


def open_ledger(site: SiteConfig) -> Ledger:
    """The ledger of a node that has run. Raises InputError when it never did."""
    path = DataFolder(site.node.data_folder).ledger
    if not path.is_file():
        raise InputError("This node has never run: there is no ledger.", where=str(path), next_step="neurotriage serve")
    return Ledger(path)


def node_status(site: SiteConfig) -> dict[str, Any]:
    """Plain values for JSON: is it running, exams by state, the oldest that waits, deliveries, failures, the disk.

    Raises InputError: the node has never run.
    """
    ledger, data = open_ledger(site), DataFolder(site.node.data_folder)
    exams = ledger.rows("SELECT state, COUNT(*) AS count FROM exam GROUP BY state")
    waiting = ledger.rows("SELECT MIN(complete_at) AS since FROM exam WHERE state IN ('queued', 'reading')")
    since = waiting[0]["since"]
    return {
        "running": _is_running(data),
        "exams": {row["state"]: row["count"] for row in exams},
        "longest_wait_s": None if since is None else round(ledger.now() - since, 1),
        "reading": _plain(ledger, "SELECT id, stage, fraction FROM exam WHERE state = 'reading' ORDER BY id"),
        "set_aside": _plain(
            ledger, "SELECT id, study_uid, tries, reason FROM exam WHERE state = 'set_aside' ORDER BY id"
        ),
        "deliveries": _plain(
            ledger, "SELECT destination AS name, state, COUNT(*) AS count FROM delivery GROUP BY destination, state"
        ),
        "notices": _plain(
            ledger, "SELECT listener AS name, state, COUNT(*) AS count FROM notice GROUP BY listener, state"
        ),
        "failures": _plain(
            ledger,
            "SELECT at, exam_id, event, detail FROM audit WHERE event IN ('failed', 'set aside', 'refused association',"
            f" 'refused image', 'given up') ORDER BY id DESC LIMIT {LATEST}",
        ),
        "free_gb": round(data.free_bytes() / GB, 1),
        "has_room": data.free_bytes() > site.limits.keep_free_gb * GB,
    }


def status_lines(status: dict[str, Any]) -> list[str]:
    """The same for people."""
    lines = [f"The node is {'running' if status['running'] else 'not running'}."]
    lines.append("Exams: " + (", ".join(f"{n} {state}" for state, n in status["exams"].items()) or "none"))
    if status["longest_wait_s"] is not None:
        lines.append(f"The longest wait of a complete exam is {status['longest_wait_s']:.0f} s.")
    for exam in status["reading"]:
        lines.append(f"Reading exam {exam['id']}: {exam['stage']}, {exam['fraction'] or 0:.0%}")
    for kind in ("deliveries", "notices"):
        lines += [f"{kind.capitalize()} to {row['name']}: {row['count']} {row['state']}" for row in status[kind]]
    for exam in status["set_aside"]:
        lines.append(f"Set aside: exam {exam['id']} of study {exam['study_uid']}: {exam['reason']}")
    lines += [f"Latest: {row['event']}: {row['detail']}" for row in status["failures"]]
    lines.append(f"Room: {status['free_gb']} GB{'' if status['has_room'] else ', too little: images are refused'}")
    return lines


def _plain(ledger: Ledger, query: str) -> list[dict[str, Any]]:
    return [dict(row) for row in ledger.rows(query)]


def _is_running(data: DataFolder) -> bool:
    lock = FileLock(data.lock)
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
