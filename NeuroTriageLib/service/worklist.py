"""The worklist: what the ledger knows of each exam, in the order in which a person should look."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..core.codes import ABNORMAL, ANY, FINDING_CODES
from ..core.errors import InputError
from .exam_queue import ORDER_SQL, order_values
from .ledger import Ledger
from .site_config import Order

Rank = Literal["found", "look", "pending", "nothing"]
"""found: something was found. look: the node could not look, so a person must. pending: not answered yet. nothing:
looked at, nothing found."""

RANKS: tuple[Rank, ...] = ("found", "look", "pending", "nothing")
"""What is shown first. An exam that could not be looked at may hold anything and stands before those that the node will
answer by itself (ours)."""

# The rank of Priority (0000,0700): 0 medium, 1 high, 2 low (PS3.7, 9.3.1).
_PRIORITY_RANK = {1: 0, 0: 1, 2: 2}
# Findings that say only that there is something; a more precise one names the exam where there is one.
_GENERAL = (ANY, ABNORMAL)
# An answer of more rows than a person can look through only slows the page down (ours).
MOST_EXAMS = 1000


@dataclass(frozen=True)
class WorklistFinding:
    """One finding as the list shows it.

    Args:
        code, name: of core/codes.py; the code itself where that does not know it.
        status: "found", "not_found" or "could_not_look".
        probability: 0-1; None when it could not be looked at.
        volume_ml: None when no mask was drawn.
    """

    code: str
    name: str
    status: str
    probability: float | None
    volume_ml: float | None


@dataclass(frozen=True)
class WorklistExam:
    """One exam of the list; times are seconds since 1970.

    Args:
        id: of the ledger; the exam's name in addresses.
        rank: which group it stands in.
        urgency: of the first look, 0-1.
        age_s: since its first image came.
        wait_s: from its last image to its answer, or to now.
        images: how many have come.
        stage, fraction: what a reader is doing with it now, and how far it is (0-1).
        finding: names of what was found, "" when nothing was.
        probability: of the most probable finding that is named, else of the most probable one.
        volume_ml: of all that was found; None when nothing was, or no mask was drawn.
        waiting: results that have not reached every destination yet.
        given_up: results that will not, after the last try.
        has_result: there is a report to look at.
        place: in the queue, from 1 for the next; None when it does not stand there.
    """

    id: int
    study_uid: str
    revision: int
    state: str
    rank: Rank
    dicom_priority: int
    urgency: float
    source: str
    opened_at: float
    answered_at: float | None
    age_s: float
    wait_s: float
    images: int
    stage: str | None
    fraction: float | None
    tries: int
    reason: str | None
    findings: tuple[WorklistFinding, ...]
    finding: str
    probability: float | None
    volume_ml: float | None
    waiting: int
    given_up: int
    has_result: bool
    place: int | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


# "+" keeps SQLite from the index of states (sqlite.org/optoverview): while a PACS is away nearly all rows are waiting,
# and each exam would look through the rows of all others.
_SELECT = """
SELECT exam.*,
    (SELECT COUNT(*) FROM image WHERE image.exam_id = exam.id) AS images,
    (SELECT COUNT(*) FROM delivery WHERE exam_id = exam.id AND +delivery.state = 'waiting')
        + (SELECT COUNT(*) FROM notice WHERE exam_id = exam.id AND +notice.state = 'waiting') AS waiting,
    (SELECT COUNT(*) FROM delivery WHERE exam_id = exam.id AND +delivery.state = 'given_up')
        + (SELECT COUNT(*) FROM notice WHERE exam_id = exam.id AND +notice.state = 'given_up') AS given_up
