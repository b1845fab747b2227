"""What a batch reads: a folder tree, a list or a DICOMweb server, each as the exams in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import ConfigError
from .dicomweb import ServerAccess, list_studies
from .exam_task import ExamTask
from .folder_index import FolderIndex
from .source_manifest import ENDINGS, read_list

INDEX_FILE = "index.sqlite"

Seen = Callable[[int], None]
"""Called with how many folders or studies have been found so far."""


@dataclass
class ExamSource:
    """The exams of a source; an index of folders stays open until close.

    Args:
        listed: exams that need no index, by key.
        index: of folders; None without any.
    """

    listed: dict[str, ExamTask] = field(default_factory=dict)
    index: FolderIndex | None = None

    def keys(self) -> set[str]:
        """The names of all exams."""
        return set(self.listed) | (set() if self.index is None else self.index.keys())

    def tasks(self) -> Iterator[ExamTask]:
        """The exams; one that is both listed and found in a folder comes once, as listed."""
        yield from self.listed.values()
        if self.index is not None:
            yield from (task for task in self.index.tasks() if task.key not in self.listed)

    def close(self) -> None:
        """Close the index."""
        if self.index is not None:
            self.index.close()


def is_url(source: str) -> bool:
    """True for a DICOMweb server."""
    return source.lower().startswith(("http://", "https://"))


def list_folders(source: Path, out: Path, on_seen: Seen) -> ExamSource:
    """The exams of a folder tree, a zip or an image file. Raises InputError when it does not exist."""
    index = FolderIndex(out / INDEX_FILE, unseen=out)
    found = ExamSource(index=index)
    try:
        index.look_at(source, source if source.is_dir() else source.parent, on_seen)
    except BaseException:
        found.close()
        raise
    return found


def list_manifest(path: Path, out: Path, on_seen: Seen) -> ExamSource:
    """The exams of a list. Raises what read_list raises, and InputError when a path without study UID is not there."""
    lines = read_list(path)
    found = ExamSource(listed={(task := line.task()).key: task for line in lines if line.study_uid})
    unknown = [line for line in lines if not line.study_uid]
    if unknown:
        found.index = FolderIndex(out / INDEX_FILE, unseen=out)
        try:
            for line in unknown:
                found.index.look_at(line.path, path.absolute().parent, on_seen)
        except BaseException:
            found.close()
            raise
    return found


def list_server(server: ServerAccess, filters: Mapping[str, str], on_seen: Seen) -> ExamSource:
    """The exams of a DICOMweb server. Raises InputError when it does not answer."""
    return ExamSource(listed={task.key: task for task in list_studies(server, filters, on_seen)})


def open_source(
    source: str, out: Path, server: ServerAccess | None, filters: Sequence[str], on_seen: Seen
) -> ExamSource:
    """The exams of whatever the source is.

    Args:
        source: URL, list, or path.
        out: output folder, which exists; the index lies in it.
        server: how to reach the URL; None for anything else.
        filters: KEYWORD=VALUE, what a server is asked for.
        on_seen: hears how far it is.

    Raises:
        ConfigError: a filter without a server, or that is none.
        InputError: the source does not exist or does not answer.
    """
    if server is not None:
        return list_server(server, _filters(filters), on_seen)
    if filters:
        raise ConfigError("Only a DICOMweb server can be queried.", where=f"--query {filters[0]}")
    path = Path(source)
    if path.suffix.lower() in ENDINGS and path.is_file():
        return list_manifest(path, out, on_seen)
    return list_folders(path, out, on_seen)


def _filters(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        keyword, equals, value = text.partition("=")
        if not (keyword and equals and value):
            raise ConfigError("A query is KEYWORD=VALUE, as StudyDate=20240101-20241231.", where=f"--query {text}")
        found[keyword] = value
    return found
