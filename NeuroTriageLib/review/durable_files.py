"""Writing that survives a power cut: the few things that the review store asks of a file system, in this order.

Everything becomes visible by the renaming of a complete folder, which also refuses a name that is taken.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

TEMPORARY = ".unfinished-"
"""How the names of folders begin that are not complete yet."""

ABANDONED_S = 24 * 3600.0
"""An unfinished folder that is older than this has no writer any more (ours)."""

READ_ONLY = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


class DurableFiles:
    """The real file system; tests put one in its place that fails."""

    def make_folder(self, path: Path) -> None:
        """A new folder in an existing one. Raises FileExistsError when the name is taken."""
        path.mkdir()

    def write(self, path: Path, content: bytes) -> None:
        """A new read-only file whose content is on the disk on return. Raises FileExistsError."""
        with path.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        path.chmod(READ_ONLY)

    def sync_folder(self, path: Path) -> None:
        """The names in a folder are on the disk on return."""
        sync_folder(path)

    def publish(self, temporary: Path, final: Path) -> None:
        """Give a complete folder its name. Raises FileExistsError when the name is taken."""
        try:
            os.rename(temporary, final)  # a folder that holds something is never replaced, here or on Windows
        except OSError as error:
            if final.exists():
                raise FileExistsError(str(final)) from error
            raise

    def remove(self, folder: Path) -> None:
        """Remove a folder that was never published, as far as that is possible."""
        shutil.rmtree(folder, ignore_errors=True)


def sync_folder(path: Path) -> None:
    """The names in a folder are on the disk on return."""
    if os.name == "nt":  # Windows opens no folders, and keeps names in a journal
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sync_tree(folder: Path) -> None:
    """Every file below a folder, every name in it and its own name are on the disk on return."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(Path(parent, name), "rb") as stream:
                os.fsync(stream.fileno())
        sync_folder(Path(parent))
    sync_folder(folder.parent)


def publish_folder(
    files: DurableFiles,
    content: Mapping[str, bytes],
    parent: Path,
    name: Callable[[], str],
    *,
    keep_existing: bool = False,
) -> str:
    """Write files into a new folder, complete or not at all, and return its name; it is on the disk then.

    Args:
        files: the file system.
        content: file name -> bytes, at least one.
        parent: existing folder that the new one goes into.
        name: name of the new one; asked again when another program has taken it meanwhile.
        keep_existing: the folder of that name that is there already is as good as the new one.

    Raises:
        OSError: what the operating system refused; nothing is visible then, unless only the last step failed.
    """
    temporary = parent / f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
        _remove_abandoned(files, parent)
        files.make_folder(temporary)
        for file_name, bytes_ in content.items():
            files.write(temporary / file_name, bytes_)
        files.sync_folder(temporary)
        final = _publish(files, temporary, parent, name, keep_existing)
        files.sync_folder(parent)
    except BaseException:
        files.remove(temporary)
        raise
    return final.name


def _publish(files: DurableFiles, temporary: Path, parent: Path, name: Callable[[], str], keep_existing: bool) -> Path:
    while True:
        final = parent / name()
        try:
            files.publish(temporary, final)
            return final
        except FileExistsError:
            if keep_existing:
                files.remove(temporary)
                return final


def _remove_abandoned(files: DurableFiles, parent: Path) -> None:
    """Clear away what a killed program has left unfinished."""
    for path in parent.glob(f"{TEMPORARY}*"):
        try:
            old = time.time() - path.stat().st_mtime > ABANDONED_S
        except FileNotFoundError:
            continue  # its writer has just finished
        if old:
            files.remove(path)
