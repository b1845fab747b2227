"""Where the exams of a folder tree lie, in a database, so that a second run opens no file of a folder that it knows.

Exams are told apart by their study UID wherever their files lie, so the whole tree is looked at before the first exam
is read: an exam is never read with half of its series. The database holds paths, which may name patients: it stays
where the archive is, and can be deleted and made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from ..core.errors import InputError
from ..io.dicom_headers import quiet_pydicom
from .exam_task import ExamTask, Place, exam_key
from .folder_contents import FolderExam, exams_in_folder, exams_in_zip

FOLDERS_PER_COMMIT = 50
"""So many are looked at again after a kill, at most (ours)."""

OPENED_AT_ONCE = 8
"""Files whose beginnings are read side by side (ours); parsing them takes turns, some 2,500 a second."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS folder (path TEXT PRIMARY KEY, signature TEXT NOT NULL, walk INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS place (
    path TEXT NOT NULL, study_uid TEXT NOT NULL, exam TEXT NOT NULL, names TEXT,
    PRIMARY KEY (path, study_uid, exam)
);
CREATE INDEX IF NOT EXISTS place_of_exam ON place (exam);
"""

FolderSeen = Callable[[int], None]
"""Called with the number of folders and archives looked at so far."""


class FolderIndex:
    """The index of one or several trees.

    Args:
        path: database file; made when it is not there.
        unseen: folder below a tree that is no part of it (that of the results).
    """

    def __init__(self, path: Path, *, unseen: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)
        newest = self._database.execute("SELECT max(walk) FROM folder").fetchone()[0]
        self._walk = (newest or 0) + 1
        self._unseen = unseen.resolve()
        self._seen = 0
        self._threads = ThreadPoolExecutor(OPENED_AT_ONCE)

    def close(self) -> None:
        """Close the database."""
        self._threads.shutdown(cancel_futures=True)
        self._database.close()

    def look_at(self, source: Path, base: Path, on_folder: FolderSeen = lambda count: None) -> None:
        """Bring the index up to date with a tree, an archive or a file.

        Args:
            source: folder, zip or image file.
            base: folder that keys of exams without a study UID are relative to.
            on_folder: hears how far it is.

        Raises:
            InputError: the source does not exist.
        """
        if not source.exists():
            raise InputError("The source does not exist.", where=str(source), next_step="Check the path.")
        with quiet_pydicom():
            self._database.execute("BEGIN")
            try:
                for folder, names in self._folders(source):
                    self._look_at_files(folder, names, base)
                    self._seen += 1
                    on_folder(self._seen)
                    if self._seen % FOLDERS_PER_COMMIT == 0:
                        self._database.execute("COMMIT")
                        self._database.execute("BEGIN")
            finally:
                self._database.execute("COMMIT")

    def _folders(self, source: Path) -> Iterator[tuple[Path, list[str] | None]]:
        """Folders with the names of the files that lie in them; None where they cannot be listed."""
        source = source.absolute()
        if source.is_file():
            yield source.parent, [source.name]
            return
        unlisted: list[Path] = []
        for folder, folders, names in os.walk(source, onerror=lambda error: unlisted.append(Path(str(error.filename)))):
            folders[:] = sorted(name for name in folders if Path(folder, name).resolve() != self._unseen)
            if names:
                yield Path(folder), sorted(names)
        for path in unlisted:
            yield path, None

    def _look_at_files(self, folder: Path, names: list[str] | None, base: Path) -> None:
        """Update what is known of the files directly in one folder, each zip among them by itself."""
        if names is None:
            self._update(folder, "", lambda: [FolderExam("", None)], base)
            return
        stats: dict[str, str] = {}
        for name in names:
            try:
                status = os.stat(folder / name)
            except OSError:
                continue  # a link to nothing, or gone since
            stats[name] = f"{status.st_size} {status.st_mtime_ns}"
        zips = [name for name in stats if name.lower().endswith(".zip")]
        plain = [name for name in stats if not name.lower().endswith(".zip")]
        for name in zips:
            self._update(folder / name, stats[name], partial(exams_in_zip, folder / name), base)
        if plain:
            text = "\n".join(f"{name} {stats[name]}" for name in plain)
            signature = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
            self._update(folder, signature, partial(exams_in_folder, folder, plain, self._threads), base)

    def _update(self, path: Path, signature: str, exams: Callable[[], Iterable[FolderExam]], base: Path) -> None:
        """Keep what is known when the signature is the old one, else ask for the exams."""
        known = self._database.execute("SELECT signature FROM folder WHERE path = ?", (str(path),)).fetchone()
        if known is None or known[0] != signature or not signature:
            self._database.execute("DELETE FROM place WHERE path = ?", (str(path),))
            self._database.executemany(
                "INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?)",
                [_row(path, exam, base) for exam in exams()],
            )
        self._database.execute("INSERT OR REPLACE INTO folder VALUES (?, ?, ?)", (str(path), signature, self._walk))

    def keys(self) -> set[str]:
        """The exams of everything that was looked at since the index was opened."""
        rows = self._database.execute("SELECT exam FROM place JOIN folder USING (path) WHERE walk = ?", (self._walk,))
        return {key for (key,) in rows}

    def tasks(self) -> Iterator[ExamTask]:
        """The same with their places, in the order of their keys."""
        rows = self._database.execute(
            "SELECT exam, study_uid, path, names FROM place JOIN folder USING (path) WHERE walk = ? "
            "ORDER BY exam, path, study_uid",
            (self._walk,),
        )
        for key, group in groupby(rows, key=itemgetter(0)):
            found = list(group)
            places = [Place(path, None if names is None else tuple(json.loads(names))) for _, _, path, names in found]
            unpacked = tuple(place for place in places if place.names != ())
            # The same study packed and unpacked, or packed twice: one of them is the exam.
            yield ExamTask(key, found[0][1], unpacked or (places[0],))


def _row(path: Path, exam: FolderExam, base: Path) -> tuple[str, str, str, str | None]:
    names = exam.names or ("",)
    key = exam_key(exam.study_uid, [os.path.relpath(path / name, base) for name in names])
    return str(path), exam.study_uid, key, None if exam.names is None else json.dumps(exam.names)
