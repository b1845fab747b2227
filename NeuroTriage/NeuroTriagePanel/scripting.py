"""For scripts: load a study from disk, read a volume, and wait; the worker does the work in a process of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import slicer

from NeuroTriageLib.core.errors import ModelError, NeuroTriageError, SeriesSelectionError
from NeuroTriageLib.core.exchange import load_volume
from NeuroTriageLib.core.pauses import without_pauses

from .exam_run import ExamRun, RunChoices
from .result_nodes import add_ct_node
from .review import Review
from .subject_tree import Subject, place_in_study
from .worker_client import WorkerClient, WorkerCommand

_WAIT_MS = 100


def read_volume(
    volume_node: slicer.vtkMRMLScalarVolumeNode, choices: RunChoices | None = None, command: WorkerCommand | None = None
) -> Review:
    """Read a volume in a process of its own and show the answer in the scene; returns when it is there.

    Args:
        volume_node: a non-contrast head CT.
        choices: system, device, model pack; the defaults when None.
        command: how to start the worker; None is the library's own.

    Raises:
        NeuroTriageError: the volume cannot be read, a package or model is missing, the process ended.
    """
    run = ExamRun(volume_node)
    try:
        with _Conversation(command) as worker:
            event = worker.ask(**run.request(1, choices or RunChoices()))
        return without_pauses(run.show_pausing(event))
    finally:
        run.discard()


def load_study(
    path: str, series_uid: str | None = None, command: WorkerCommand | None = None
) -> slicer.vtkMRMLScalarVolumeNode:
    """Load the head CT of a study on disk with its true geometry: a new volume node in the scene.

    Args:
        path: DICOM folder, zip, NIfTI or NRRD file.
        series_uid: which series; None takes the one that the rules choose.
        command: how to start the worker; None is the library's own.

    Raises:
        NeuroTriageError: it cannot be read, or holds no suitable series and none was named.
    """
    with _Conversation(command) as worker, tempfile.TemporaryDirectory(prefix="neurotriage-") as folder:
        studies = worker.ask(id=1, command="inspect", paths=[path])["studies"]
        study, series = _chosen(studies, series_uid)
        uid = series["series_instance_uid"]
        worker.ask(id=2, command="load", paths=series["files"], series=uid, volume=folder)
        volume = load_volume(Path(folder))
    node = add_ct_node(volume, series["description"] or "Head CT")
    keys = ("study_instance_uid", "patient_key", "study_date")
    place_in_study(node, Subject(series_instance_uid=uid, **{key: study[key] for key in keys}))
    return node


def _chosen(studies: list[dict], series_uid: str | None) -> tuple[dict, dict]:
    """The study and series that are meant, the first suitable one when none is named."""
    for study in studies:
        for series in study["series"]:
            if series["chosen"] if series_uid is None else series["series_instance_uid"] == series_uid:
                return study, series
    raise SeriesSelectionError(
        "No series in the input is a non-contrast axial head CT." if series_uid is None else "There is no such series.",
        next_step="Name a series by its UID.",
    )


class _Conversation:
    """One worker process that is asked and waited for."""

    def __init__(self, command: WorkerCommand | None) -> None:
        self._client = WorkerClient(self._on_event, self._on_ended, command)
        self._event: dict | None = None

    def __enter__(self) -> _Conversation:
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self._client.stop()

    def ask(self, **request) -> dict:
        """Send a request and wait for its answer. Raises NeuroTriageError when that is an error."""
        self._event = None
        self._client.send(**request)
        while self._event is None:
            self._client.wait(_WAIT_MS)
            slicer.app.processEvents()
        if self._event["event"] == "error":
            raise _as_error(self._event)
        return self._event

    def _on_event(self, event: dict) -> None:
        if event["event"] not in ("ready", "progress"):
            self._event = event

    def _on_ended(self, what: str, stderr: str) -> None:
        last_line = stderr.strip().splitlines()[-1] if stderr.strip() else ""
        self._event = {"event": "error", "what": what, "where": last_line, "next_step": ""}


def _as_error(event: dict) -> NeuroTriageError:
    kind = ModelError if event.get("exit_code") == ModelError.exit_code else NeuroTriageError
    return kind(event["what"], where=event["where"], next_step=event["next_step"])
