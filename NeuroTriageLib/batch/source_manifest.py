"""A list of exams as CSV or JSON lines: where each lies, its study UID if known, and its own choice of series."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, InputError
from .exam_task import ExamTask, Place, exam_key

ENDINGS = (".csv", ".jsonl", ".ndjson")
COLUMNS = ("path", "study_uid", "series")


@dataclass(frozen=True)
class ListedPlace:
    """One line of the list.

    Args:
        path: folder, zip or file; relative ones were taken from the list's own folder.
        study_uid: "" leaves it to the headers; otherwise no header is read before the exam itself is.
        series: as --series of `neurotriage triage`, only with a study UID.
        line: number in the file, from 1.
    """

    path: Path
    study_uid: str
    series: tuple[str, ...]
    line: int

    def task(self) -> ExamTask:
        """The exam of a line with a study UID: everything below its folder, or its one file."""
        place = Place(str(self.path), None, with_subfolders=True) if self.path.is_dir() else Place(str(self.path), ())
        return ExamTask(exam_key(self.study_uid), self.study_uid, (place,), self.series)


def read_list(path: Path) -> list[ListedPlace]:
    """The lines of a list.

    CSV has a header line with `path` and, if wanted, `study_uid` and `series` (several separated by ";"). A JSON line
    is an object with the same keys, `series` a list of texts.

    Raises:
        InputError: the list cannot be read.
        ConfigError: an unknown column, a line without a path, a choice of series without a study UID, one study on two
            lines with different choices.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(_csv_rows(stream, path) if path.suffix.lower() == ".csv" else _json_rows(stream, path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("The list of exams cannot be read.", where=str(path), next_step="It is UTF-8 text.") from error
    listed = [_checked(row, line, path) for line, row in rows]
    first: dict[str, ListedPlace] = {}
    for item in listed:
        if item.study_uid and (item.path, item.series) != (
            (same := first.setdefault(item.study_uid, item)).path,
            same.series,
        ):
            raise ConfigError(
                f"Lines {same.line} and {item.line} name the same study with other files or another choice.",
                where=str(path),
                next_step="Leave the study UID of both away to have their files put together.",
            )
    return listed


def _csv_rows(stream: Iterable[str], path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(stream, strict=True)
    try:
        for row in reader:
            texts = [text.strip() for text in (row.get("series") or "").split(";")]
            yield reader.line_num, {**row, "series": [text for text in texts if text]}
    except csv.Error as error:
        raise ConfigError(f"The list is no CSV: {error}.", where=f"{path}, line {reader.line_num}") from error


def _json_rows(stream: Iterable[str], path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ConfigError("A line of the list is not JSON.", where=f"{path}, line {number}") from error
        if not isinstance(row, dict):
            raise ConfigError("A line of the list is not a JSON object.", where=f"{path}, line {number}")
        yield number, row


def _checked(row: dict[str, Any], line: int, path: Path) -> ListedPlace:
    where = f"{path}, line {line}"
    unknown = [str(key) for key in row if key not in COLUMNS]
    if unknown:
        raise ConfigError(
            f"The list has an unknown column: {unknown[0]}.", where=where, next_step=f"Columns: {', '.join(COLUMNS)}."
        )
    place, study_uid, series = row.get("path"), row.get("study_uid") or "", row.get("series") or []
    if not (isinstance(place, str) and place.strip() and isinstance(study_uid, str)):
        raise ConfigError("A line of the list names no path.", where=where)
    if not (isinstance(series, list) and all(isinstance(text, str) for text in series)):
        raise ConfigError("series is a list of texts.", where=where)
    if series and not study_uid.strip():
        raise ConfigError("A choice of series needs the study UID beside it.", where=where)
    return ListedPlace(path.absolute().parent / place.strip(), study_uid.strip(), tuple(series), line)
