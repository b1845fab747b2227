"""How fast the panel feels, on the test host with the real worker and the sample that ships.

    python Testing/Benchmarks/panel_times.py [--runs 3] [--json FILE]

Opening, the longest stall during and after a run, the start of a second run, Cancel until the process is gone. Clock
and processor time of the interface's thread side by side: on a busy machine the first grows, the second hardly.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "NeuroTriage"), str(ROOT / "Testing" / "Host"), str(ROOT / "Testing" / "Panel")]
RUN_S = 600


def measure(runs: int) -> dict[str, dict[str, list[float]]]:
    """Figure -> "clock" and "thread": seconds of each repetition; Cancel and starts have the clock alone."""
    figures = {"opening the panel": _opening()}
    from panel_on_host import wait_until
    from scene_worker_limits import lives, run, with_sample

    widget = with_sample()
    for _ in range(runs):
        _add(figures, "longest stall of a run", *_stall(lambda: run(widget), widget))
    for _ in range(runs):
        started = time.monotonic()
        widget.ui.runButton.click()
        wait_until(lambda: widget.ui.stageLabel.text != "Starting")
        _add(figures, "start of a further run", time.monotonic() - started)
        wait_until(lambda: widget.ui.stageLabel.text == "Looking for blood", RUN_S)
        process, clicked = widget.panel.run.worker.process_id, time.monotonic()
        widget.ui.runButton.click()
        wait_until(lambda process=process: not lives(process), 60)
        _add(figures, "Cancel until the process is gone", time.monotonic() - clicked)
        run(widget)  # the new process is warm again before the next start is measured
    return figures


def _opening() -> dict[str, list[float]]:
    from panel_on_host import panel

    clock, thread = time.monotonic(), time.thread_time()
    panel(grid_name="")
    return {"clock": [time.monotonic() - clock], "thread": [time.thread_time() - thread]}


def _stall(run, widget) -> tuple[float, float]:
    from panel_on_host import wait_for, wait_until
    from stall_watch import StallWatch

    watch = StallWatch()
    run()
    wait_until(lambda: widget.panel.measure.measured, 60)
    wait_for(0.5)
    return watch.longest()


def _add(figures: dict, name: str, clock: float, thread: float | None = None) -> None:
    kept = figures.setdefault(name, {"clock": [], "thread": []})
    kept["clock"].append(clock)
    if thread is not None:
        kept["thread"].append(thread)


def _print(figures: dict) -> None:
    print(f"{'':36} {'clock':>8} {'thread':>8}   s, median; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, kinds in figures.items():
        cells = [f"{statistics.median(values):8.3f}" if values else f"{'':8}" for values in kinds.values()]
        print(f"{name:36} {' '.join(cells)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    from slicer_host import application

    with tempfile.TemporaryDirectory() as folder:
        application.start(Path(folder))
        figures = measure(options.runs)
    _print(figures)
    if options.json:
        machine = {"processor": platform.processor(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
        options.json.write_text(json.dumps({"machine": machine, "seconds": figures}, indent=1))


if __name__ == "__main__":
    from slicer_host.application import run_and_leave

    run_and_leave(main)
