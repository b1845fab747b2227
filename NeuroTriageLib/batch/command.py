"""The batch itself: list, filter, read, write the tables."""

from __future__ import annotations

import argparse
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..core.errors import ConfigError, OutputError, no_rights, output_error
from .dicomweb import ServerAccess, read_credentials
from .dispatcher import Dispatcher
from .exam_sources import ExamSource, is_url, open_source
from .model_identity import model_identity
from .outcome import ExamOutcome
from .progress import BatchProgress
from .result_store import ResultStore
from .results_database import DATABASE_FILE, FAILURES_FILE, RESULTS_FILE, ResultsDatabase
from .worker_pool import WorkerPool

LOCK_FILE = "lock.sqlite"
_WORKER_OPTIONS = (
    *("system", "device", "model", "contrasts", "heatmap", "accept_unfamiliar", "threshold"),
    *("results", "no_scene", "dicom", "dicom_masks", "dicom_heatmap"),
)

Report = Callable[[Literal["looking", "reading"], str], None]
"""Called with the part of the work and one line about it, about every second."""


@dataclass(frozen=True)
class BatchSummary:
    """How a run ended.

    Args:
        line: counts.
        failed: exams that failed, now or before.
        written: the tables.
    """

    line: str
    failed: int
    written: tuple[Path, ...]


def run_batch(options: argparse.Namespace, report: Report) -> BatchSummary:
    """Read every exam of the source that has no answer yet, and write the tables.

    However it ends, what was answered stays answered, and the tables tell of it.

    Raises:
        ConfigError, ModelError, InputError: before the first exam.
        OutputError, NeuroTriageError: what concerns every exam; start again to go on.
    """
    if (options.jobs is not None and options.jobs < 1) or options.limit <= 0:
        raise ConfigError("--jobs and --limit must be positive.")
    server = ServerAccess(options.source, read_credentials(options.credentials)) if is_url(options.source) else None
    model_hash, description = model_identity(options)
    out = options.output
    with _locked(out):
        store = ResultStore(out, model_hash)
        store.remove_unfinished()
        seen = lambda count: report("looking", f"{count} {'studies' if server else 'folders'} looked at")  # noqa: E731
        with (
            closing(ResultsDatabase(out, model_hash, description)) as results,
            closing(open_source(options.source, out, server, options.query, seen)) as source,
        ):
            try:
                progress = _read(options, source, results, _Reading(model_hash, server, report))
            finally:
                store.remove_unfinished()
                results.write_tables()
            failed = sum(state == "failed" for state in results.states().values())
    names = (DATABASE_FILE, RESULTS_FILE, FAILURES_FILE)
    return BatchSummary(progress.line(), failed, tuple(out / name for name in names))


@dataclass(frozen=True)
class _Reading:
    """What goes from the command to its workers."""

    model_hash: str
    server: ServerAccess | None
    report: Report


def _read(
    options: argparse.Namespace, source: ExamSource, results: ResultsDatabase, reading: _Reading
) -> BatchProgress:
    """Read what is open."""
    states = results.states()
    closed = {key for key, state in states.items() if state != "failed" or not options.retry_failed}
    keys = source.keys()
    progress = BatchProgress(len(keys), len(keys & closed))
    if progress.done == progress.total:
        return progress

    def keep(outcome: ExamOutcome) -> None:
        results.keep(outcome)
        progress.add(outcome.state)

    with closing(_pool(options, reading, progress.total - progress.done)) as pool:
        dispatcher = Dispatcher(
            pool,
            keep,
            exams_at_once=_exams_at_once(),
            limit_s=60 * options.limit,
            keep_going=options.keep_going,
            on_tick=lambda: reading.report("reading", progress.line()),
        )
        dispatcher.run(task for task in source.tasks() if task.key not in closed)
    return progress


def _exams_at_once() -> int:
    from .exam_reader import EXAMS_AT_ONCE

    return EXAMS_AT_ONCE


def _pool(options: argparse.Namespace, reading: _Reading, exams: int) -> WorkerPool:
    """The workers that the options ask for, never more than there are exams."""
    if options.cluster is not None:
        from .ray_pool import RayPool, join_cluster

        jobs, share = join_cluster(options.cluster, options.device, options.jobs)
        return RayPool(_settings(options, reading, share.cpus), min(jobs, exams), share)
    from .local_pool import LocalPool

    gpus = _gpus() if options.device != "cpu" else ()
    jobs = min(options.jobs or len(gpus) or 1, exams)
    return LocalPool(_settings(options, reading, max(1, _cores() // jobs)), jobs, gpus)


def _settings(options: argparse.Namespace, reading: _Reading, threads: int) -> Any:
    from .exam_reader import ReaderSettings

    values = {name: getattr(options, name) for name in _WORKER_OPTIONS}
    model = values["model"]
    if model is not None:  # the name of a pack that ships stays a name
        values["model"] = str(model.absolute() if model.exists() else model)
    return ReaderSettings(values, str(options.output.absolute()), reading.model_hash, threads, reading.server)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus() -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES is to hold for each GPU that torch sees."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]
    return tuple(names[: torch.cuda.device_count()])


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Keep a second batch out of the folder. The lock is the operating system's, and ends with this process."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, out) from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise no_rights(out)
    lock = sqlite3.connect(out / LOCK_FILE, timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        raise OutputError(
            "Another batch is writing into this folder.", where=str(out), next_step="Wait for it, or end it."
        ) from error
    try:
        yield
    finally:
        lock.close()
