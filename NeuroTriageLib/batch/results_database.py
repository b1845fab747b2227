"""The durable truth about a batch: which exam has been answered by which models, with what, or why not.

One SQLite file in WAL mode, one transaction per exam. It holds study UIDs (or hashes), no names, IDs or paths.
"""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..core.errors import OutputError, output_error
from .outcome import FINDING_COLUMNS, ExamOutcome, State

DATABASE_FILE = "results.sqlite"
RESULTS_FILE = "results.csv"
FAILURES_FILE = "failures.csv"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS model (model_hash TEXT PRIMARY KEY, description TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answered (
    exam TEXT NOT NULL, model_hash TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('answered', 'not_suitable', 'failed')),
    crashes INTEGER NOT NULL, seconds REAL, error TEXT NOT NULL, remark TEXT NOT NULL,
    finished_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    PRIMARY KEY (exam, model_hash)
);
CREATE TABLE IF NOT EXISTS finding (
    exam TEXT NOT NULL, model_hash TEXT NOT NULL, contrast TEXT NOT NULL, code TEXT NOT NULL, system TEXT NOT NULL,
    status TEXT NOT NULL, probability REAL, threshold REAL, volume_ml REAL, doubt REAL, agreement TEXT,
    PRIMARY KEY (exam, model_hash, contrast, code)
);
CREATE VIEW IF NOT EXISTS results AS
    SELECT exam, state, contrast, code, system, status, probability, threshold, volume_ml, doubt, agreement,
           model_hash, seconds, error, remark, finished_at
    FROM answered LEFT JOIN finding USING (exam, model_hash);
"""


class ResultsDatabase:
    """The results of one output folder, as one batch sees them: those of its models.

    Args:
        folder: the output folder, which exists.
        model_hash: of what reads now (model_identity.py).
        description: what the hash stands for, kept beside it.

    Raises:
        OutputError: the file cannot be made, or is no database.
    """

    def __init__(self, folder: Path, model_hash: str, description: dict[str, Any]) -> None:
        self._folder, self._model_hash = folder, model_hash
        try:
            self._database = sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")  # a commit is on the disk when it returns
            self._database.executescript(_SCHEMA)
            self._database.execute(
                "INSERT OR IGNORE INTO model VALUES (?, ?)", (model_hash, json.dumps(description, sort_keys=True))
            )
        except sqlite3.Error as error:
            raise OutputError(
                f"The table of results cannot be opened: {error}.", where=str(folder / DATABASE_FILE)
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def states(self) -> dict[str, State]:
        """Exam -> how it ended, of all exams that these models have dealt with."""
        rows = self._database.execute("SELECT exam, state FROM answered WHERE model_hash = ?", (self._model_hash,))
        return dict(rows)

    def keep(self, outcome: ExamOutcome) -> None:
        """Write one exam's outcome, all of it or nothing; an earlier failure of the exam gives way.

        Raises OutputError when it cannot be written (a full disk).
        """
        key = (outcome.exam, self._model_hash)
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.execute("DELETE FROM finding WHERE exam = ? AND model_hash = ?", key)
                self._database.execute(
                    "INSERT OR REPLACE INTO answered (exam, model_hash, state, crashes, seconds, error, remark) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*key, outcome.state, outcome.crashes, outcome.seconds, outcome.error, outcome.remark),
                )
                self._database.executemany(
                    f"INSERT INTO finding (exam, model_hash, {', '.join(FINDING_COLUMNS)}) "
                    f"VALUES (?, ?, {', '.join('?' * len(FINDING_COLUMNS))})",
                    [(*key, *(row[column] for column in FINDING_COLUMNS)) for row in outcome.findings],
                )
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise OutputError(
                f"The table of results cannot be written: {error}.",
                where=str(self._folder / DATABASE_FILE),
                next_step="See that there is space, then start again: what is done stays done.",
            ) from error

    def write_tables(self) -> None:
        """Write results.csv and failures.csv of these models anew. Raises OutputError."""
        self._write(RESULTS_FILE, "SELECT * FROM results WHERE model_hash = ? ORDER BY exam, contrast, code")
        self._write(
            FAILURES_FILE,
            "SELECT exam, state, error, crashes, finished_at FROM answered "
            "WHERE model_hash = ? AND state <> 'answered' ORDER BY state, error, exam",
        )

    def _write(self, name: str, query: str) -> None:
        rows = self._database.execute(query, (self._model_hash,))
        try:
            _replace_csv(self._folder / name, [column[0] for column in rows.description], rows)
        except OSError as error:
            raise output_error(error, self._folder) from error


def _replace_csv(path: Path, columns: list[str], rows: Iterator[Any]) -> None:
    """Write a table beside the old one and put it in its place when it is complete."""
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            writer.writerows([_plain_cell(value) for value in row] for row in rows)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _plain_cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets a quote before it (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
