"""What goes out of the node: which results to whom (rules), and where each of them stands, all of it in the ledger.

A delivery is waiting until its destination has taken the object, then sent; where storage commitment is asked for it is
asked for then, and the exam waits until the object is committed. What fails waits longer each time; in the end it is
given up with its reason, which an operator sees and can undo (send_again).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from ..core.errors import InputError
from .data_folder import DataFolder
from .exam_queue import ExamAnswer
from .ledger import Ledger
from .notices import notice_payload
from .retry import next_try
from .sending import Refusal, SentObject
from .site_config import Answer, Destination, Listener, ResultObject, Retry, SiteConfig

# First words of the result files' names (outputs/result_files.py).
_KINDS: tuple[tuple[str, ResultObject], ...] = (
    ("segmentation", "segmentation"),
    ("heatmap", "heatmap"),
    ("structured_report", "structured_report"),
    ("report", "report"),
    ("key_image", "key_images"),
)
Table = Literal["delivery", "notice"]
_DUE = "(next_try_at <= :now OR waiting_since > :now)"  # or the clock was set back
_UIDS = ("SOPClassUID", "SeriesInstanceUID", "SOPInstanceUID")


@dataclass(frozen=True)
class ResultFile:
    """A DICOM result on the disk.

    Args:
        path: below the node's results.
        kind: which of the results it is.
        sop_class_uid, series_uid, sop_uid: as in its header.
    """

    path: str
    kind: ResultObject
    sop_class_uid: str
    series_uid: str
    sop_uid: str


def result_files(results: Path, folder: str) -> tuple[ResultFile, ...]:
    """The DICOM results in a folder below the node's results, structured reports first: they are what is waited for.

    Raises InputError: a file there is no DICOM, or none of ours.
    """
    found = []
    for path in sorted((results / folder).rglob("*.dcm")):
        kind = next((kind for start, kind in _KINDS if path.name.startswith(start)), None)
        try:
            header = dcmread(path, stop_before_pixels=True, specific_tags=list(_UIDS))
            sop_class_uid, series_uid, sop_uid = (str(header[keyword].value) for keyword in _UIDS)
        except (OSError, InvalidDicomError, KeyError) as error:
            raise InputError("A result file is damaged.", where=str(path), next_step="Read the exam again.") from error
        if kind is None:
            raise InputError("This file is none of a result's.", where=str(path), next_step="Read the exam again.")
        found.append(ResultFile(path.relative_to(results).as_posix(), kind, sop_class_uid, series_uid, sop_uid))
    return tuple(sorted(found, key=lambda item: item.kind != "structured_report"))


class Outbox:
    """Rules and rows of everything that leaves the node.

    Args:
        ledger: the node's memory.
        site: whose destinations and listeners there are.
        data: where result files and images lie.
    """

    def __init__(self, ledger: Ledger, site: SiteConfig, data: DataFolder) -> None:
        self.ledger = ledger
        self.site = site
        self.data = data

    def rows_for(self, db: sqlite3.Connection, exam: sqlite3.Row, answered: ExamAnswer) -> None:
        """Put an exam's results and notices into the outbox (exam_queue.RowsFor).

        Called in the transaction that makes the exam "answered" or "set_aside": so an answer and what is owed for it
        are on the disk together. Called again for the same answer it adds nothing. An exam without a result has nothing
        to deliver. An answer after all takes the place of the notice that the exam was set aside.

        Args:
            db: the transaction.
            exam: its row as it is after it was answered.
            answered: the answer.

        Raises InputError: a result file is damaged; the exam is then not answered.
        """
        answer, now, exam_id = answered.answer, self.ledger.now(), exam["id"]
        files = result_files(self.data.results, exam["result"]) if exam["result"] else ()
        for destination in self.site.destinations:
            if not _concerns(destination, answer, exam["source"]):
                continue
            for item in files:
                if item.kind in destination.objects:
                    db.execute(
                        "INSERT OR IGNORE INTO delivery (exam_id, destination, sop_class_uid, sop_uid, path, state,"
                        " waiting_since, next_try_at) VALUES (?, ?, ?, ?, ?, 'waiting', ?, ?)",
                        (exam_id, destination.name, item.sop_class_uid, item.sop_uid, item.path, now, now),
                    )
        for listener in self.site.listeners:
            if _concerns(listener, answer, exam["source"]):
                payload = json.dumps(notice_payload(exam, answer, files))
                db.execute(
                    "INSERT INTO notice (exam_id, listener, payload, state, waiting_since, next_try_at)"
                    " VALUES (?, ?, ?, 'waiting', ?, ?) ON CONFLICT (exam_id, listener) DO UPDATE SET"
                    " payload = excluded.payload, state = 'waiting', tries = 0, waiting_since = excluded.waiting_since,"
                    " next_try_at = excluded.next_try_at, reason = NULL, sent_at = NULL"
                    " WHERE payload <> excluded.payload",
                    (exam_id, listener.name, payload, now, now),
                )

    def due_deliveries(self, destination: str, limit: int) -> list[sqlite3.Row]:
        """What is to be sent to a destination now: the exams of greatest urgency first, an exam's objects together."""
        return self.ledger.rows(
            "SELECT delivery.* FROM delivery JOIN exam ON exam.id = delivery.exam_id WHERE destination = :whom"
            f" AND delivery.state = 'waiting' AND {_DUE} ORDER BY urgency DESC, exam_id, delivery.id LIMIT :limit",
            {"whom": destination, "now": self.ledger.now(), "limit": limit},
        )

    def due_notices(self, listener: str, limit: int) -> list[sqlite3.Row]:
        """What is to be told to a listener now, the exams of greatest urgency first."""
        return self.ledger.rows(
            "SELECT notice.* FROM notice JOIN exam ON exam.id = notice.exam_id WHERE listener = :whom"
            f" AND notice.state = 'waiting' AND {_DUE} ORDER BY urgency DESC, notice.id LIMIT :limit",
            {"whom": listener, "now": self.ledger.now(), "limit": limit},
        )

    def sent_object(self, row: sqlite3.Row) -> SentObject:
        """What a row of delivery stands for."""
        return SentObject(self.data.results / row["path"], row["sop_class_uid"], row["sop_uid"])

    def any_header(self, exam_id: int) -> Path | None:
        """A DICOM file that says whose exam it is: one of its results, or of its images; None when all are gone."""
        ((folder,),) = self.ledger.rows("SELECT result FROM exam WHERE id = ?", (exam_id,))
        files = sorted((self.data.results / folder).rglob("*.dcm")) if folder else []
        images = self.ledger.rows("SELECT path FROM image WHERE exam_id = ? LIMIT 1", (exam_id,))
        files += [self.data.inbox / row["path"] for row in images]
        return next((path for path in files if path.is_file()), None)

    def taken(self, row: sqlite3.Row) -> None:
        """A destination has taken an object; commitment is asked for next where the site wants it."""
        now = self.ledger.now()
        with self.ledger.transaction() as db:
            db.execute(
                "UPDATE delivery SET state = 'sent', sent_at = ?, next_try_at = ?, reason = NULL,"
                " asked_at = NULL WHERE id = ? AND state = 'waiting'",
                (now, now, row["id"]),
            )
            self.ledger.note(db, "sent", f"{row['destination']} {row['sop_uid']}", row["exam_id"])

    def told(self, row: sqlite3.Row) -> None:
        """A listener has taken a notice; one that took its place meanwhile waits."""
        with self.ledger.transaction() as db:
            db.execute(
                "UPDATE notice SET state = 'sent', sent_at = ?, reason = NULL WHERE id = ? AND payload = ?",
                (self.ledger.now(), row["id"], row["payload"]),
            )
            self.ledger.note(db, "told", row["listener"], row["exam_id"])

    def failed(self, table: Table, rows: Sequence[sqlite3.Row], refusal: Refusal, retry: Retry) -> None:
        """Rows that were not taken wait longer, or are given up.

        Args:
            table: whose rows.
            rows: they keep their state; of sent ones the request for commitment failed.
            refusal: why, and for how long the other side wants to be left alone.
            retry: the site's rule for the other side.
        """
        with self.ledger.transaction() as db:
            self.fail(db, table, rows, refusal, retry)

    def fail(
        self, db: sqlite3.Connection, table: Table, rows: Sequence[sqlite3.Row], refusal: Refusal, retry: Retry
    ) -> None:
        """The same in the caller's transaction."""
        now = self.ledger.now()
        for row in rows:
            tries = row["tries"] + 1
            at = next_try(retry, now, row["waiting_since"], tries, lasting=refusal.lasting)
            values = (tries, now if at is None else max(at, now + refusal.wait_s), refusal.reason, now, row["id"])
            db.execute(
                f"UPDATE {table} SET tries = ?, next_try_at = ?, reason = ?, waiting_since = MIN(waiting_since, ?)"
                " WHERE id = ?",
                values,
            )
            if at is None:
                db.execute(f"UPDATE {table} SET state = 'given_up' WHERE id = ?", (row["id"],))
                whom = row["destination"] if table == "delivery" else row["listener"]
                self.ledger.note(db, "given up", f"{whom}: {refusal.reason}", row["exam_id"])

    def give_up_strangers(self) -> None:
        """Give up what waits for somebody whom the site's file knows no more; nobody would ever send it."""
        known = (
            ("delivery", "destination", [item.name for item in self.site.destinations]),
            ("notice", "listener", [item.name for item in self.site.listeners]),
        )
        with self.ledger.transaction() as db:
            for table, column, names in known:
                where = f"state = 'waiting' AND {column} NOT IN ({', '.join('?' * len(names))})"
                for row in db.execute(f"SELECT * FROM {table} WHERE {where}", names).fetchall():
                    reason = f"The site's file knows no {row[column]}."
                    db.execute(f"UPDATE {table} SET state = 'given_up', reason = ? WHERE id = ?", (reason, row["id"]))
                    self.ledger.note(db, "given up", reason, row["exam_id"])

    def back(self, destination: str) -> None:
        """A destination that was away answers again: what waits for it is due now."""
        now = self.ledger.now()
        with self.ledger.transaction() as db:
            db.execute(
                "UPDATE delivery SET next_try_at = ? WHERE destination = ? AND state = 'waiting' AND next_try_at > ?",
                (now, destination, now),
            )

    def close_exams(self) -> int:
        """Make those answered exams "done" of which nothing waits any more; returns how many."""
        committing = [item.name for item in self.site.destinations if item.commitment]
        marks = ", ".join("?" * len(committing))
        now = self.ledger.now()
        finished = (
            "SELECT id FROM exam WHERE state = 'answered' AND NOT EXISTS (SELECT 1 FROM delivery WHERE exam_id ="
            " exam.id AND (delivery.state = 'waiting' OR (delivery.state = 'sent' AND destination IN"
            f" ({marks})))) AND NOT EXISTS (SELECT 1 FROM notice WHERE exam_id = exam.id AND notice.state = 'waiting')"
        )
        if not self.ledger.rows(finished, tuple(committing)):
            return 0
        with self.ledger.transaction() as db:
            rows = db.execute(finished, committing).fetchall()
            for (exam_id,) in rows:
                db.execute("UPDATE exam SET state = 'done', done_at = ? WHERE id = ?", (now, exam_id))
                self.ledger.note(db, "done", "", exam_id)
        return len(rows)

    def send_again(self, study_uid: str) -> int:
        """Try once more what was given up of a study's exams, as if it were new; returns how many rows.

        Of an exam whose files are gone nothing is tried.
        """
        now, count = self.ledger.now(), 0
        exams = "SELECT id FROM exam WHERE study_uid = ? AND state IN ('answered', 'done', 'set_aside')"
        with self.ledger.transaction() as db:
            for (exam_id,) in db.execute(exams, (study_uid,)).fetchall():
                rows = 0
                for table in ("delivery", "notice"):
                    rows += db.execute(
                        f"UPDATE {table} SET state = 'waiting', tries = 0, waiting_since = ?, next_try_at = ?"
                        " WHERE exam_id = ? AND state = 'given_up'",
                        (now, now, exam_id),
                    ).rowcount
                if rows:
                    db.execute(
                        "UPDATE exam SET state = 'answered', done_at = NULL WHERE id = ? AND state = 'done'", (exam_id,)
                    )
                    self.ledger.note(db, "sent again", f"{rows} given up before", exam_id)
                count += rows
        return count


def _concerns(rule: Destination | Listener, answer: Answer, source: str) -> bool:
    """Whether a destination or listener wants an exam."""
    return answer in rule.answers and (not rule.callers or source in rule.callers)
