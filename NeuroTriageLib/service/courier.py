"""Carries what the outbox owes: a thread for each destination and listener, so that none waits for another's silence.

It knows nothing that is not in the ledger, so it may be killed at any moment: what was taken and written down is not
sent again, and what was taken a moment before it could be written down is the same object when it comes once more.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence

from ..core.errors import NeuroTriageError
from .commitment import Commitments
from .dicom_sender import DicomPeer, DicomSender
from .http_post import WebServer
from .outbox import Outbox
from .sending import Refusal, Sender, SentObject, Unreachable
from .site_config import Destination, Listener
from .stow import StowSender
from .webhook import Webhook
from .work_items import WorkItems

LOG = logging.getLogger(__name__)

POLL_S = 1.0  # ours: short beside the seconds that reading an exam takes
BATCH = 200  # objects on one association: the results of about thirty exams, then newer urgent ones get a turn (ours)
STOP_S = 5.0  # how long a stop waits for what is being sent; the threads end with the process all the same (ours)


class Courier:
    """Sends, asks for commitment and tells, until it is stopped.

    Args:
        outbox: whose rows.
        poll_s: how often the ledger is asked for new work; each time is one query of an indexed table.

    Raises ConfigError: a login would be sent without encryption.
    """

    def __init__(self, outbox: Outbox, poll_s: float = POLL_S) -> None:
        self.outbox = outbox
        self._poll_s = poll_s
        self.commitments = Commitments(outbox)
        site = outbox.site
        self._rounds: list[DeliveryRound | NoticeRound] = [
            *(DeliveryRound(outbox, self.commitments, item, site.node.ae_title) for item in site.destinations),
            *(NoticeRound(outbox, item) for item in site.listeners),
        ]

    def run(self, stop: threading.Event) -> None:
        """Work until stop is set; returns within seconds after that."""
        threads = [
            threading.Thread(target=self._repeat, args=(item, stop), name=f"courier to {item.name}", daemon=True)
            for item in self._rounds
        ]
        for thread in threads:
            thread.start()
        self._try(self._begin)
        while not stop.is_set():
            self._try(lambda: self.outbox.close_exams() > 0)
            stop.wait(self._poll_s)
        for item in self._rounds:
            item.cancel()
        for thread in threads:
            thread.join(STOP_S)
        self._try(lambda: self.outbox.close_exams() > 0)
        self.outbox.ledger.close()

    def _repeat(self, item: DeliveryRound | NoticeRound, stop: threading.Event) -> None:
        while not stop.is_set():
            if not self._try(item.run):
                stop.wait(self._poll_s)
        self.outbox.ledger.close()

    def _begin(self) -> bool:
        self.outbox.give_up_strangers()
        return True

    def _try(self, work: Callable[[], bool]) -> bool:
        """Whether there was work. What goes wrong, such as a full disk, is told and tried again at the next turn: a
        thread that ended would leave its destination without results."""
        try:
            return work()
        except Exception:
            LOG.exception("The outbox could not be worked on; it is tried again.")
            return False


class DeliveryRound:
    """One destination: what is due is sent, then what was taken is asked about."""

    def __init__(self, outbox: Outbox, commitments: Commitments, destination: Destination, ae_title: str) -> None:
        self.name = destination.name
        self._outbox = outbox
        self._commitments = commitments
        self._destination = destination
        self._sender: Sender
        self._dicom: DicomSender | None = None
        if destination.kind == "dicom":
            self._sender = self._dicom = DicomSender(_peer(destination, ae_title))
        else:
            assert destination.url is not None
            self._sender = StowSender(
                WebServer(destination.url, destination.login, destination.tls, destination.timeout_s)
            )
        self._was_away = True  # unknown at the start
        self._cancelled = False

    def run(self) -> bool:
        """One turn; whether something was taken."""
        rows = self._outbox.due_deliveries(self.name, BATCH)
        taken = self._send(rows) if rows else 0
        if self._dicom is not None and self._destination.commitment:
            self._ask(self._dicom)
            self._commitments.send_overdue_again(self._destination)
        return taken > 0

    def cancel(self) -> None:
        """End what the thread is sending; that is no failure of the other side."""
        self._cancelled = True
        self._sender.cancel()

    def _send(self, rows: Sequence[sqlite3.Row]) -> int:
        """How many were taken; the others wait or are given up."""
        by_object = {self._outbox.sent_object(row): row for row in rows}
        waiting = dict(by_object)
        taken = 0

        def answered(item: SentObject, refusal: Refusal | None) -> None:
            nonlocal taken
            row = waiting.pop(item)
            if refusal is None:
                self._outbox.taken(row)
                taken += 1
            else:
                self._outbox.failed("delivery", [row], refusal, self._destination.retry)

        try:
            self._sender.send(list(by_object), answered)
        except NeuroTriageError as error:
            if self._cancelled:
                return taken
            self._away(list(waiting.values()), error)
        else:
            if self._was_away and taken:
                self._outbox.back(self.name)
            self._was_away = False
        return taken

    def _away(self, rows: Sequence[sqlite3.Row], error: NeuroTriageError) -> None:
        """Nobody answered, or our own certificate is wrong: every object waits."""
        if not self._was_away:
            LOG.warning("Destination %s is away: %s", self.name, error.what)
        self._was_away = True
        self._outbox.failed("delivery", rows, _silence(error), self._destination.retry)

    def _ask(self, dicom: DicomSender) -> None:
        for rows in self._commitments.to_ask(self._destination):
            transaction_uid = self._commitments.asking(rows, self._destination)
            try:
                dicom.ask_for_commitment(transaction_uid, [self._outbox.sent_object(row) for row in rows])
            except NeuroTriageError as error:
                self._commitments.not_asked(rows, self._destination, f"It was not asked for commitment: {error.what}")


class NoticeRound:
    """One listener: what is due is told."""

    def __init__(self, outbox: Outbox, listener: Listener) -> None:
        self.name = listener.name
        self._outbox = outbox
        self._listener = listener
        server = WebServer(listener.url, listener.login, listener.tls, listener.timeout_s)
        self._work_items = WorkItems(server) if listener.kind == "ups" else None
        self._webhook = Webhook(server, listener.secret_file) if listener.kind == "webhook" else None
        self._cancelled = False

    def run(self) -> bool:
        """One turn; whether something was taken."""
        taken = 0
        rows = self._outbox.due_notices(self.name, BATCH)
        for number, row in enumerate(rows):
            try:
                refusal = self._tell(row)
            except NeuroTriageError as error:
                if self._cancelled:
                    break
                self._outbox.failed("notice", rows[number:], _silence(error), self._listener.retry)
                break
            if refusal is None:
                self._outbox.told(row)
                taken += 1
            else:
                self._outbox.failed("notice", [row], refusal, self._listener.retry)
        return taken > 0

    def cancel(self) -> None:
        """End what the thread is telling; that is no failure of the other side."""
        self._cancelled = True
        for way in (self._webhook, self._work_items):
            if way is not None:
                way.cancel()

    def _tell(self, row: sqlite3.Row) -> Refusal | None:
        if self._webhook is not None:
            return self._webhook.tell(row["payload"])
        assert self._work_items is not None
        header_file = self._outbox.any_header(row["exam_id"])
        if header_file is None:
            return Refusal("No DICOM file of the exam is left that says whose it is.", lasting=True)
        return self._work_items.create(self.name, row["payload"], header_file)


def _silence(error: NeuroTriageError) -> Refusal:
    """What it means for each object that nobody could be spoken to."""
    return Refusal(error.what, wait_s=error.wait_s if isinstance(error, Unreachable) else 0.0)


def _peer(destination: Destination, ae_title: str) -> DicomPeer:
    assert destination.ae_title and destination.host and destination.port is not None
    return DicomPeer(
        ae_title=destination.ae_title,
        host=destination.host,
        port=destination.port,
        calling_ae_title=destination.calling_ae_title or ae_title,
        tls=destination.tls,
        timeout_s=destination.timeout_s,
    )
