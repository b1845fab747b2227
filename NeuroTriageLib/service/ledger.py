"""The node's memory: one SQLite file that knows each image, exam, answer, delivery and notice, and what happened when.

Every fact is written in a transaction that is on the disk when the call returns (WAL, synchronous FULL), so a killed
process or a power cut leaves the state before or after it, never between. No patient's name or ID is ever in it: exams
are known by their Study Instance UID.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from ..core.errors import ConfigError

ExamState = Literal["receiving", "queued", "reading", "answered", "done", "set_aside", "deleted"]
"""receiving: images still come. queued: complete, waits for a reader. reading: a reader has it. answered: its results
are on the disk and on their way. done: every destination and listener has them. set_aside: could not be read, with its
reason. deleted: files were removed by the retention rule, the row stays."""

SendState = Literal["waiting", "sent", "committed", "given_up"]
"""waiting: to be sent, now or after a failed try. sent: accepted by the other side. committed: the other side has said
that it keeps it (storage commitment). given_up: after the last try, with its reason."""

VERSION = 1
BUSY_S = 30.0  # how long a writer waits for another one; ours

SCHEMA = """
CREATE TABLE exam (
    id INTEGER PRIMARY KEY,
    study_uid TEXT NOT NULL,
    revision INTEGER NOT NULL,            -- 1, and one more for images that came after the study was complete
    state TEXT NOT NULL,
    source TEXT NOT NULL,                 -- calling AE title, "dicomweb:" + user, or "folder:" + name of the rule
    dicom_priority INTEGER NOT NULL,      -- 0 medium, 1 high, 2 low: Priority (0000,0700), PS3.7
    urgency REAL NOT NULL,                -- of the first look, 0-1; greater is read sooner
    first_look TEXT,                      -- JSON: what it saw, or why it could not look
    opened_at REAL NOT NULL,              -- all times are seconds since 1970
    last_image_at REAL NOT NULL,
    complete_at REAL,
    started_at REAL,                      -- of the latest try
    answered_at REAL,
    done_at REAL,
    tries INTEGER NOT NULL DEFAULT 0,     -- how often a reader failed or died on it; a restart of the node is no try
    reason TEXT,                          -- of the latest failure, or why it was set aside
    stage TEXT,                           -- what a reader is doing, and how far it is (0-1)
    fraction REAL,
    result TEXT,                          -- folder below the node's results
    findings TEXT,                        -- JSON: code, status, probability, volume_ml of each finding
    models TEXT,                          -- JSON: name -> SHA-256 of the model packs that read it
    UNIQUE (study_uid, revision)
);
CREATE INDEX exam_by_state ON exam (state, urgency);
CREATE TABLE image (
    sop_uid TEXT PRIMARY KEY,
    exam_id INTEGER NOT NULL REFERENCES exam (id),
    series_uid TEXT NOT NULL,
    path TEXT NOT NULL,                   -- below the node's inbox
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    received_at REAL NOT NULL
);
CREATE INDEX image_by_exam ON image (exam_id);
CREATE TABLE delivery (                   -- one result object to one destination
    id INTEGER PRIMARY KEY,
    exam_id INTEGER NOT NULL REFERENCES exam (id),
    destination TEXT NOT NULL,            -- its name in the site's file
    sop_class_uid TEXT NOT NULL,
    sop_uid TEXT NOT NULL,
    path TEXT NOT NULL,                   -- below the node's results
    state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    waiting_since REAL NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS REAL)), -- for giving up
    next_try_at REAL NOT NULL,            -- of a sent one: when commitment is asked for, or no longer waited for
    reason TEXT,
    transaction_uid TEXT,                 -- of the storage commitment that was asked for
    asked_at REAL,                        -- for it; NULL: not since the object was sent
    sent_at REAL,
    committed_at REAL,
    UNIQUE (exam_id, destination, sop_uid)
);
CREATE INDEX delivery_by_state ON delivery (state, next_try_at);
CREATE INDEX delivery_by_transaction ON delivery (transaction_uid);
CREATE TABLE notice (                     -- findings to the owner of the worklist
    id INTEGER PRIMARY KEY,
    exam_id INTEGER NOT NULL REFERENCES exam (id),
    listener TEXT NOT NULL,               -- its name in the site's file
    payload TEXT NOT NULL,                -- JSON
    state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    waiting_since REAL NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS REAL)),
    next_try_at REAL NOT NULL,
    reason TEXT,
    sent_at REAL,
    UNIQUE (exam_id, listener)
);
CREATE INDEX notice_by_state ON notice (state, next_try_at);
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    exam_id INTEGER REFERENCES exam (id), -- NULL for what concerns the node or a connection
    event TEXT NOT NULL,                  -- one word or two: "queued", "refused association"
    detail TEXT NOT NULL DEFAULT ''       -- never a patient's name or ID
);
CREATE INDEX audit_by_exam ON audit (exam_id);
"""


class Ledger:
    """One file, a connection for each thread.

    Args:
        path: the SQLite file; made when it is not there.
        now: the clock, seconds since 1970.

    Raises:
        ConfigError: the file cannot be opened, or another version of the node made it.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self.now = now
        self._local = threading.local()
        try:
            with self.transaction() as db:
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    for statement in SCHEMA.split(";\n"):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.Error as error:
            raise ConfigError(
                f"The node's ledger cannot be opened: {error}.",
                where=str(path),
                next_step="Check the folder's rights and free space; restore the file from a backup if it is damaged.",
            ) from error
        if version not in (0, VERSION):
            raise ConfigError(
                f"The node's ledger has version {version}; this program knows {VERSION}.",
                where=str(path),
                next_step="Run the version of NeuroTriage that made it, or begin with an empty data folder.",
            )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done inside is on the disk afterwards, or nothing of it is. Not nested."""
        db = self._connection()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # SQLite itself rolls back when the disk is full
                db.execute("ROLLBACK")
            raise

    def rows(self, query: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """What a query finds, as it is now."""
        return self._connection().execute(query, values).fetchall()

    def note(self, db: sqlite3.Connection, event: str, detail: str = "", exam_id: int | None = None) -> None:
        """One line of the audit trail, in the caller's transaction."""
        db.execute(
            "INSERT INTO audit (at, exam_id, event, detail) VALUES (?, ?, ?, ?)", (self.now(), exam_id, event, detail)
        )

    def close(self) -> None:
        """Close this thread's connection."""
        db = getattr(self._local, "db", None)
        if db is not None:
            db.close()
            self._local.db = None

    def _connection(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            self._local.db = db
        return db
