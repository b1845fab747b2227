"""The warm process behind the Slicer panel: JSON lines in, JSON lines out, one exam at a time.

Requests (stdin), one JSON object per line:
    {"id": 1, "command": "triage", "volume": FOLDER, "result": FOLDER,
     "system": null, "device": "auto", "model": null, "heatmap": null, "accept_unfamiliar": false}
    A system of null is the default one (catalog.default_system); the last two are the consensus's. An MR volume also
    has "contrast": NAME (core/mr_images.py), which the user has stated.
    {"id": 7, "command": "study", "paths": [PATH, ...], "result": FOLDER, "system", "device", "model", ... as above}
        whatever a study holds, CT or MRI: one folder below RESULT for each series that something is shown on;
        with "roles": {ROLE: UID} where the user overrules what a series of an MRI is read as
    {"id": 2, "command": "describe"}                       systems, packs, missing packages, devices
    {"id": 3, "command": "inspect", "paths": [PATH, ...]}  series of the studies on disk and which would be read;
        "roles" as above
    {"id": 4, "command": "load", "paths": [PATH, ...], "series": UID, "volume": FOLDER}  one series, pixels included
    {"id": 5, "command": "report", "exam": FOLDER, "path": FILE}  the HTML page of an exam, edited or not
    {"id": 6, "command": "export", "exam": FOLDER, "paths": [PATH, ...], "folder": FOLDER}
        the exam as DICOM objects into a new folder (docs/dicom_results.md); paths hold its own series
    {"command": "cancel"}      the run in progress ends at its next step
    {"command": "quit"}        or the end of stdin
Events (stdout): ready, progress, result, described, inspected, loaded, report, exported, cancelled, error.
FOLDERs of volumes and exams are exchange folders (core/exchange.py); that of a result also holds what a scene keeps of
it (core/exam_bundle.py).
A loaded system is kept, so the second exam starts at once.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from . import __version__
from .core.errors import Cancelled, ConfigError, NeuroTriageError


class Worker:
    """Serves requests until "quit" or the end of the input.

    Args:
        requests: lines of JSON.
        events: where events are written, one line each.
    """

    def __init__(self, requests: Iterable[str], events: TextIO) -> None:
        self._requests = requests
        self._events = events
        self._queue: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
        # Requests are numbered as they arrive; a cancel concerns all that arrived before it, also one still waiting.
        self._cancelled_up_to = 0
        self._current = 0
        self._systems: dict[tuple[Any, ...], Any] = {}

    def serve(self) -> None:
        """Answer requests one after the other; the input is read beside it so that cancel is heard at once."""
        threading.Thread(target=self._listen, daemon=True).start()
        self.emit(event="ready", version=__version__)
        while True:
            self._current, request = self._queue.get()
            if request["command"] == "quit":
                return
            self._answer(request)

    def _listen(self) -> None:
        number = 0
        for number, line in enumerate(self._requests, start=1):
            try:
                request = json.loads(line)
                command = request["command"]
            except (ValueError, TypeError, KeyError):
                request, command = {"command": "unreadable"}, "unreadable"
            if command in ("cancel", "quit"):
                self._cancelled_up_to = number
            self.heard(command)
            if command != "cancel":
                self._queue.put((number, request))
        self._cancelled_up_to = number
        self._queue.put((number + 1, {"command": "quit"}))

    def commands(self) -> dict[str, Callable[[dict[str, Any]], None]]:
        """What can be asked for, and what answers it."""
        return {
            "triage": self._triage,
            "study": self._study,
            "describe": self._describe,
            "inspect": self._inspect,
            "load": self._load,
            "report": self._report,
            "export": self._export,
        }

    def heard(self, command: str) -> None:
        """A request has arrived; called beside the work, before its turn comes."""

    def _answer(self, request: dict[str, Any]) -> None:
        run = request.get("id")
        try:
            commands = self.commands()
            if request["command"] not in commands:
                raise ConfigError(f'The worker does not know the command "{request["command"]}".')
            commands[request["command"]](request)
        except Cancelled:
            self.emit(event="cancelled", id=run)
        except NeuroTriageError as error:
            self._emit_error(run, error.what, error.where, error.next_step, error.exit_code)
        except MemoryError:
            self._emit_error(run, "The computer ran out of memory.", "", "Close other programs and run again.", 1)
        except Exception as error:  # the panel must hear of it; the process stays for the next exam
            what = f"Unexpected error in the worker: {type(error).__name__}: {error}."
            self._emit_error(run, what, "", "Please report it with the steps that led here.", 1)

    def _triage(self, request: dict[str, Any]) -> None:
        from .core.exam_bundle import write_bundle
        from .core.exchange import load_volume, save_exam
        from .core.stage_clock import StageClock
        from .mr_pipeline import triage_mr_volume
        from .pipeline import ExamContext, triage_volume

        clock = StageClock(lambda stage, fraction: self.progress(request["id"], stage, fraction))
        volume = load_volume(Path(request["volume"]))
        source, contrast = volume.source or "scene", request.get("contrast")
        reader = self._reader_of(request, "MR" if contrast else "CT")
        with clock.stage("model"):
            system = reader()
        if contrast:
            (result,) = triage_mr_volume(volume, contrast, system, path=source, clock=clock)
        else:
            result = triage_volume(volume, system, context=ExamContext(source), clock=clock)
        with clock.stage("writing"):
            save_exam(result, Path(request["result"]))
            write_bundle(Path(request["result"]))
        self.emit(event="result", id=request["id"], result=request["result"])

    def _study(self, request: dict[str, Any]) -> None:
        from .core.exam_bundle import write_bundle
        from .core.exchange import save_exam
        from .pipeline import Choices, triage_input

        paths = [Path(path) for path in request["paths"]]
        results = triage_input(
            paths[0] if len(paths) == 1 else paths,
            self._readers(request),
            Choices(roles=request.get("roles") or {}),
            progress=lambda stage, fraction: self.progress(request["id"], stage, fraction),
        )
        folders = [Path(request["result"], str(number)) for number in range(len(results))]
        for result, folder in zip(results, folders, strict=True):
            save_exam(result, folder)
            write_bundle(folder)
        self.emit(event="result", id=request["id"], results=[str(folder) for folder in folders])

    def _reader_of(self, request: dict[str, Any], modality: str) -> Any:
        """What reads one volume of a modality. Raises ConfigError when the user named a system for the other one."""
        readers = self._readers(request)
        reader = readers.mr if modality == "MR" else readers.ct
        if reader is None:
            raise ConfigError(
                f"The chosen system or model pack does not read {modality}.",
                where=str(request.get("model") or request.get("system")),
                next_step="Choose another one, or let the best that is installed read.",
            )
        return reader

    def _readers(self, request: dict[str, Any]) -> Any:
        """What may read a study: the system or pack that is named, else the default one of each modality."""
        from .catalog import MR_SYSTEM, modality_read
        from .pipeline import Readers

        modality = modality_read(request.get("system"), request.get("model"))
        if modality is None:
            return Readers(lambda: self._system(request), lambda: self._system({**request, "system": MR_SYSTEM}))
        if modality == "CT":
            return Readers(ct=lambda: self._system(request), mr=None)
        return Readers(ct=None, mr=lambda: self._system({**request, "accept_unfamiliar": False}))

    def _describe(self, request: dict[str, Any]) -> None:
        from .catalog import describe, describe_computer

        self.emit(event="described", id=request["id"], **describe(), computer=describe_computer())

    def _inspect(self, request: dict[str, Any]) -> None:
        from .study_files import inspect_studies

        self.emit(event="inspected", id=request["id"], studies=inspect_studies(request["paths"], request.get("roles")))

    def _load(self, request: dict[str, Any]) -> None:
        from .core.exchange import save_volume
        from .study_files import load_series

        volume, description = load_series(request["paths"], request["series"])
        save_volume(volume, Path(request["volume"]))
        self.emit(event="loaded", id=request["id"], volume=request["volume"], description=description)

    def _report(self, request: dict[str, Any]) -> None:
        from .core.exchange import load_exam
        from .outputs.report import replace_report

        replace_report(load_exam(Path(request["exam"])), Path(request["path"]))
        self.emit(event="report", id=request["id"], path=request["path"])

    def _export(self, request: dict[str, Any]) -> None:
        from .core.exchange import load_exam
        from .outputs.dicom_folder import write_dicom_folder
        from .study_files import source_of_volume

        exam = load_exam(Path(request["exam"]))
        source, volume = source_of_volume(request["paths"], exam.volume)
        files = write_dicom_folder(replace(exam, volume=volume), Path(request["folder"]), source)
        self.emit(event="exported", id=request["id"], folder=request["folder"], files=files)

    def _system(self, request: dict[str, Any]) -> Any:
        from .catalog import load_system, pack_in_use

        name, device, model = request.get("system"), request.get("device", "auto"), request.get("model")
        heatmap, accept = request.get("heatmap"), bool(request.get("accept_unfamiliar", False))
        pack = Path(model) if model else None
        # With the pack: a model that is accepted, or taken back, meanwhile is the one that reads the next exam.
        key = (*pack_in_use(name, pack), device, heatmap, accept)
        if key not in self._systems:
            loaded = load_system(name, pack=pack, device=device, heatmap=heatmap, accept_unfamiliar=accept)
            self._systems = {key: loaded}
        return self._systems[key]

    def progress(self, run: int, stage: str, fraction: float) -> None:
        """Tell how far a run is. Raises Cancelled when the user wants no more of it."""
        if self._current <= self._cancelled_up_to:
            raise Cancelled("The run was cancelled.")
        self.emit(event="progress", id=run, stage=stage, fraction=round(fraction, 3))

    def _emit_error(self, run: int | None, what: str, where: str, next_step: str, exit_code: int) -> None:
        self.emit(event="error", id=run, what=what, where=where, next_step=next_step, exit_code=exit_code)

    def emit(self, **event: Any) -> None:
        """Write one event."""
        self._events.write(json.dumps(event) + "\n")
        self._events.flush()


def main() -> None:
    """Serve stdin and stdout; anything else that prints goes to stderr so that the protocol stays clean."""
    events, sys.stdout = sys.stdout, sys.stderr
    Worker(sys.stdin, events).serve()


if __name__ == "__main__":
    main()
