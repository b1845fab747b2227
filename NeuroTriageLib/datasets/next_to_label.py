"""The exams that were read and not signed, the most doubtful first, from a review store or from result folders."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import InputError, OutputError, output_error
from ..review.doubt import Doubt, doubt_of, most_doubtful_first
from ..review.store import ABOUT, ReviewStore
from .label_store import open_store

FINDINGS_FILE = "findings.json"  # as outputs/folder.py


@dataclass(frozen=True)
class Unlabelled:
    """One exam that nobody has signed.

    Args:
        name: of the case in the store, or of the result folder.
        series_instance_uid: of its images.
        doubt: None when the system could not look.
    """

    name: str
    series_instance_uid: str
    doubt: Doubt | None


def next_to_label(place: Path, store: Path | None = None) -> tuple[Unlabelled, ...]:
    """The exams of a place, the most doubtful first; those that could not be looked at last.

    Args:
        place: a review store, or a folder of result folders (neurotriage triage).
        store: whose signed exams are left out of result folders.

    Raises:
        InputError: the place is neither, or a file is damaged.
    """
    if (place / ABOUT).is_dir():
        found = _of_store(open_store(place))
    else:
        found = _of_results(place, set() if store is None else _signed_series(open_store(store)))
    return tuple(sorted(found, key=lambda exam: (most_doubtful_first(exam.doubt), exam.name)))


def lines_of(exams: tuple[Unlabelled, ...]) -> list[str]:
    """The list for people."""
    return [f"{exam.name}  {'could not be looked at' if exam.doubt is None else exam.doubt.text()}" for exam in exams]


def write_case_list(exams: tuple[Unlabelled, ...], path: Path) -> None:
    """A table that the panel opens as a list of cases, in this order. Raises OutputError when the file is there."""
    table = io.StringIO()
    csv.writer(table).writerows(
        [("series_instance_uid", "name"), *((exam.series_instance_uid, exam.name) for exam in exams)]
    )
    try:
        with path.open("x", encoding="utf-8", newline="") as stream:
            stream.write(table.getvalue())
    except FileExistsError as error:
        raise OutputError("The file is there already.", where=str(path), next_step="Name another one.") from error
    except OSError as error:
        raise output_error(error, path) from error


def _of_store(store: ReviewStore) -> list[Unlabelled]:
    found = []
    for case_id in store.cases():
        versions = store.versions(case_id)
        models = [version.number for version in versions if version.kind == "model"]
        if models and not any(version.is_signed for version in versions):
            doubt = doubt_of(store.findings(case_id, models[-1]))
            found.append(Unlabelled(case_id, store.exam(case_id).series_instance_uid, doubt))
    return found


def _of_results(folder: Path, signed: set[str]) -> list[Unlabelled]:
    paths = sorted(folder.glob(f"*/{FINDINGS_FILE}")) if folder.is_dir() else []
    if not paths:
        raise InputError("The folder is neither a review store nor holds results.", where=str(folder))
    found = []
    for path in paths:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            uid, doubt = str(document["input"]["series_instance_uid"]), doubt_of(document["findings"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError("The results cannot be read.", where=str(path)) from error
        if uid not in signed:
            found.append(Unlabelled(path.parent.name, uid, doubt))
    return found


def _signed_series(store: ReviewStore) -> set[str]:
    return {
        store.exam(case_id).series_instance_uid
        for case_id in store.cases()
        if any(version.is_signed for version in store.versions(case_id))
    }
