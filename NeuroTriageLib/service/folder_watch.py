"""The folder door: what is dropped into a watched folder is copied into the inbox, then moved aside, never deleted."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import InputError, NeuroTriageError
from ..io.archives import is_zip, unpack_zip
from ..review.durable_files import sync_folder
from .accepted_images import ImageRefused
from .data_folder import DataFolder
from .exam_queue import Arrival, ExamQueue
from .inbox import Inbox, NoRoom
from .ledger import Ledger
from .site_config import Watch

POLL_S = 2.0  # how often the folder is looked at; ours
REFUSED = "refused"
"""Below taken_folder: what held no image that the node takes."""

log = logging.getLogger(__name__)

Fingerprint = tuple[tuple[str, int, int], ...]


@dataclass
class _Taken:
    studies: set[str] = field(default_factory=set)
    images: int = 0
    refused: int = 0


class FolderWatch:
    """Watches one folder. A folder or archive that is dropped is whole: its exams are complete at once.

    A single file joins its exam, which is complete when nothing comes any more.

    Args:
        rule: which folder.
        inbox, queue: take the images.
        data: has room for what an archive unpacks to.
        ledger: keeps what was taken.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        rule: Watch,
        inbox: Inbox,
        queue: ExamQueue,
        data: DataFolder,
        ledger: Ledger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = f"watch {rule.name}"
        self._rule, self._inbox, self._queue, self._data, self._ledger = rule, inbox, queue, data, ledger
        self._clock = clock
        self._seen: dict[str, tuple[Fingerprint, float]] = {}

    def run(self, stop: threading.Event) -> None:
        """Until stop is set."""
        while not stop.is_set():
            self.look(stop)
            stop.wait(POLL_S)

    def look(self, stop: threading.Event | None = None) -> None:
        """Take what has not changed for long enough; hidden files, links and what cannot be read are left alone."""
        present = {item.name: item for item in sorted(self._rule.folder.iterdir()) if _is_dropped(item)}
        self._seen = {name: seen for name, seen in self._seen.items() if name in present}
        for name, item in present.items():
            if stop is not None and stop.is_set():
                return
            try:
                if self._is_stable(name, item):
                    self._take(item)
                    self._seen.pop(name, None)
            except NoRoom:
                log.warning("no room for what was dropped", extra={"watch": self._rule.name})
                return
            except OSError as error:  # somebody still writes or moves it, or there are no rights: at the next look
                log.warning("dropped item not taken", extra={"watch": self._rule.name, "reason": error.strerror})
                self._seen.pop(name, None)

    def _is_stable(self, name: str, item: Path) -> bool:
        fingerprint, now = _fingerprint(item), self._clock()
        known, since = self._seen.get(name, ((), now))
        if known != fingerprint:
            self._seen[name] = (fingerprint, now)
            return False
        return now - since >= self._rule.stable_s

    def _take(self, item: Path) -> None:
        taken = _Taken()
        whole = item.is_dir() or _starts_like_zip(item)
        if item.is_dir() or not whole:
            self._receive(item, taken)
        else:
            with tempfile.TemporaryDirectory(dir=self._data.arriving) as unpacked:
                try:
                    unpack_zip(item, Path(unpacked))
                except InputError:
                    taken.refused += 1
                self._receive(Path(unpacked), taken)
        if whole:
            for study_uid in sorted(taken.studies):
                self._queue.finish(study_uid)
        detail = f"{self._rule.name}: {taken.images} images, {taken.refused} files refused"
        with self._ledger.transaction() as db:
            self._ledger.note(db, "dropped", detail)
        self._move_aside(item, self._rule.taken_folder if taken.images else self._rule.taken_folder / REFUSED)

    def _receive(self, item: Path, taken: _Taken) -> None:
        arrival = Arrival(f"folder:{self._rule.name}")
        for path in _files(item):
            try:
                receipt = self._inbox.receive_file(path, arrival)
            except ImageRefused:
                taken.refused += 1
                continue
            except NeuroTriageError as error:
                raise NoRoom(error.what) from error
            taken.images += 1
            taken.studies.add(receipt.uids.study)

    def _move_aside(self, item: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / item.name
        if os.path.lexists(target):  # nothing that was taken before is replaced
            target = folder / f"{item.name}.{secrets.token_hex(4)}"
        shutil.move(item, target)
        sync_folder(folder)


def _is_dropped(item: Path) -> bool:
    return not item.name.startswith(".") and not item.is_symlink() and (item.is_dir() or item.is_file())


def _files(item: Path) -> Iterator[Path]:
    """The regular files of a dropped item; links are not followed: they could lead anywhere."""
    if item.is_file():
        yield item
        return
    for parent, _, names in os.walk(item, followlinks=False):
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _fingerprint(item: Path) -> Fingerprint:
    found = []
    for path in _files(item):
        state = path.stat()
        found.append((str(path), state.st_size, state.st_mtime_ns))
    return tuple(sorted(found))


def _starts_like_zip(item: Path) -> bool:
    with item.open("rb") as stream:
        return is_zip(stream.read(4))
