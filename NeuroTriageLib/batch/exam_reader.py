"""What a worker does with one exam: fetch it, read it, write its results, and say how it ended."""

from __future__ import annotations

import argparse
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

from ..core.errors import ModelError, NeuroTriageError, OutputError, SeriesSelectionError
from ..outputs.findings_json import findings_document, write_findings_json
from ..outputs.folder import write_outputs
from ..outputs.result_files import FINDINGS_FILE
from ..pipeline import Readers, triage_input
from ..triage_options import DicomWriter, SceneWriter, choices_of, readers_of
from .dicomweb import ServerAccess, fetched_study
from .exam_task import ExamTask
from .outcome import ExamOutcome, State, finding_rows
from .result_store import ResultStore

EXAMS_AT_ONCE = 2
"""Exams in one worker: while one is in the network, the next is read and decoded or the last is written."""

MAX_REASON = 600
"""Characters of a failure's reason that the table keeps (ours)."""


@dataclass(frozen=True)
class ReaderSettings:
    """What a worker needs to know; it crosses to other processes and machines as JSON.

    Args:
        options: of the command, as plain values (triage_options.add_reading_arguments and add_writing_arguments).
        out: absolute path of the output folder.
        model_hash: of what reads.
        threads: CPU threads of the network.
        server: where exams without files are fetched; None without one.
    """

    options: dict[str, Any]
    out: str
    model_hash: str
    threads: int
    server: ServerAccess | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values; they may hold credentials."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of to_json."""
        server = values["server"]
        return cls(**{**values, "server": None if server is None else ServerAccess(**server)})


class ExamReader:
    """Warm systems that read one exam after the other; up to EXAMS_AT_ONCE threads may call read.

    Args:
        settings: what to read with, and where results go.

    Raises:
        ConfigError, ModelError: the systems cannot be loaded at all.
    """

    def __init__(self, settings: ReaderSettings) -> None:
        import torch

        torch.set_num_threads(settings.threads)
        self._settings = settings
        self._options = argparse.Namespace(**settings.options)
        self._store = ResultStore(Path(settings.out), settings.model_hash)
        self._unloadable: set[str] = set()  # why a system is not here
        self._readers = self._in_turn(readers_of(self._options))
        if self._readers.ct is not None:
            try:
                self._readers.ct()  # warm before the first exam comes
            except ModelError:
                if self._options.system or self._options.model or self._readers.mr is None:
                    raise

    def read(self, task: ExamTask) -> ExamOutcome:
        """Read one exam and publish its results; whatever goes wrong is told in the outcome.

        Results that are there already, because a batch was killed before it heard of them, are not made again.
        """
        start = time.perf_counter()
        try:
            found = self._store.document(task.key)
            if found is not None:
                return ExamOutcome(task.key, "answered", finding_rows(found))
            document, remark = self._answer(task)
            seconds = round(time.perf_counter() - start, 3)
            return ExamOutcome(task.key, "answered", finding_rows(document), seconds, remark=remark)
        except SeriesSelectionError as error:
            return _unanswered(task, "not_suitable", _pathless(error))
        except ModelError as error:
            state: State = "not_suitable" if error.what in self._unloadable else "failed"
            return _unanswered(task, state, _pathless(error))
        except OutputError as error:
            return replace(_unanswered(task, "failed", error.message()), ends_batch=True)
        except NeuroTriageError as error:
            return _unanswered(task, "failed", f"{type(error).__name__}: {_pathless(error)}")
        except MemoryError:
            return _unanswered(task, "failed", "MemoryError: The computer ran out of memory. Use fewer --jobs.")
        except Exception as error:  # one exam's bug must not cost the others
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = f"Unexpected error: {type(error).__name__} in {Path(place.filename).name}, line {place.lineno}."
            return _unanswered(task, "failed", f"{what} Please report it.")

    def _answer(self, task: ExamTask) -> tuple[dict[str, Any], str]:
        """The exam's findings.json, published, and a remark."""
        options = argparse.Namespace(
            **{**vars(self._options), "study": task.study_uid or None, "series": list(task.series)}
        )
        dicom = DicomWriter(options) if options.dicom and options.results == "all" else None
        with self._input(task) as source:
            results = triage_input(
                source, self._readers, choices_of(options), on_series=None if dicom is None else dicom.read_source
            )
        results = tuple(replace(result, input=task.key) for result in results)  # a path may name a patient
        scene = SceneWriter()

        def write(folder: Path) -> None:
            if options.results == "findings":
                folder.mkdir()
                write_findings_json(results, folder / FINDINGS_FILE)
            else:
                write_scene = None if options.no_scene else scene
                write_outputs(results, folder, write_scene=write_scene, write_dicom=dicom)

        self._store.publish(task.key, write)
        remark = "" if scene.error is None else f"scene.mrb was not written: {scene.error.what}"
        return findings_document(results), remark

    @contextmanager
    def _input(self, task: ExamTask) -> Iterator[Path | list[Path]]:
        """The exam's files, or its one archive; a study that is fetched is removed at the end."""
        if self._settings.server is not None:
            with fetched_study(self._settings.server, task.study_uid) as folder:
                yield folder
            return
        files = [path for place in task.places for path in place.files()]
        yield files[0] if len(files) == 1 else files

    def _in_turn(self, readers: Readers) -> Readers:
        """Readers that load their system once, and whose systems read one exam at a time."""
        turn, loading = threading.Lock(), threading.Lock()

        def warm(load: Callable[[], Any] | None) -> Callable[[], Any] | None:
            if load is None:
                return None
            once = cache(lambda: _InTurn(load(), turn))

            def reader() -> Any:
                with loading:
                    try:
                        return once()
                    except ModelError as error:
                        self._unloadable.add(error.what)
                        raise

            return reader

        return Readers(ct=warm(readers.ct), mr=warm(readers.mr))


def _pathless(error: NeuroTriageError) -> str:
    """The message without a path, which may hold a patient's name; that of a file is always absolute here."""
    where = "" if Path(error.where).is_absolute() else error.where
    return NeuroTriageError(error.what, where=where, next_step=error.next_step).message()


def _unanswered(task: ExamTask, state: State, reason: str) -> ExamOutcome:
    return ExamOutcome(task.key, state, error=" ".join(reason.split())[:MAX_REASON])


class _InTurn:
    """A system that waits until no other exam is in a network of this process."""

    def __init__(self, system: Any, turn: threading.Lock) -> None:
        self._system, self._turn = system, turn

    def read(self, *args: Any, **options: Any) -> Any:
        with self._turn:
            return self._system.read(*args, **options)

    def read_study(self, *args: Any, **options: Any) -> Any:
        with self._turn:
            return self._system.read_study(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)
