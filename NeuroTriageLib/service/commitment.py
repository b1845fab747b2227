"""Storage commitment: asking destinations whether they keep what they took, and hearing their answers (PS3.4, J).

Asking is an N-ACTION of ours; the answer is an N-EVENT-REPORT, minutes or hours later, on an association that the other
side opens to our own AE title, often over another node of its own. Which objects an answer is about stands in its
Transaction UID: ours are "2.25.RANDOM.MILLISECONDS", and an answer to an earlier question about the same objects (same
RANDOM) is as true as one to the latest.
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from .outbox import Outbox
from .sending import Refusal
from .site_config import Destination

LOG = logging.getLogger(__name__)

# PS3.4, J.3.3.1: event types; PS3.7, 10.1.1.1.8: statuses of our reply.
ALL_KEPT, SOME_FAILED = 1, 2
SUCCESS, PROCESSING_FAILURE, NO_SUCH_EVENT, INVALID_ARGUMENT = 0x0000, 0x0110, 0x0113, 0x0115
REPORT_CLASSES = (str(StorageCommitmentPushModel),)
"""What our AE must support, in both roles: the other side, which calls us, is the provider and may say so or not."""
MOST_REFERENCES = 10_000  # in one answer; ours have as many as an exam has results, some tens


class Commitments:
    """Which deliveries wait for a destination's word that it keeps them."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.ledger = outbox.ledger

    def to_ask(self, destination: Destination) -> list[list[sqlite3.Row]]:
        """What a destination has taken and is to be asked about now: a list for each exam."""
        rows = self.ledger.rows(
            "SELECT * FROM delivery WHERE destination = ? AND state = 'sent' AND asked_at IS NULL"
            " AND next_try_at <= ? ORDER BY exam_id, id",
            (destination.name, self.ledger.now()),
        )
        exams: dict[int, list[sqlite3.Row]] = {}
        for row in rows:
            exams.setdefault(row["exam_id"], []).append(row)
        return list(exams.values())

    def asking(self, rows: Sequence[sqlite3.Row], destination: Destination) -> str:
        """Write down, before they are asked about, that they are; returns the Transaction UID to ask with."""
        now = self.ledger.now()
        marks, ids = _marks(rows)
        with self.ledger.transaction() as db:
            earlier = db.execute(
                "SELECT transaction_uid FROM delivery WHERE exam_id = ? AND destination = ? AND transaction_uid"
                " IS NOT NULL LIMIT 1",
                (rows[0]["exam_id"], destination.name),
            ).fetchone()
            # PS3.5, B.2: a random UUID under 2.25; 58 of the 64 characters that a UID may have.
            base = _base(earlier["transaction_uid"]) if earlier else f"2.25.{uuid.uuid4().int}"
            transaction_uid = f"{base}.{int(now * 1000)}"
            db.execute(
                f"UPDATE delivery SET transaction_uid = ?, asked_at = ?, next_try_at = ? WHERE id IN ({marks})",
                (transaction_uid, now, now + destination.commitment_wait_h * 3600.0, *ids),
            )
            self.ledger.note(db, "asked for commitment", destination.name, rows[0]["exam_id"])
        return transaction_uid

    def not_asked(self, rows: Sequence[sqlite3.Row], destination: Destination, reason: str) -> None:
        """The question did not get through: it is asked again later."""
        marks, ids = _marks(rows)
        with self.ledger.transaction() as db:
            still = db.execute(f"SELECT * FROM delivery WHERE id IN ({marks}) AND state = 'sent'", ids).fetchall()
            db.execute(f"UPDATE delivery SET asked_at = NULL WHERE id IN ({marks}) AND state = 'sent'", ids)
            self.outbox.fail(db, "delivery", still, Refusal(reason), destination.retry)

    def send_overdue_again(self, destination: Destination) -> None:
        """What was asked about and never answered waits to be sent again."""
        overdue = self.ledger.rows(
            "SELECT * FROM delivery WHERE destination = ? AND state = 'sent' AND asked_at IS NOT NULL"
            " AND next_try_at <= ?",
            (destination.name, self.ledger.now()),
        )
        if overdue:
            self._not_kept(overdue, destination, "It never said whether it keeps the object.")

    def report(self, event_type: int, report: Dataset) -> int:
        """Take a destination's answer; returns the status of our reply."""
        transaction_uid = str(report.get("TransactionUID", ""))
        kept = _references(report, "ReferencedSOPSequence")
        lost = _references(report, "FailedSOPSequence")
        if event_type not in (ALL_KEPT, SOME_FAILED):
            return NO_SUCH_EVENT
        base = _base(transaction_uid)
        known = self.ledger.rows(
            "SELECT * FROM delivery WHERE transaction_uid > ? AND transaction_uid < ?",
            (base + ".", base + "/"),  # "/" follows "." in ASCII
        )
        known = [row for row in known if _base(row["transaction_uid"]) == base]
        if not known:
            return INVALID_ARGUMENT
        self._kept([row for row in known if row["sop_uid"] in kept])
        # Only the latest question's bad news: what an earlier one missed may have been sent again since.
        missed = [row for row in known if row["sop_uid"] in lost and row["transaction_uid"] == transaction_uid]
        missed = [row for row in missed if row["state"] == "sent"]
        destination = next((d for d in self.outbox.site.destinations if d.name == known[0]["destination"]), None)
        if missed and destination is not None:
            self._not_kept(missed, destination, f"It does not keep the object (0x{lost[missed[0]['sop_uid']]:04X}).")
        return SUCCESS

    def _kept(self, rows: Sequence[sqlite3.Row]) -> None:
        with self.ledger.transaction() as db:
            for row in rows:
                changed = db.execute(
                    "UPDATE delivery SET state = 'committed', committed_at = ?, reason = NULL WHERE id = ?"
                    " AND state != 'committed'",
                    (self.ledger.now(), row["id"]),
                ).rowcount
                if changed:
                    self.ledger.note(db, "committed", f"{row['destination']} {row['sop_uid']}", row["exam_id"])

    def _not_kept(self, rows: Sequence[sqlite3.Row], destination: Destination, reason: str) -> None:
        marks, ids = _marks(rows)
        with self.ledger.transaction() as db:
            db.execute(f"UPDATE delivery SET state = 'waiting' WHERE id IN ({marks})", ids)
            for exam_id in sorted({row["exam_id"] for row in rows}):
                self.ledger.note(db, "not committed", f"{destination.name}: {reason}", exam_id)
            self.outbox.fail(db, "delivery", rows, Refusal(reason), destination.retry)


