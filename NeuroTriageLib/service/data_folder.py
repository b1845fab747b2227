"""The node's folder on disk: ledger, inbox, results, and what is on its way in or out of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import output_error

PRIVATE = 0o700  # images and results name patients: nobody but the node's user may look; ours


@dataclass(frozen=True)
class DataFolder:
    """The places below [node] data_folder; all on one file system, so that files are moved and never copied.

    Args:
        path: the folder itself.
    """

    path: Path

    @property
    def ledger(self) -> Path:
        """The SQLite file (ledger.py)."""
        return self.path / "node.sqlite"

    @property
    def lock(self) -> Path:
        """Locked by the one node that uses the folder."""
        return self.path / "node.lock"

    @property
    def inbox(self) -> Path:
        """STUDY_UID/SOP_UID.dcm: every image that was acknowledged."""
        return self.path / "inbox"

    @property
    def arriving(self) -> Path:
        """Images and archives that are not complete yet; emptied when the node starts."""
        return self.path / "arriving"

    @property
    def results(self) -> Path:
        """One folder for each answered exam, named by exam.result."""
        return self.path / "results"

    @property
    def removed(self) -> Path:
        """What the retention rule has taken away, until it is gone."""
        return self.path / "removed"

    def make(self) -> None:
        """Make what is missing. Raises OutputError."""
        try:
            for folder in (self.path, self.inbox, self.arriving, self.results, self.removed):
                folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(error, self.path) from error

    def free_bytes(self) -> int:
        """Room that is left for the node's user."""
        return shutil.disk_usage(self.path).free

    def used_share(self) -> float:
        """How full the disk is, 0-1."""
        usage = shutil.disk_usage(self.path)
        return 1.0 - usage.free / usage.total if usage.total else 1.0