FROM exam
"""
_PENDING_RANK = {"reading": 0, "queued": 1, "receiving": 2}


def worklist(ledger: Ledger, window_s: float, order: Order) -> list[WorklistExam]:
    """The exams that came within the window, and older ones that wait or failed, most urgent first.

    Of a study that was read anew because images came late, the older answer is left out as soon as there is the newer.

    Args:
        ledger: the node's memory.
        window_s: how far back, seconds.
        order: of the node's queue, in which what waits is listed.
    """
    rows = ledger.rows(
        f"{_SELECT} WHERE state != 'deleted' AND (opened_at >= ? OR state IN ('receiving', 'queued', 'reading'))"
        " ORDER BY opened_at DESC LIMIT ?",
        (ledger.now() - window_s, MOST_EXAMS),
    )
    queue = ledger.rows(f"SELECT id FROM exam WHERE state = 'queued' ORDER BY {ORDER_SQL}", order_values(order))
    places = {row["id"]: place for place, row in enumerate(queue, start=1)}
    exams = [_exam(row, ledger.now(), places.get(row["id"])) for row in rows]
    answered: dict[str, int] = {}
    for exam in exams:
        if exam.state not in _PENDING_RANK:
            answered[exam.study_uid] = max(exam.revision, answered.get(exam.study_uid, 0))
    return sorted((e for e in exams if e.revision >= answered.get(e.study_uid, 0)), key=_order)


def exam_of(ledger: Ledger, exam_id: int) -> WorklistExam:
    """One exam, without its place in the queue. Raises InputError when the ledger does not know it."""
    rows = ledger.rows(f"{_SELECT} WHERE exam.id = ?", (exam_id,))
    if not rows:
        raise InputError("The node knows no such exam.", where=str(exam_id), next_step="Look at the worklist anew.")
    return _exam(rows[0], ledger.now(), None)


def history_of(ledger: Ledger, exam_id: int) -> dict[str, list[dict[str, Any]]]:
    """What happened to an exam and where its results went: "audit", "deliveries" and "notices", oldest first."""
    queries = {
        "audit": "SELECT at, event, detail FROM audit WHERE exam_id = ? ORDER BY id",
        "deliveries": "SELECT destination, sop_class_uid, sop_uid, state, tries, next_try_at, reason, sent_at,"
        " committed_at FROM delivery WHERE exam_id = ? ORDER BY id",
        "notices": "SELECT listener, state, tries, next_try_at, reason, sent_at FROM notice WHERE exam_id = ?"
        " ORDER BY id",
    }
    return {name: [dict(row) for row in ledger.rows(query, (exam_id,))] for name, query in queries.items()}


def counts_by_state(ledger: Ledger) -> dict[str, int]:
    """State -> number of exams."""
    return {row["state"]: row["n"] for row in ledger.rows("SELECT state, COUNT(*) AS n FROM exam GROUP BY state")}


def _order(exam: WorklistExam) -> tuple[Any, ...]:
    """By rank. What waits: as it is read, being read first. The others: the sender's priority, probability, age."""
    rank = RANKS.index(exam.rank)
    if exam.rank == "pending":
        return (rank, _PENDING_RANK[exam.state], exam.place or 0, exam.opened_at, exam.id)
    priority = _PRIORITY_RANK.get(exam.dicom_priority, 1)
    return (rank, priority, -(exam.probability or 0.0), exam.opened_at, exam.id)


def _exam(row: sqlite3.Row, now: float, place: int | None) -> WorklistExam:
    findings = _findings(row["findings"])
    found = [item for item in findings if item.status == "found"]
    named = [item for item in found if item.code not in _GENERAL] or found
    looked = named or [item for item in findings if item.status == "not_found"]
    ended = row["answered_at"] or now
    return WorklistExam(
        id=row["id"],
        study_uid=row["study_uid"],
        revision=row["revision"],
        state=row["state"],
        rank=_rank(row["state"], findings),
        dicom_priority=row["dicom_priority"],
        urgency=row["urgency"],
        source=row["source"],
        opened_at=row["opened_at"],
        answered_at=row["answered_at"],
        age_s=max(now - row["opened_at"], 0.0),
        wait_s=max(ended - row["last_image_at"], 0.0),
        images=row["images"],
        stage=row["stage"] if row["state"] == "reading" else None,
        fraction=row["fraction"] if row["state"] == "reading" else None,
        tries=row["tries"],
        reason=row["reason"],
        findings=findings,
        finding=_names(named),
        probability=max((item.probability for item in looked if item.probability is not None), default=None),
        volume_ml=_volume_ml(found),
        waiting=row["waiting"],
        given_up=row["given_up"],
        has_result=row["result"] is not None and row["state"] != "deleted",
        place=place,
    )


def _findings(text: str | None) -> tuple[WorklistFinding, ...]:
    return tuple(
        WorklistFinding(
            code=item["code"],
            name=FINDING_CODES[item["code"]].name if item["code"] in FINDING_CODES else item["code"],
            status=item["status"],
            probability=item.get("probability"),
            volume_ml=item.get("volume_ml"),
        )
        for item in json.loads(text or "[]")
    )


def _rank(state: str, findings: tuple[WorklistFinding, ...]) -> Rank:
    """A finding that was found outweighs another that could not be looked at."""
    if state in _PENDING_RANK:
        return "pending"
    statuses = {item.status for item in findings}
    if "found" in statuses:
        return "found"
    return "nothing" if statuses == {"not_found"} else "look"


def _names(named: list[WorklistFinding]) -> str:
    """The largest volume first, as one phrase."""
    names = [item.name for item in sorted(named, key=lambda item: -(item.volume_ml or 0.0))]
    return ", ".join([*names[:1], *(name[:1].lower() + name[1:] for name in names[1:])])


def _volume_ml(found: list[WorklistFinding]) -> float | None:
    """That of any hemorrhage, which holds its types; else the largest, as findings may overlap."""
    whole = [item.volume_ml for item in found if item.code == ANY and item.volume_ml is not None]
    return max(whole or [item.volume_ml for item in found if item.volume_ml is not None], default=None)
