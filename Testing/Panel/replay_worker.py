"""A worker that answers every request with a result made before: ``python replay_worker.py RESULT_FOLDER SECONDS``."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

STAGES = ("model", "quality", "prepare", "network", "decode", "measurements")


def emit(**event) -> None:
    print(json.dumps(event), flush=True)


def main() -> None:
    emit(event="ready", version="replay")
    for line in sys.stdin:
        request = json.loads(line)
        if request["command"] == "describe":
            computer = {"missing_packages": [], "devices": {"cpu": "CPU"}}
            system = json.loads(Path(sys.argv[1], "exam.json").read_text(encoding="utf-8"))["readings"][0]["system"]
            systems = [{"name": system, "title": "", "modality": "CT", "packs": [{}]}]
            emit(event="described", id=request["id"], default_system=system, systems=systems, computer=computer)
        if request["command"] != "triage":
            continue
        for stage in STAGES:
            for step in range(5):
                emit(event="progress", id=request["id"], stage=stage, fraction=step / 4)
                time.sleep(float(sys.argv[2]) / (5 * len(STAGES)))
        shutil.copytree(sys.argv[1], request["result"])
        emit(event="result", id=request["id"], result=request["result"])


if __name__ == "__main__":
    main()
