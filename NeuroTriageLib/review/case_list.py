"""A list of cases to read, and how far a reader has come: the list is given, its state stands in the review store."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..core.errors import InputError
from ..core.sign_off import ReviewStatus
from .doubt import Doubt, doubt_of, most_doubtful_first
from .store import ReviewStore
from .versions import Version, Viewer

State = Literal["new", ReviewStatus]
STATES: tuple[State, ...] = ("new", "draft", "flagged", "approved")

KEY_COLUMNS = ("path", "study_instance_uid", "series_instance_uid")
IMAGE_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".zip")


@dataclass(frozen=True)
class CaseEntry:
    """One row of a case list.

    Args:
        key: what names the case for good: the path, or the UID of the study or series.
        name: what the list shows.
        path: where it lies; None when only the UID is known (Slicer's DICOM database).
    """

    key: str
    name: str
    path: Path | None = None


@dataclass(frozen=True)
class CaseRow:
    """One row with its state.

    Args:
        entry: the row.
        state: "new" until something was saved; then the status of the latest version that counts.
        case_id: of the exam that was read last; "" for a new one.
        reader, updated_utc: of that version; "" for a new one.
        doubt: of the model's latest answer; None until the exam was read.
    """

    entry: CaseEntry
    state: State
    case_id: str = ""
    reader: str = ""
    updated_utc: str = ""
    doubt: Doubt | None = None

    @property
    def is_done(self) -> bool:
        """True when it was approved or flagged."""
        return self.state in ("approved", "flagged")


class CaseList:
    """Rows in their order, and where a reader stands with them.

    Args:
        entries: rows.
        store: where the versions are.
        viewer: whose list it is. Everybody's versions count for somebody who reads with open eyes; only the own ones
            for a blind reader.
    """

    def __init__(self, entries: Sequence[CaseEntry], store: ReviewStore, viewer: Viewer) -> None:
        self.entries = tuple(entries)
        self._store, self._viewer = store, viewer

    def row(self, entry: CaseEntry) -> CaseRow:
        """The state of one row now."""
        found = [(case_id, self._latest(case_id)) for case_id in self._store.cases_of_entry(entry.key)]
        saved = [(version.created_utc, version.number, case_id, version) for case_id, version in found if version]
        doubt = max((d for case_id, _ in found if (d := self._doubt(case_id)) is not None), default=None)
        if not saved:
            return CaseRow(entry, "new", case_id=found[-1][0] if found else "", doubt=doubt)
        _, _, case_id, version = max(saved, key=lambda item: item[:3])
        return CaseRow(entry, version.status, case_id, version.reader, version.created_utc, doubt)

    def by_doubt(self) -> CaseList:
        """The same cases, the most doubtful first; those that were not read yet keep their order at the end."""
        rows = sorted(self.rows(), key=lambda row: most_doubtful_first(row.doubt))
        return CaseList([row.entry for row in rows], self._store, self._viewer)

    def rows(self) -> tuple[CaseRow, ...]:
        """The state of every row now."""
        return tuple(self.row(entry) for entry in self.entries)

    def counts(self) -> dict[State, int]:
        """State -> number of rows."""
        counted = Counter(row.state for row in self.rows())
        return {state: counted[state] for state in STATES}

    def next_case(self, after: CaseEntry | None = None) -> CaseEntry | None:
        """The next row after one (the first one without) that is not done, from the top again at the end."""
        start = self.entries.index(after) + 1 if after in self.entries else 0
        order = self.entries[start:] + self.entries[:start]
        return next((entry for entry in order if entry != after and not self.row(entry).is_done), None)

    def _doubt(self, case_id: str) -> Doubt | None:
        models = [version.number for version in self._store.versions(case_id) if version.kind == "model"]
        return doubt_of(self._store.findings(case_id, models[-1])) if models else None

    def _latest(self, case_id: str) -> Version | None:
        versions = [version for version in self._store.versions(case_id) if version.kind == "reader"]
        if self._viewer.blind:
            versions = [version for version in versions if version.reader == self._viewer.reader]
        return versions[-1] if versions else None


def cases_in_folder(folder: Path) -> tuple[CaseEntry, ...]:
    """One case per sub-folder, zip archive or image file of a folder, by name; hidden ones are left out.

    Raises:
        InputError: there is none.
    """
    if not folder.is_dir():
        raise InputError("The folder of cases does not exist.", where=str(folder))
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    cases = [path for path in paths if path.is_dir() or path.name.lower().endswith(IMAGE_SUFFIXES)]
    if not cases:
        raise InputError("The folder holds no cases.", where=str(folder), next_step="Put one folder per exam into it.")
    return tuple(CaseEntry(str(path.resolve()), path.name, path) for path in cases)


def cases_in_csv(path: Path) -> tuple[CaseEntry, ...]:
    """One case per line of a table with the columns path, study_instance_uid or series_instance_uid, and perhaps name.

    Paths are relative to the table. A case that stands there twice is read once.

    Raises:
        InputError: it cannot be read, or a line names no case.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [{key: (value or "").strip() for key, value in row.items() if key} for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise InputError("The table of cases cannot be read.", where=str(path)) from error
    entries: dict[str, CaseEntry] = {}
    for number, row in enumerate(rows, start=2):
        column = next((name for name in KEY_COLUMNS if row.get(name)), None)
        if column is None:
            raise InputError(f"Line {number} names no case in {', '.join(KEY_COLUMNS)}.", where=str(path))
        at = (path.parent / row[column]).resolve() if column == "path" else None
        key = str(at) if at else row[column]
        entries.setdefault(key, CaseEntry(key, row.get("name") or row[column], at))
    if not entries:
        raise InputError("The table holds no cases.", where=str(path))
    return tuple(entries.values())
