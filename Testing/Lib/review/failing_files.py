"""A disk that fails: it counts the store's steps, stops the program at one of them, and forgets what was not synced."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random

from NeuroTriageLib.review.durable_files import READ_ONLY, DurableFiles


class Killed(BaseException):
    """The program is gone: nothing of it runs any more."""


class FailingFiles(DurableFiles):
    """Real files, except that a program dies or the disk refuses at a given step.

    A power cut is simulated too: what was written without a sync comes back cut short or not at all, and a name whose
    folder was not synced may be gone.

    Args:
        random: decides what a power cut spares.
        dies_at: the step (from 1) in whose middle the program is killed; 0 for never.
        refuses_at: the step that the disk refuses; 0 for never.
        error: errno of the refusal.
    """

    def __init__(self, random: Random, *, dies_at: int = 0, refuses_at: int = 0, error: int = errno.ENOSPC) -> None:
        self._random, self._dies_at, self._refuses_at, self._error = random, dies_at, refuses_at, error
        self.steps = 0
        self._dead = False
        self._unsynced_names: list[tuple[Path, Path | None]] = []  # (where it is, where it was)

    def make_folder(self, path: Path) -> None:
        dies = self._step(path)
        super().make_folder(path)
        self._unsynced_names.append((path, None))
        self._die(dies)

    def write(self, path: Path, content: bytes) -> None:
        dies = self._step(path)
        if dies:  # in the middle of writing: some of it reached the disk
            path.write_bytes(content[: self._random.randrange(len(content) + 1)])
            self._die(True)
        with path.open("xb") as stream:  # synced by promise: a real sync would only make the test slow
            stream.write(content)
        path.chmod(READ_ONLY)

    def sync_folder(self, path: Path) -> None:
        dies = self._step(path)
        self._die(dies)
        self._unsynced_names = [(now, before) for now, before in self._unsynced_names if now.parent != path]

    def publish(self, temporary: Path, final: Path) -> None:
        dies = self._step(temporary)
        super().publish(temporary, final)
        self._unsynced_names = [(n, b) for n, b in self._unsynced_names if n != temporary]
        self._unsynced_names.append((final, temporary))
        self._die(dies)

    def remove(self, folder: Path) -> None:
        if not self._dead:
            self._die(self._step(folder))
            super().remove(folder)

    def _step(self, path: Path) -> bool:
        """Count; True when the program dies in this step."""
        if self._dead:
            raise Killed
        self.steps += 1
        if self.steps == self._refuses_at:
            raise OSError(self._error, os.strerror(self._error), str(path))
        return self.steps == self._dies_at

    def _die(self, dies: bool) -> None:
        if not dies:
            return
        self._dead = True
        for now, before in reversed(self._unsynced_names):
            if before is not None and now.exists() and self._random.random() < 0.5:
                os.rename(now, before)
        raise Killed