def event_handlers(commitments: Commitments) -> list[tuple[Any, ...]]:
    """Handlers for pynetdicom's AE.start_server of the AE that destinations know us by; see REPORT_CLASSES."""
    return [(evt.EVT_N_EVENT_REPORT, _on_report, [commitments])]


def _on_report(event: evt.Event, commitments: Commitments) -> tuple[int, None]:
    """An N-EVENT-REPORT: the reply's status. Whatever its content, the association lives on."""
    try:
        return commitments.report(event.event_type or 0, event.event_information), None
    except (sqlite3.Error, OSError):
        LOG.exception("An answer about storage commitment could not be written down.")
        return PROCESSING_FAILURE, None
    except Exception as error:  # whatever pydicom finds wrong with bytes from outside
        LOG.warning("An answer about storage commitment cannot be understood (%s).", type(error).__name__)
        return INVALID_ARGUMENT, None


def _references(report: Dataset, keyword: str) -> dict[str, int]:
    """SOP Instance UID -> failure reason (0 when there is none) of a sequence of an answer."""
    items: Iterable[Dataset] = report.get(keyword) or []
    listed = list(items)[:MOST_REFERENCES]
    return {str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason") or 0) for item in listed}


def _base(transaction_uid: str) -> str:
    return transaction_uid.rpartition(".")[0]


def _marks(rows: Sequence[sqlite3.Row]) -> tuple[str, tuple[int, ...]]:
    """Question marks for SQL's IN, and the ids that go there."""
    return ", ".join("?" * len(rows)), tuple(row["id"] for row in rows)
