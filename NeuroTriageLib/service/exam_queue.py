"""The states of exams: opened by an image, complete, read in order of urgency, answered once or set aside."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .accepted_images import ImageRefused
from .ledger import Ledger
from .site_config import Answer, Completeness, Order

UNKNOWN_URGENCY = 0.5
"""Of an exam that no first look has seen, or could: between those that look urgent and those that do not (ours)."""

MEDIUM, HIGH, LOW = 0, 1, 2
"""DICOM's Priority (0000,0700), PS3.7, 9.1.1."""

_MORE_URGENT = {HIGH: 2, MEDIUM: 1, LOW: 0}
_RETRY_H = 0.25  # an exam whose reading failed makes room for others for so long, for each try; ours

ORDER_SQL = (
    f"complete_at + {3600 * _RETRY_H} * tries - 3600.0 * (:first_look_h * urgency"
    " + CASE dicom_priority WHEN 1 THEN :dicom_high_h WHEN 2 THEN :dicom_low_h ELSE 0 END), id"
)
"""ORDER BY for exams that are queued; see site_config.Order for the formula, order_values for its parameters."""


def order_values(order: Order) -> dict[str, float]:
    """What ORDER_SQL needs."""
    return {"first_look_h": order.first_look_h, "dicom_high_h": order.dicom_high_h, "dicom_low_h": order.dicom_low_h}


RECOVERED = "recovered"
"""Source of an image that was found after a kill; whoever sends it or its study again is the exam's true source."""

_TRUE_SOURCE = f"source = CASE source WHEN '{RECOVERED}' THEN ? ELSE source END"


@dataclass(frozen=True)
class Arrival:
    """How an image came.

    Args:
        source: calling AE title, "dicomweb:" + user, or "folder:" + name of the watched folder.
        dicom_priority: of its C-STORE.
        expected_images: the exam is complete as soon as it has so many.
        study_uid: refused when it is of another study than this one (STOW-RS names it in the address).
    """

    source: str
    dicom_priority: int = MEDIUM
    expected_images: int | None = None
    study_uid: str | None = None


@dataclass(frozen=True)
class QueuedExam:
    """An exam whose turn it is; paths are below the inbox, of this revision and all before it."""

    id: int
    study_uid: str
    revision: int
    tries: int
    paths: tuple[str, ...]


@dataclass(frozen=True)
class ExamAnswer:
    """What a reader says of an exam.

    Args:
        answer: as a whole.
        result: name of the folder below the node's results; None when no series could be read: there is nothing to
            show then.
        findings: what exam.findings keeps.
        models: name -> SHA-256 of the model packs that read it.
        reason: why it could not be looked at, "" otherwise.
    """

    answer: Answer
    result: str | None
    findings: tuple[Mapping[str, Any], ...]
    models: Mapping[str, str]
    reason: str = ""


RowsFor = Callable[[sqlite3.Connection, sqlite3.Row, ExamAnswer], None]
"""Adds the deliveries and notices of an exam, inside the transaction that makes it "answered" or "set_aside"."""


