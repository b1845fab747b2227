"""The node's ledger: whole transactions, one schema, every thread."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.service.ledger import Ledger


def add_exam(ledger: Ledger, study_uid: str) -> None:
    with ledger.transaction() as db:
        db.execute(
            "INSERT INTO exam (study_uid, revision, state, source, dicom_priority, urgency, opened_at, last_image_at)"
            " VALUES (?, 1, 'receiving', 'CT1', 0, 0.5, ?, ?)",
            (study_uid, ledger.now(), ledger.now()),
        )
        ledger.note(db, "opened", exam_id=None)


def test_what_a_failed_transaction_did_is_undone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "node.sqlite")
    with pytest.raises(RuntimeError), ledger.transaction() as db:
        ledger.note(db, "started")
        raise RuntimeError
    assert ledger.rows("SELECT * FROM audit") == []


def test_a_ledger_opened_again_knows_what_was_written(tmp_path: Path) -> None:
    add_exam(Ledger(tmp_path / "node.sqlite"), "1.2.3")
    assert [row["study_uid"] for row in Ledger(tmp_path / "node.sqlite").rows("SELECT * FROM exam")] == ["1.2.3"]


def test_the_same_revision_of_a_study_is_there_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "node.sqlite")
    add_exam(ledger, "1.2.3")
    with pytest.raises(sqlite3.IntegrityError):
        add_exam(ledger, "1.2.3")


def test_many_threads_write_without_losing_a_row(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "node.sqlite")
    threads = [threading.Thread(target=add_exam, args=(ledger, f"1.2.{n}")) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.rows("SELECT * FROM exam")) == 16


def test_a_ledger_of_another_version_is_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "node.sqlite")
    ledger.rows("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="version 99"):
        Ledger(tmp_path / "node.sqlite")


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ledger"):
        Ledger(tmp_path / "missing" / "node.sqlite")
