"""The process behind the panel's section Improve: learns from signed masks, compares, accepts, goes back.

It speaks the worker's protocol (worker.py) with requests of its own, at low priority and on all cores but one, so that
the computer stays usable. Requests (stdin), one JSON object per line:
    {"id": 1, "command": "status", "system": NAME, "store": FOLDER or ""}
    {"id": 2, "command": "improve", "system": NAME, "store": FOLDER, "images": FOLDER, "maps": FOLDER or "phantom",
     "minutes": N, "exams": N, "validation": N, "compared": N}
        exams: simulated ones beside the signed ones; validation and compared: simulated ones for these steps
    {"command": "pause"}, {"command": "resume"}       training waits after its present step, and goes on
    {"id": 3, "command": "accept", "pack": FOLDER, "reader": "auto", "despite": ""}
    {"id": 4, "command": "back", "system": NAME}
    {"command": "cancel"}, {"command": "quit"}        what was learned until the last checkpoint stays; the same
                                                      request goes on from there
Events (stdout): ready, status, progress, curves, compared, accepted, back, cancelled, error.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .core.errors import InputError
from .core.user_data import user_data_folder
from .worker import Worker

CHECKPOINT_MINUTES = 0.25  # what a kill may cost (ours)
VALIDATIONS = 5  # per run (ours)
SHOWN_EXAMS = 12  # exams of a comparison that are sent, those that changed most (ours)
PAUSE_POLL_S = 0.2
_WINDOWS_BELOW_NORMAL = 0x4000  # BELOW_NORMAL_PRIORITY_CLASS of SetPriorityClass


class Improver(Worker):
    """Serves the requests above; made with Worker's arguments."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._goes_on = threading.Event()
        self._goes_on.set()

    def commands(self) -> dict[str, Callable[[dict[str, Any]], None]]:
        """What can be asked for."""
        ignored = dict.fromkeys(("pause", "resume"), lambda request: None)  # heard already
        return {
            "status": self._status,
            "improve": self._improve,
            "accept": self._accept,
            "back": self._back,
            **ignored,
        }

    def heard(self, command: str) -> None:
        """Pausing works while a run is in progress."""
        if command == "pause":
            self._goes_on.clear()
        elif command in ("resume", "cancel", "quit"):
            self._goes_on.set()

    def _status(self, request: dict[str, Any]) -> None:
        self.emit(event="status", id=request["id"], **status_of(request["system"], request.get("store") or ""))

    def _improve(self, request: dict[str, Any]) -> None:
        pack = self._train(request)
        comparison, kept = self._compare(request, pack)
        self.emit(event="compared", id=request["id"], pack=str(pack), kept=str(kept), **comparison)

    def _train(self, request: dict[str, Any]) -> Path:
        """The new pack; the same request goes on where it was."""
        from .catalog import find_pack, modality_of
        from .datasets.label_store import store_source
        from .simulation.phantom_heads import heads_folder, maps_named
        from .training.registry import TRAINED_SYSTEMS
        from .training.rehearsal import FINE_TUNING_SPLIT
        from .training.training_run import TrainOptions

        run, minutes = request["id"], float(request["minutes"])
        self.progress(run, "looking at the signed exams", 0.0)
        start = find_pack(request["system"])
        out = run_folder(request, start)
        options = TrainOptions(
            simulate=maps_named(request["maps"]),
            out=out,
            minutes=minutes,
            exams=int(request["exams"]),
            validation_exams=int(request["validation"]),
            threads=max(1, (os.cpu_count() or 2) - 1),
            checkpoint_minutes=CHECKPOINT_MINUTES,
            validate_minutes=minutes / VALIDATIONS,
            report_seconds=1.0,
            sources=(store_source(Path(request["store"]), Path(request["images"]), modality_of(request["system"])),),
            split=FINE_TUNING_SPLIT,
            start=start,
            heads=heads_folder(),
        )
        return TRAINED_SYSTEMS[request["system"]]()(options, lambda line: self._hear_training(run, line, out, minutes))

    def _hear_training(self, run: int, line: str, out: Path, minutes: float) -> None:
        """A line of the training's report: the place where it can be paused and cancelled."""
        left = re.search(r"([\d.]+) min left", line)
        if (curves := curves_of(out)) is not None:
            self.emit(event="curves", id=run, **curves)
        self._wait_while_paused(run, line, 0.0 if left is None else 1.0 - min(1.0, float(left[1]) / minutes))

    def _wait_while_paused(self, run: int, stage: str, fraction: float) -> None:
        """Tell how far it is, and wait while the user wants that. Raises Cancelled."""
        self.progress(run, stage, fraction)
        while not self._goes_on.wait(PAUSE_POLL_S):
            self.progress(run, "paused", fraction)

    def _compare(self, request: dict[str, Any], pack: Path) -> tuple[dict[str, Any], Path]:
        from .catalog import find_pack, modality_of
        from .datasets.label_store import store_source
        from .io.model_packs import read_manifest
        from .model_comparison.command import compare_packs, keep
        from .model_comparison.held_out import local_cases, need_exams, simulated_cases, splits_of
        from .model_comparison.tables import change
        from .model_registry import ModelRegistry

        old = find_pack(request["system"])
        splits = splits_of([read_manifest(pack), read_manifest(old)], None)
        modality, count = modality_of(request["system"]), int(request["compared"])
        sources = (store_source(Path(request["store"]), Path(request["images"]), modality),)
        simulated = simulated_cases(request["maps"], count, modality=modality)
        sets = [local_cases(sources, splits, modality), simulated]
        need_exams(sets)
        comparison = compare_packs(
            pack,
            old,
            sets,
            lambda stage, fraction: self._wait_while_paused(request["id"], stage, fraction),
            keep_in=pack.parent / "compared",
        )
        document = comparison.to_json()
        for name, rows in document["exams"].items():
            document["exams"][name] = sorted(rows, key=change, reverse=True)[:SHOWN_EXAMS]
        return document, keep(ModelRegistry(), comparison)

    def _accept(self, request: dict[str, Any]) -> None:
        from .model_comparison.acceptance import accept_model
        from .model_registry import ModelRegistry

        _, lines = accept_model(
            ModelRegistry(), Path(request["pack"]), reader=request["reader"], despite=request["despite"]
        )
        self.emit(event="accepted", id=request["id"], lines=list(lines))

    def _back(self, request: dict[str, Any]) -> None:
        from .model_comparison.command import go_back
        from .model_registry import ModelRegistry

        self.emit(event="back", id=request["id"], lines=list(go_back(ModelRegistry(), request["system"])))


