"""What is removed when, by the site's rule. The ledger's rows and the audit trail stay.

Only exams that are done are touched: every destination has their results, and keeps them where that was asked for. An
exam with a delivery that was given up is not removed: somebody must look at it first.

A folder is moved away in the transaction that forgets it, and deleted after that; what a kill leaves in between is put
back or deleted when the node starts.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from .data_folder import DataFolder
from .ledger import Ledger
from .site_config import Retention

DAY_S = 86400.0
IMAGES, RESULTS = "images~", "results~"  # how names in the folder of removed things begin

# All exams of the study are past, and no result of one is owed to anybody.
_STUDY_IS_PAST = """NOT EXISTS (SELECT 1 FROM exam AS other WHERE other.study_uid = exam.study_uid
    AND other.state NOT IN ('done', 'set_aside', 'deleted'))"""
_NOTHING_OWED = """NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.exam_id = exam.id
    AND delivery.state IN ('waiting', 'given_up'))"""
_HAS_IMAGES = "EXISTS (SELECT 1 FROM image WHERE image.exam_id = exam.id)"
_ENDED_AT = "COALESCE(done_at, started_at, last_image_at)"


class RetentionSweep:
    """Applies the rule.

    Args:
        ledger: knows what is past.
        data: where things lie.
        rule: [retention].
    """

    def __init__(self, ledger: Ledger, data: DataFolder, rule: Retention) -> None:
        self._ledger, self._data, self._rule = ledger, data, rule

    def sweep(self) -> int:
        """Remove what the rule says, and return how many folders went."""
        removed = 0
        for days, set_aside in ((self._rule.images_days, False), (self._rule.set_aside_days, True)):
            if days is not None:
                removed += sum(self.remove_images(row["study_uid"]) for row in self._old_images(days, set_aside))
        if self._rule.results_days is not None:
            removed += sum(self.remove_results(row["id"]) for row in self._old_results(self._rule.results_days))
        return removed + self._make_room(self._rule.disk_share)

    def remove_images(self, study_uid: str) -> bool:
        """Remove a study's images; False when it is not past any more, because an image has just come."""

        def forget(db: sqlite3.Connection) -> bool:
            query = f"SELECT * FROM exam WHERE study_uid = ? AND {_STUDY_IS_PAST}"
            exams = db.execute(query, (study_uid,)).fetchall()
            for exam in exams:
                db.execute("DELETE FROM image WHERE exam_id = ?", (exam["id"],))
                if exam["state"] == "set_aside":
                    db.execute("UPDATE exam SET state = 'deleted' WHERE id = ?", (exam["id"],))
                self._ledger.note(db, "removed images", "by the retention rule", exam["id"])
            return bool(exams)

        return self._remove(self._data.inbox / study_uid, f"{IMAGES}{study_uid}", forget)

    def remove_results(self, exam_id: int) -> bool:
        """Remove an exam's result files; its images have a rule of their own."""
        exam = self._ledger.rows("SELECT * FROM exam WHERE id = ?", (exam_id,))[0]

        def forget(db: sqlite3.Connection) -> bool:
            db.execute("UPDATE exam SET state = 'deleted', result = NULL WHERE id = ?", (exam_id,))
            self._ledger.note(db, "removed results", "by the retention rule", exam_id)
            return True

        folder = exam["result"] or f"none of {exam_id}"
        return self._remove(self._data.results / folder, f"{RESULTS}{folder}", forget)

    def recover(self) -> None:
        """Finish or undo what a kill has interrupted; and results go that were written but never became an answer."""
        for gone in self._data.removed.iterdir():
            kind, _, name = gone.name.partition("~")
            known = "image WHERE path LIKE ? || '/%'" if f"{kind}~" == IMAGES else "exam WHERE result = ?"
            if self._ledger.rows(f"SELECT 1 FROM {known} LIMIT 1", (name,)):
                os.replace(gone, (self._data.inbox if f"{kind}~" == IMAGES else self._data.results) / name)
            else:
                shutil.rmtree(gone, ignore_errors=True)
        answered = {row["result"] for row in self._ledger.rows("SELECT result FROM exam WHERE result IS NOT NULL")}
        for folder in self._data.results.iterdir():
            if folder.name not in answered:
                shutil.rmtree(folder, ignore_errors=True)

    def _remove(self, folder: Path, name: str, forget: Callable[[sqlite3.Connection], bool]) -> bool:
        gone = self._data.removed / name
        moved = False
        try:
            with self._ledger.transaction() as db:
                if not forget(db):
                    return False
                if folder.exists():
                    os.replace(folder, gone)
                    moved = True
        except BaseException:
            if moved:
                os.replace(gone, folder)
            raise
        shutil.rmtree(gone, ignore_errors=True)
        return True

    def _old_images(self, days: float, set_aside: bool = False) -> list[sqlite3.Row]:
        """Studies, each exam of which is past and old; oldest first. One exam that was set aside makes a study such."""
        return self._ledger.rows(
            f"SELECT study_uid, MAX({_ENDED_AT}) AS ended FROM exam WHERE {_STUDY_IS_PAST} GROUP BY study_uid"
            " HAVING ended <= :before AND MAX(state = 'set_aside') = :set_aside"
            f" AND SUM({_HAS_IMAGES}) > 0 AND MIN({_NOTHING_OWED}) = 1 ORDER BY ended",
            {"before": self._ledger.now() - days * DAY_S, "set_aside": set_aside},
        )

    def _old_results(self, days: float) -> list[sqlite3.Row]:
        return self._ledger.rows(
            f"SELECT id FROM exam WHERE state = 'done' AND {_ENDED_AT} <= ? AND {_NOTHING_OWED} ORDER BY {_ENDED_AT}",
            (self._ledger.now() - days * DAY_S,),
        )

    def _make_room(self, share: float) -> int:
        """Images of the oldest exams first, then their results, until the disk is emptier than the share."""
        removed = 0
        for row in self._old_images(0.0):
            if self._data.used_share() <= share:
                return removed
            removed += self.remove_images(row["study_uid"])
        for row in self._old_results(0.0):
            if self._data.used_share() <= share:
                return removed
            removed += self.remove_results(row["id"])
        return removed