class ExamQueue:
    """Moves exams from state to state; every method is one transaction unless it is given one.

    Args:
        ledger: holds them.
        completeness: when an exam has all its images.
        order: whose turn it is.
        max_tries: so many failures set an exam aside.
    """

    def __init__(self, ledger: Ledger, completeness: Completeness, order: Order, max_tries: int) -> None:
        self._ledger, self._completeness, self._max_tries = ledger, completeness, max_tries
        self._order_values = order_values(order)

    # images arrive -------------------------------------------------------------------------------------------------

    def exam_for(self, db: sqlite3.Connection, study_uid: str, arrival: Arrival, max_images: int) -> int:
        """The exam that a new image belongs to; opened when there is none that still takes images.

        An exam that is being read or was is never changed: a further revision is opened, which will be read with all
        images of the study. One that waits for its turn takes the image and waits for quiet again.

        Raises ImageRefused: the study has max_images already.
        """
        (count,) = db.execute(
            "SELECT COUNT(*) FROM image JOIN exam ON exam.id = image.exam_id WHERE exam.study_uid = ?", (study_uid,)
        ).fetchone()
        if count >= max_images:
            raise ImageRefused(f"The exam has {max_images} images already.")
        exam = db.execute(
            "SELECT * FROM exam WHERE study_uid = ? ORDER BY revision DESC LIMIT 1", (study_uid,)
        ).fetchone()
        if exam is None or exam["state"] not in ("receiving", "queued"):
            return self._open(db, study_uid, 1 if exam is None else exam["revision"] + 1, arrival)
        now = self._ledger.now()
        reopens = exam["state"] == "queued" and now - exam["opened_at"] < self._completeness.longest_s
        db.execute(
            f"UPDATE exam SET last_image_at = ?, {_TRUE_SOURCE}, dicom_priority = ?, state = ?, complete_at = ?,"
            " first_look = ? WHERE id = ?",
            (
                now,
                arrival.source,
                max(exam["dicom_priority"], arrival.dicom_priority, key=_rank),
                "receiving" if reopens else exam["state"],
                None if reopens else exam["complete_at"],
                None if reopens else exam["first_look"],
                exam["id"],
            ),
        )
        return int(exam["id"])

    def touch(self, db: sqlite3.Connection, study_uid: str, arrival: Arrival) -> None:
        """A known image was sent again: the sender is still at it, or has not heard that its last image is here."""
        exam = db.execute("SELECT id FROM exam WHERE study_uid = ? AND state = 'receiving'", (study_uid,)).fetchone()
        if exam is not None:
            values = (self._ledger.now(), arrival.source, exam["id"])
            db.execute(f"UPDATE exam SET last_image_at = ?, {_TRUE_SOURCE} WHERE id = ?", values)
            self.complete_if_counted(db, exam["id"], arrival)

    def complete_if_counted(self, db: sqlite3.Connection, exam_id: int, arrival: Arrival) -> None:
        """Queue an exam that has as many images as its sender always sends."""
        if arrival.expected_images is None:
            return
        (count,) = db.execute("SELECT COUNT(*) FROM image WHERE exam_id = ?", (exam_id,)).fetchone()
        if count >= arrival.expected_images:
            self._queue(db, exam_id, f"{count} images, as expected")

    def finish(self, study_uid: str) -> None:
        """All images of a study are here: whoever sent them has said so."""
        with self._ledger.transaction() as db:
            for exam in db.execute("SELECT id FROM exam WHERE study_uid = ? AND state = 'receiving'", (study_uid,)):
                self._queue(db, exam["id"], "all images were handed over")

    def complete_quiet(self) -> int:
        """Queue the exams to which nothing comes any more, and return how many."""
        now, rule = self._ledger.now(), self._completeness
        if self._ledger.rows("SELECT 1 FROM exam WHERE state = 'receiving' AND last_image_at > ? LIMIT 1", (now,)):
            with self._ledger.transaction() as db:  # the clock was set back: quiet begins now, not when it catches up
                db.execute(
                    "UPDATE exam SET last_image_at = ?1, opened_at = MIN(opened_at, ?1)"
                    " WHERE state = 'receiving' AND last_image_at > ?1",
                    (now,),
                )
        due = "state = 'receiving' AND (last_image_at <= ? OR opened_at <= ?)"
        values = (now - rule.quiet_s, now - rule.longest_s)
        if not self._ledger.rows(f"SELECT 1 FROM exam WHERE {due} LIMIT 1", values):
            return 0  # no write lock without need
        with self._ledger.transaction() as db:
            exams = db.execute(f"SELECT * FROM exam WHERE {due}", values).fetchall()
            for exam in exams:
                quiet = exam["last_image_at"] <= now - rule.quiet_s
                self._queue(db, exam["id"], "no more images came" if quiet else "images came for too long")
        return len(exams)

    # whose turn it is ----------------------------------------------------------------------------------------------

    def next_to_look_at(self) -> QueuedExam | None:
        """The exam without a first look that has waited longest."""
        rows = self._ledger.rows(
            "SELECT * FROM exam WHERE state = 'queued' AND first_look IS NULL ORDER BY complete_at, id LIMIT 1"
        )
        return self._queued_exam(rows[0]) if rows else None

    def looked_at(self, exam_id: int, urgency: float, seen: Mapping[str, Any]) -> None:
        """What the first look has seen; it orders the queue, and is no answer."""
        with self._ledger.transaction() as db:
            db.execute(
                "UPDATE exam SET urgency = ?, first_look = ? WHERE id = ? AND state = 'queued'",
                (urgency, json.dumps(dict(seen)), exam_id),
            )

    def claim(self) -> QueuedExam | None:
        """The most urgent exam, now "reading"; None when none waits."""
        if not self._ledger.rows("SELECT 1 FROM exam WHERE state = 'queued' LIMIT 1"):
            return None
        with self._ledger.transaction() as db:
            exam = db.execute(
                f"SELECT * FROM exam WHERE state = 'queued' ORDER BY {ORDER_SQL} LIMIT 1", self._order_values
            ).fetchone()
            if exam is None:
                return None
            db.execute(
                "UPDATE exam SET state = 'reading', started_at = ?, stage = 'starting', fraction = 0 WHERE id = ?",
                (self._ledger.now(), exam["id"]),
            )
            self._ledger.note(db, "reading", f"urgency {exam['urgency']:.2f}, try {exam['tries'] + 1}", exam["id"])
        return self._queued_exam(exam)

    # what became of it ---------------------------------------------------------------------------------------------

    def progress(self, exam_id: int, stage: str, fraction: float) -> None:
        """What a reader is doing."""
        with self._ledger.transaction() as db:
            db.execute(
                "UPDATE exam SET stage = ?, fraction = ? WHERE id = ? AND state = 'reading'", (stage, fraction, exam_id)
            )

    def answer(self, exam_id: int, answer: ExamAnswer, rows_for: RowsFor) -> bool:
        """Make the exam "answered", with everything that is to be sent, at once.

        Returns False, and changes nothing, when it is not being read any more.
        """
        with self._ledger.transaction() as db:
            changed = db.execute(
                "UPDATE exam SET state = 'answered', answered_at = ?, result = ?, findings = ?, models = ?, reason = ?,"
                " stage = NULL, fraction = NULL WHERE id = ? AND state = 'reading'",
                (
                    self._ledger.now(),
                    answer.result,
                    json.dumps([dict(item) for item in answer.findings]),
                    json.dumps(dict(answer.models)),
                    answer.reason or None,
                    exam_id,
                ),
            ).rowcount
            if changed:
                self._ledger.note(db, "answered", answer.answer, exam_id)
                rows_for(db, db.execute("SELECT * FROM exam WHERE id = ?", (exam_id,)).fetchone(), answer)
        return bool(changed)

    def failed(self, exam_id: int, reason: str, rows_for: RowsFor) -> None:
        """A reader failed or died on the exam: once more later, or it is set aside, which is told to who wants to hear
        of exams that could not be looked at."""
        with self._ledger.transaction() as db:
            exam = db.execute("SELECT * FROM exam WHERE id = ? AND state = 'reading'", (exam_id,)).fetchone()
            if exam is None:
                return
            tries = exam["tries"] + 1
            state = "set_aside" if tries >= self._max_tries else "queued"
            db.execute(
                "UPDATE exam SET state = ?, tries = ?, reason = ?, stage = NULL, fraction = NULL WHERE id = ?",
                (state, tries, reason, exam_id),
            )
            self._ledger.note(db, "failed", f"try {tries}: {reason}", exam_id)
            if state == "set_aside":
                self._ledger.note(db, "set aside", reason, exam_id)
                set_aside = db.execute("SELECT * FROM exam WHERE id = ?", (exam_id,)).fetchone()
                rows_for(db, set_aside, ExamAnswer("could_not_look", None, (), {}, reason))

    def release(self, exam_id: int) -> None:
        """The node stops while the exam is read: it is read again later, and that is no try."""
        with self._ledger.transaction() as db:
            self._release(db, "WHERE id = ? AND state = 'reading'", (exam_id,))

    def recover(self) -> int:
        """What was being read when the process was killed waits for its turn again; returns how many."""
        with self._ledger.transaction() as db:
            return self._release(db, "WHERE state = 'reading'", ())

    def try_again(self, study_uid: str) -> int:
        """Queue what was set aside of a study with no tries counted; returns how many exams."""
        with self._ledger.transaction() as db:
            exams = db.execute(
                "SELECT id FROM exam WHERE study_uid = ? AND state = 'set_aside'", (study_uid,)
            ).fetchall()
            for exam in exams:
                db.execute("UPDATE exam SET state = 'queued', tries = 0, reason = NULL WHERE id = ?", (exam["id"],))
                self._ledger.note(db, "queued", "asked for again", exam["id"])
        return len(exams)

    def _release(self, db: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> int:
        exams = db.execute(f"SELECT id FROM exam {where}", values).fetchall()
        db.execute(f"UPDATE exam SET state = 'queued', stage = NULL, fraction = NULL {where}", values)
        for exam in exams:
            self._ledger.note(db, "queued", "its reading was interrupted", exam["id"])
        return len(exams)

    def _open(self, db: sqlite3.Connection, study_uid: str, revision: int, arrival: Arrival) -> int:
        now = self._ledger.now()
        exam_id = db.execute(
            "INSERT INTO exam (study_uid, revision, state, source, dicom_priority, urgency, opened_at, last_image_at)"
            " VALUES (?, ?, 'receiving', ?, ?, ?, ?, ?)",
            (study_uid, revision, arrival.source, arrival.dicom_priority, UNKNOWN_URGENCY, now, now),
        ).lastrowid
        assert exam_id is not None
        self._ledger.note(db, "opened", f"revision {revision} from {arrival.source}", exam_id)
        return exam_id

    def _queue(self, db: sqlite3.Connection, exam_id: int, why: str) -> None:
        db.execute("UPDATE exam SET state = 'queued', complete_at = ? WHERE id = ?", (self._ledger.now(), exam_id))
        self._ledger.note(db, "queued", why, exam_id)

    def _queued_exam(self, exam: sqlite3.Row) -> QueuedExam:
        paths = self._ledger.rows(
            "SELECT path FROM image JOIN exam ON exam.id = image.exam_id WHERE study_uid = ? AND revision <= ?"
            " ORDER BY path",
            (exam["study_uid"], exam["revision"]),
        )
        return QueuedExam(
            exam["id"], exam["study_uid"], exam["revision"], exam["tries"], tuple(row["path"] for row in paths)
        )


def _rank(priority: int) -> int:
    return _MORE_URGENT.get(priority, 1)