def status_of(system: str, store: str) -> dict[str, Any]:
    """Plain values: the model in use, whether one can go back, how many exams are signed and would train."""
    from .catalog import default_system, describe
    from .model_registry import ModelRegistry

    in_use = next(entry["in_use"] for entry in describe()["systems"] if entry["name"] == system)
    accepted = ModelRegistry().current(system)
    counts = {"signed": 0, "train": 0, "validation": 0, "test": 0} | _signed(store, system)
    return {"in_use": in_use, "reader": default_system(), "can_go_back": accepted is not None, **counts}


def _signed(store: str, system: str) -> dict[str, int]:
    from .catalog import modality_of
    from .datasets.label_store import approved_labels, label_patient, open_store
    from .training.rehearsal import FINE_TUNING_SPLIT

    try:
        labels = approved_labels(open_store(Path(store)), modality_of(system)) if store else ()
    except InputError:
        return {}  # a folder in which nothing was saved yet
    counts = {"signed": len(labels)}
    for label in labels:
        part = FINE_TUNING_SPLIT.part_of(label_patient(label))
        counts[part] = counts.get(part, 0) + 1
    return counts


def run_folder(request: dict[str, Any], start: Path) -> Path:
    """Where a run keeps its checkpoint: the same for the same model, labels and wishes, so that it goes on."""
    from .catalog import modality_of
    from .datasets.label_store import approved_labels, open_store
    from .io.model_packs import pack_digest, read_manifest

    labels = approved_labels(open_store(Path(request["store"])), modality_of(request["system"]))
    wishes = [request[name] for name in ("system", "maps", "minutes", "exams", "validation")]
    said = [pack_digest(read_manifest(start)), *map(str, wishes)]
    said += [f"{label.case_id} {label.version.number} {label.version.mask_sha256}" for label in labels]
    digest = hashlib.sha256("\n".join(said).encode()).hexdigest()
    return user_data_folder() / "improvement" / f"{request['system']}-{digest[:16]}"


def curves_of(out: Path) -> dict[str, Any] | None:
    """Losses and validations so far, from what the run writes with each checkpoint; None before the first one.

    Losses are those of the present stage: a stage with more terms has a higher loss, which is no worse model.
    """
    written = _rows(out / "curves.csv")
    losses = [[int(row["step"]), sum(_values(row, "_loss"))] for row in written if row["stage"] == written[-1]["stage"]]
    rows = _rows(out / "validation.csv")
    validations = [[int(row["step"]), _validated(row, "dice"), _validated(row, "auc")] for row in rows]
    return {"losses": losses, "validations": validations} if losses else None


def _values(row: dict[str, str], ending: str) -> list[float]:
    return [float(value) for name, value in row.items() if name.endswith(ending) and value]


def _validated(row: dict[str, str], kind: str) -> float | None:
    """That of any hemorrhage; on brain MRI that of the finding whose network is trained."""
    found = {name: float(value) for name, value in row.items() if name.startswith(f"{kind}_") and value}
    return found.get(f"{kind}_any", next(iter(found.values()), None))


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def lower_priority() -> None:
    """Other programs of this computer come first."""
    if sys.platform == "win32":
        import ctypes

        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), _WINDOWS_BELOW_NORMAL)
    else:
        os.nice(10)


def main() -> None:
    """Serve stdin and stdout; anything else that prints goes to stderr so that the protocol stays clean."""
    lower_priority()
    events, sys.stdout = sys.stdout, sys.stderr
    Improver(sys.stdin, events).serve()


if __name__ == "__main__":
    main()
