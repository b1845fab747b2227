"""Where every image comes in, whichever way: checked, on the disk and in the ledger before it is acknowledged."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import OutputError
from ..review.durable_files import sync_folder
from .accepted_images import ImageRefused, ImageUids, read_image_uids
from .data_folder import DataFolder
from .exam_queue import RECOVERED, Arrival, ExamQueue
from .ledger import Ledger
from .site_config import Limits

BLOCK_BYTES = 1 << 20  # of copying; ours
HALF_FILE = ".part"
MB, GB = 10**6, 10**9


class NoRoom(OutputError):
    """The disk is too full to take an image; the sender should try again later."""


@dataclass(frozen=True)
class Receipt:
    """What became of an image that was acknowledged; is_new is False when it was here already."""

    uids: ImageUids
    is_new: bool


@dataclass(frozen=True)
class _HalfFile:
    path: Path
    size: int
    sha256: str


class Inbox:
    """Takes images from any number of threads.

    Args:
        ledger: knows which images are here.
        folder: where they lie.
        queue: of exams, which an image opens or joins.
        limits: of size, number and room.
    """

    def __init__(self, ledger: Ledger, folder: DataFolder, queue: ExamQueue, limits: Limits) -> None:
        self._ledger, self._folder, self._queue, self._limits = ledger, folder, queue, limits

    def has_room(self) -> bool:
        """False when less is left on the disk than the site wants to keep."""
        return self._folder.free_bytes() > self._limits.keep_free_gb * GB

    def receive(self, blocks: Iterable[bytes | memoryview], arrival: Arrival) -> Receipt:
        """Take one image in DICOM's file format. On return it is on the disk, and the ledger knows it.

        An image that is here already is acknowledged again and changes nothing; so is a result of ours, which a PACS
        may send back with its study and which is nothing to read.

        Args:
            blocks: the file's bytes, preamble and file meta information first.
            arrival: who sends it, and how.

        Raises:
            ImageRefused: it is none that the node takes, too large, one too many, or contradicts what is here.
            NoRoom: there is too little room.
        """
        if not self.has_room():
            raise NoRoom("There is too little room on the node's disk.", next_step="Send it again later.")
        half = self._folder.arriving / f"{secrets.token_hex(12)}{HALF_FILE}"
        try:
            return self._receive(half, blocks, arrival)
        except (OSError, sqlite3.OperationalError) as error:
            if _is_full(error):
                raise NoRoom("The node's disk is full.", next_step="Send it again later.") from error
            raise OutputError("The image could not be written.", next_step="Send it again later.") from error
        finally:
            with suppress(OSError):  # it has been moved, or was never made
                half.unlink()

    def receive_file(self, path: Path, arrival: Arrival) -> Receipt:
        """Take a copy of a DICOM file. Raises as receive, and OSError when the file cannot be read."""
        with path.open("rb") as stream:
            return self.receive(_blocks(stream.read, BLOCK_BYTES), arrival)

    def recover(self) -> None:
        """Make order after the process was killed: half files go, images that the ledger does not know are taken in.

        Such an image was never acknowledged, or the ledger is an older copy; in both cases nothing of it is lost.
        """
        for half in self._folder.arriving.iterdir():
            _remove(half)
        known = {row["path"] for row in self._ledger.rows("SELECT path FROM image")}
        for path in sorted(self._folder.inbox.rglob("*")):
            if path.is_file() and str(path.relative_to(self._folder.inbox)) not in known:
                self._adopt(path)

    def _adopt(self, path: Path) -> None:
        try:
            taken = self._folder.inbox / self.receive_file(path, Arrival(RECOVERED)).uids.file_name
        except NoRoom:
            return  # at the next start
        except ImageRefused:  # what is none was never acknowledged
            taken = None
        if taken != path:
            path.unlink()

    def _receive(self, half: Path, blocks: Iterable[bytes | memoryview], arrival: Arrival) -> Receipt:
        digest, size = hashlib.sha256(), 0
        with half.open("xb") as stream:
            for block in blocks:
                size += len(block)
                if size > self._limits.image_mb * MB:
                    raise ImageRefused(f"It is larger than {self._limits.image_mb:g} MB.")
                digest.update(block)
                stream.write(block)
            stream.flush()
            uids = read_image_uids(half)
            if arrival.study_uid not in (None, uids.study):
                raise ImageRefused("It belongs to another study than the one it was sent for.")
            os.fsync(stream.fileno())
        return Receipt(uids, self._place(_HalfFile(half, size, digest.hexdigest()), uids, arrival))

    def _place(self, half: _HalfFile, uids: ImageUids, arrival: Arrival) -> bool:
        """File and row in one transaction: SQLite's lock keeps the retention rule from the folder meanwhile."""
        final = self._folder.inbox / uids.file_name
        moved = False
        try:
            with self._ledger.transaction() as db:
                if self._is_known(db, half, uids):
                    self._queue.touch(db, uids.study, arrival)
                    return False
                exam_id = self._queue.exam_for(db, uids.study, arrival, self._limits.images_per_exam)
                if not final.parent.exists():
                    final.parent.mkdir(mode=0o700)
                    sync_folder(self._folder.inbox)
                moved = True
                os.replace(half.path, final)
                sync_folder(final.parent)
                db.execute(
                    "INSERT INTO image (sop_uid, exam_id, series_uid, path, bytes, sha256, received_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (uids.sop, exam_id, uids.series, uids.file_name, half.size, half.sha256, self._ledger.now()),
                )
                self._queue.complete_if_counted(db, exam_id, arrival)
        except BaseException:
            if moved:
                with suppress(OSError):
                    final.unlink()
            raise
        return True

    def _is_known(self, db: sqlite3.Connection, half: _HalfFile, uids: ImageUids) -> bool:
        row = db.execute(
            "SELECT image.sha256, image.exam_id, exam.study_uid FROM image JOIN exam ON exam.id = image.exam_id"
            " WHERE sop_uid = ?",
            (uids.sop,),
        ).fetchone()
        if row is None:
            ours = "SELECT 1 FROM delivery JOIN exam ON exam.id = exam_id WHERE study_uid = ? AND sop_uid = ? LIMIT 1"
            return db.execute(ours, (uids.study, uids.sop)).fetchone() is not None
        if row["study_uid"] != uids.study:
            raise ImageRefused("Its SOP Instance UID is that of an image of another study.")
        if row["sha256"] != half.sha256:  # sent in another transfer syntax, or changed: the first one counts
            self._ledger.note(db, "image again", "with other bytes; the first one is kept", row["exam_id"])
        return True


def _is_full(error: OSError | sqlite3.OperationalError) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
    return "full" in str(error)


def _blocks(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    while block := read(size):
        yield block


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
