"""A worker that speaks the protocol and reads no exam: ``python fake_worker.py MODE``. For the panel's tests.

Modes: good, weighed (three systems), unfamiliar (until it is asked to read all the same), deaf (never answers), crash,
torchless, error, noisy (prints beside the protocol), twice (an event of an earlier run comes late).
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import made_exams  # noqa: E402
from NeuroTriageLib.core.exam_bundle import write_bundle  # noqa: E402
from NeuroTriageLib.core.exchange import load_volume, save_exam  # noqa: E402
from NeuroTriageLib.worker import Worker  # noqa: E402

STAGES = ("model", "quality", "prepare", "network", "decode", "measurements")


def emit(**event) -> None:
    print(json.dumps(event), flush=True)


def triage(request: dict, mode: str) -> None:
    run = request["id"]
    if mode == "crash":
        print("free(): invalid pointer", file=sys.stderr, flush=True)
        sys.exit(139)
    if mode == "error":
        emit(event="error", id=run, what="No model is installed.", where="kuo2019", next_step="Get one.", exit_code=5)
        return
    if mode == "torchless":
        what = "Unexpected error in the worker: ModuleNotFoundError: No module named 'torch'."
        emit(event="error", id=run, what=what, where="", next_step="Please report it.", exit_code=1)
        return
    if mode == "twice":
        emit(event="result", id=run - 1, result="nowhere")
    for stage in STAGES:
        emit(event="progress", id=run, stage=stage, fraction=0.0)
        if mode == "noisy":
            print("a library that prints [1, 2]", flush=True)
        if mode == "deaf" and stage == "network":
            emit(event="progress", id=run, stage=stage, fraction=0.5)
            time.sleep(3600)
        emit(event="progress", id=run, stage=stage, fraction=1.0)
    volume = load_volume(Path(request["volume"]))
    save_exam(_answer(volume, mode, accepted=request["accept_unfamiliar"]), Path(request["result"]))
    write_bundle(Path(request["result"]))
    emit(event="result", id=run, result=request["result"])


def _answer(volume, mode: str, *, accepted: bool):
    if mode == "unfamiliar" and not accepted:
        return made_exams.unfamiliar_exam(volume.grid, volume)
    exam = (made_exams.weighed_exam if mode == "weighed" else made_exams.exam)(volume.grid, volume)
    return dataclasses.replace(exam, study_instance_uid="")  # a volume of the scene has none


def describe(request: dict, mode: str) -> None:
    packs = [{"name": "kuo2019-test"}]
    systems = [
        {"name": name, "title": f"Test of {name}", "modality": "CT", "packs": packs if name != "chang2018" else []}
        for name in ("kuo2019", "chang2018", "ye2019", "consensus")
    ]
    missing = ["torch"] if mode == "torchless" else []
    computer = {"missing_packages": missing, "devices": {} if missing else {"cpu": "CPU"}}
    emit(event="described", id=request["id"], default_system="consensus", systems=systems, computer=computer)


def main() -> None:
    mode = sys.argv[1]
    emit(event="ready", version="test")
    for line in sys.stdin:
        request = json.loads(line)
        if request["command"] in ("triage", "describe"):
            {"triage": triage, "describe": describe}[request["command"]](request, mode)
        else:  # needs no model: the real one answers
            Worker([line], sys.stdout).serve()


if __name__ == "__main__":
    main()
