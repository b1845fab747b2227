"""A worker that speaks the protocol and reads nothing: ``python fake_worker.py MODE``. For the panel's tests.

Modes: good, slow (waits for cancel), deaf (never answers), crash, torchless, error, noisy (prints beside the protocol),
twice (an event of an earlier run comes late).
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import made_exams  # noqa: E402
from NeuroTriageLib.core.exchange import load_volume, save_exam  # noqa: E402

STAGES = ("model", "quality", "prepare", "network", "decode", "measurements")


def emit(**event) -> None:
    print(json.dumps(event), flush=True)


def triage(request: dict, mode: str, cancelled: threading.Event) -> None:
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
        if mode in ("slow", "deaf") and stage == "network":
            emit(event="progress", id=run, stage=stage, fraction=0.5)
            while not (cancelled.is_set() and mode == "slow"):
                time.sleep(0.01)
            emit(event="cancelled", id=run)
            return
        emit(event="progress", id=run, stage=stage, fraction=1.0)
    volume = load_volume(Path(request["volume"]))
    save_exam(made_exams.exam(volume.grid, volume), Path(request["result"]))
    emit(event="result", id=run, result=request["result"])


def main() -> None:
    mode, cancelled = sys.argv[1], threading.Event()
    emit(event="ready", version="test")
    thread = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["command"] == "triage" and mode == "crash":
            triage(request, mode, cancelled)
        elif request["command"] == "triage":
            cancelled.clear()
            thread = threading.Thread(target=triage, args=(request, mode, cancelled), daemon=True)
            thread.start()
        elif request["command"] == "cancel":
            cancelled.set()


if __name__ == "__main__":
    main()
