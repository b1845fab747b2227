"""What a reader's process does: it keeps the models warm, reads one exam after the other, and ends with its node.

What decodes strangers' images can crash, hang or grow, so nothing of it happens in the node's own process.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal

from ..core.errors import ModelError, NeuroTriageError, SeriesSelectionError
from ..core.findings import ExamResult
from ..review.durable_files import sync_tree
from .exam_queue import ExamAnswer
from .first_look import FirstLook, look
from .site_config import Answer, Readers

Progress = Callable[[str, float], None]
Purpose = Literal["read", "look"]


@dataclass(frozen=True)
class ReadJob:
    """An exam to read; the results go into a new folder."""

    study_uid: str
    paths: tuple[Path, ...]
    result: Path


@dataclass(frozen=True)
class LookJob:
    """An exam to look at."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Told:
    """What a process answers: an ExamAnswer or a FirstLook, or why there is none.

    Args:
        answer: None when there is none.
        reason: why.
        unfit: the reader cannot read at all now; it is not the exam's fault.
        worn: an error has happened that may have spoiled the process (a GPU's state); it should be replaced.
    """

    answer: ExamAnswer | FirstLook | None
    reason: str = ""
    unfit: bool = False
    worn: bool = False


class UnfitReader(ModelError):
    """The model that every exam needs cannot be loaded."""


def serve(pipe: Connection, settings: Readers, purpose: Purpose) -> None:
    """Answer jobs until the pipe is closed: (stage, fraction) while a job is done, then one Told."""
    _end_with_the_node()
    _share_the_cores(settings)
    reader = ExamReader(settings)
    with suppress(NeuroTriageError):  # told when an exam needs it
        _ = reader.ct if purpose == "read" else reader.first_system
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        pipe.send(_done(reader, job, lambda stage, fraction: pipe.send((stage, fraction))))


def _done(reader: ExamReader, job: ReadJob | LookJob, progress: Progress) -> Told:
    try:
        if isinstance(job, LookJob):
            return Told(look(job.paths, lambda: reader.first_system, lambda: reader.mr))
        return Told(reader.read(job, progress))
    except UnfitReader as error:
        return Told(None, _plain(error), unfit=True)
    except NeuroTriageError as error:
        return Told(None, _plain(error))
    except BrokenPipeError:
        raise
    except MemoryError:
        return Told(None, "There was not enough memory to read it.", worn=True)
    except Exception as error:  # a bug of ours, or of a decoder: only its kind is told, it could quote the header
        return Told(None, f"An unexpected error ended the reading ({type(error).__name__}).", worn=True)


class ExamReader:
    """Reads exams as `neurotriage triage` does; each model is loaded once, when it is first needed.

    Args:
        settings: [readers] of the site's file.
    """

    def __init__(self, settings: Readers) -> None:
        self._settings = settings

    @functools.cached_property
    def ct(self) -> Any:
        """The system for head CT. Raises UnfitReader."""
        from ..catalog import load_system

        settings = self._settings
        try:
            return load_system(
                pack=settings.ct_model, device=settings.device, accept_unfamiliar=settings.accept_unfamiliar
            )
        except NeuroTriageError as error:
            raise UnfitReader(error.what, where=error.where, next_step=error.next_step) from error

    @functools.cached_property
    def mr(self) -> Any:
        """The system for brain MRI. Raises ModelError."""
        from ..catalog import MR_SYSTEM, load_system

        return load_system(MR_SYSTEM, pack=self._settings.mr_model, device=self._settings.device)

    @functools.cached_property
    def first_system(self) -> Any:
        """The system of the first look. Raises ModelError."""
        from ..catalog import load_system
        from .first_look import SYSTEM

        return load_system(SYSTEM, pack=self._settings.first_look_model, device=self._settings.device)

    def read(self, job: ReadJob, progress: Progress) -> ExamAnswer:
        """Read an exam; its results are on the disk on return.

        An exam without a series that can be read is answered too: it could not be looked at.

        Raises NeuroTriageError: it cannot be read.
        """
        from ..outputs.folder import write_outputs
        from ..pipeline import Choices, Readers, triage_input
        from ..triage_options import DicomWriter, SceneWriter
        from .review_files import write_review_files

        forms = argparse.Namespace(dicom_masks=self._settings.dicom_masks, dicom_heatmap=self._settings.dicom_heatmap)
        dicom = DicomWriter(forms)
        try:
            results = triage_input(
                job.paths,
                Readers(ct=lambda: self.ct, mr=lambda: self.mr),
                Choices(study_uid=job.study_uid),
                progress=progress,
                on_series=dicom.read_source,
            )
        except SeriesSelectionError as error:
            return ExamAnswer("could_not_look", None, (), {}, _plain(error))
        progress("writing", 0.0)
        write_scene = SceneWriter() if self._settings.scene else None
        write_outputs(results, job.result, write_scene=write_scene, write_dicom=dicom)
        write_review_files(results, job.result)
        sync_tree(job.result)
        return exam_answer(results, job.result.name)


def exam_answer(results: tuple[ExamResult, ...], folder: str) -> ExamAnswer:
    """The answer of a study as the ledger keeps it."""
    findings = [
        {
            "code": finding.code,
            "system": finding.system,
            "contrast": result.contrast,
            "status": finding.status,
            "probability": finding.probability,
            "volume_ml": finding.volume_ml,
        }
        for result in results
        for finding in result.findings
    ]
    models = {reading.model.name: reading.model.sha256 for result in results for reading in result.readings}
    reasons = sorted({finding.reason for result in results for finding in result.findings if finding.reason})
    return ExamAnswer(as_a_whole(findings), folder, tuple(findings), models, " ".join(reasons))


def as_a_whole(findings: list[dict[str, Any]] | list[Mapping[str, Any]]) -> Answer:
    """What an exam's findings say together, as the headline of the report: a single finding that nobody could look at
    changes nothing, and keeps its own status; an exam in which there are only such ones is not negative."""
    statuses = {finding["status"] for finding in findings}
    for answer in ("found", "not_found"):
        if answer in statuses:
            return answer  # type: ignore[return-value]
    return "could_not_look"


def _plain(error: NeuroTriageError) -> str:
    """The message without its place: that may be a series description, which can hold anything."""
    return f"{error.what} {error.next_step}".strip() if isinstance(error, ModelError) else error.what


def _end_with_the_node() -> None:
    """This process ends when its node does, however that ends; signals of a terminal are the node's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="node-watch", daemon=True).start()


def _share_the_cores(settings: Readers) -> None:
    import torch

    cores = os.cpu_count() or 1
    torch.set_num_threads(settings.threads or max(1, cores // settings.processes))
