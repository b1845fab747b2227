"""How fast a whole archive is read: plainly, and on a local Ray cluster with one and two workers; and what it survives.

Simulated head CTs are copied under UIDs of their own into a tree of patients, studies and series. Every way of reading
them must end with the same table. Prints a table and writes JSON.

    python Testing/Benchmarks/batch_rate.py [--exams 300] [--ways WAY ...] [--json FILE] [-- OPTIONS OF BATCH]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pydicom

from NeuroTriageLib import cli
from NeuroTriageLib.batch import ray_pool
from NeuroTriageLib.batch.folder_index import FolderIndex
from NeuroTriageLib.batch.local_pool import LocalPool
from NeuroTriageLib.batch.ray_pool import RayPool
from Testing.Benchmarks.triage_time import machine

UID_ROOT = "1.2.826.0.1.3680043.8.498.99"
COLUMNS = "exam, state, contrast, code, system, status, probability, threshold, volume_ml, doubt, agreement, error"


@dataclass(frozen=True)
class Run:
    """One way of reading the archive.

    Args:
        seconds: of the whole command, start of the workers included.
        cpu_s: of all its processes together, Ray's own too (Linux); steadier on a busy machine.
        per_hour: exams in an hour between the first and the last result.
        start_s: until the first result.
        same_table: whether its table is that of the plain run.
    """

    name: str
    seconds: float
    cpu_s: float
    per_hour: float
    start_s: float
    same_table: bool


def make_archive(folder: Path, exams: int, heads: int, matrix: int) -> None:
    """Patient / study / series, as many exams as asked for of some simulated heads."""
    with tempfile.TemporaryDirectory() as made:
        simulate = ["simulate", "ct", "-o", made, "--count", str(heads), "--seed", "990000", "--matrix", str(matrix)]
        if cli.main(simulate) != 0:
            raise SystemExit("The heads could not be simulated.")
        sources = sorted({path.parent for path in Path(made).rglob("*.dcm")})
        for number in range(exams):
            copy_exam(sources[number % len(sources)], folder / f"patient{number:05d}" / "study" / "series", number)


def copy_exam(source: Path, target: Path, number: int) -> None:
    """The files of a series under a study, series and instances of their own."""
    target.mkdir(parents=True)
    for k, path in enumerate(sorted(source.iterdir())):
        dataset = pydicom.dcmread(path)
        study = f"{UID_ROOT}.{number + 1}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.{k + 1}"
        dataset.save_as(target / path.name)


def time_index(archive: Path, folder: Path) -> dict[str, Any]:
    """Seconds of the first look at the tree, and of one that finds it unchanged."""
    files = sum(1 for path in archive.rglob("*") if path.is_file())
    seconds = []
    for _ in range(2):
        index = FolderIndex(folder / "index.sqlite", unseen=folder)
        start = time.perf_counter()
        index.look_at(archive, archive)
        seconds.append(time.perf_counter() - start)
        index.close()
    first, again = seconds
    rates = {"first_files_per_s": round(files / first), "again_files_per_s": round(files / again)}
    return {"files": files, "first_s": round(first, 3), "again_s": round(again, 3), **rates}


def table_of(out: Path) -> list[tuple[Any, ...]]:
    """The results, figures to five digits: threads may differ, and with them the last bits."""
    database = sqlite3.connect(out / "results.sqlite")
    rows = database.execute(f"SELECT {COLUMNS} FROM results ORDER BY exam, contrast, code").fetchall()
    database.close()
    return [tuple(round(value, 5) if isinstance(value, float) else value for value in row) for row in rows]


def cpu_of_descendants() -> dict[tuple[int, str], float]:
    """(process ID, start time) -> CPU seconds so far of every process below this one; {} where there is no /proc."""
    parents: dict[int, int] = {}
    found: dict[int, tuple[str, float]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()  # proc(5): 4 parent, 14 and 15 CPU ticks, 22 start
        except OSError:
            continue  # it has just ended
        pid = int(path.parent.name)
        parents[pid] = int(fields[1])
        found[pid] = (fields[19], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))

    def is_below(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == os.getpid():
                return True
        return False

    return {(pid, start): seconds for pid, (start, seconds) in found.items() if is_below(pid)}


class Watch:
    """Notes when results appear in the table of a batch, and the CPU time it takes, from a thread of its own."""

    def __init__(self, out: Path) -> None:
        self._out, self._stop = out, threading.Event()
        self.times: list[float] = []
        self._cpu: dict[tuple[int, str], float] = {}
        self._before = cpu_of_descendants()
        self._own = time.process_time()
        self._start = time.perf_counter()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            self._cpu |= cpu_of_descendants()
            self._look()

    def _look(self) -> None:
        try:
            database = sqlite3.connect(f"file:{self._out / 'results.sqlite'}?mode=ro", uri=True)
            count = database.execute("SELECT count(*) FROM answered").fetchone()[0]
            database.close()
        except sqlite3.Error:
            return  # not there yet
        self.times += [time.perf_counter() - self._start] * (count - len(self.times))

    def stop(self) -> float:
        """Look a last time; the CPU seconds of all processes."""
        self._stop.set()
        self._thread.join()
        self._look()
        children = sum(seconds - self._before.get(key, 0.0) for key, seconds in self._cpu.items())
        return children + time.process_time() - self._own


def read(name: str, archive: Path, out: Path, options: Sequence[str], wanted: list[Any] | None) -> Run:
    """Run the command here, workers in processes of their own."""
    watch = Watch(out)
    start = time.perf_counter()
    code = cli.main(["batch", str(archive), "-o", str(out), *options])
    seconds = time.perf_counter() - start
    cpu_s = watch.stop()
    if code not in (0, 1):
        raise SystemExit(f"{name} ended with code {code}.")
    first, last = watch.times[0], watch.times[-1]
    per_hour = 3600 * (len(watch.times) - 1) / max(last - first, 1e-9)
    same = wanted is None or table_of(out) == wanted
    return Run(name, round(seconds, 1), round(cpu_s, 1), round(per_hour, 1), round(first, 1), same)


def losing(pool: type[Any], kill: Callable[[Any, int], int], exam: int) -> type[Any]:
    """The pool, of which one worker is ended with SIGKILL right after it got its n-th exam."""

    class Losing(pool):  # type: ignore[misc]
        handed_out = 0

        def submit(self, slot: int, task: Any) -> None:
            super().submit(slot, task)
            Losing.handed_out += 1
            if Losing.handed_out == exam:
                os.kill(kill(self, slot), signal.SIGKILL)

    return Losing


def killed_and_resumed(archive: Path, out: Path, options: Sequence[str], exams: int) -> int:
    """End the whole command with SIGKILL when half of the exams are done; how many were done."""
    command = [sys.executable, "-m", "NeuroTriageLib.cli", "batch", str(archive), "-o", str(out), *options]
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watch = Watch(out)
    while len(watch.times) < exams // 2 and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    process.wait()
    watch.stop()
    return len(watch.times)


WAYS = ("plain 1", "plain 2", "ray 1", "ray 2", "plain killed", "ray killed", "resumed")


def measure(options: argparse.Namespace, folder: Path, save: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The chosen ways, one after the other; what is measured so far is saved after each."""
    archive, batch = folder / "archive", list(options.batch)
    make_archive(archive, options.exams, options.heads, options.matrix)
    report: dict[str, Any] = {"exams": options.exams, "index": time_index(archive, folder), "runs": []}
    middle = max(2, options.exams // 2)
    wanted = None
    for way in [WAYS[0], *(way for way in WAYS[1:] if way in options.ways)]:
        run = measured(way, archive, folder / way, batch, middle, wanted)
        wanted = wanted or table_of(folder / way)
        report["runs"].append(asdict(run))
        save(report)
    return report


def measured(way: str, archive: Path, out: Path, batch: list[str], middle: int, wanted: list[Any] | None) -> Run:
    """One way of reading the archive."""
    from NeuroTriageLib.batch import local_pool

    kind, _, how = way.partition(" ")
    cluster = ["--cluster", "local"] if kind == "ray" else []
    jobs = how if how.isdigit() else "2" if kind == "ray" else "1"
    name = f"{'Ray' if cluster else 'plain'}, {jobs} worker{'s' * (jobs != '1')}"
    if kind == "resumed":
        name = f"resumed, killed at {killed_and_resumed(archive, out, batch, 2 * middle)}"
    elif how == "killed" and cluster:
        ray_pool.RayPool = losing(RayPool, lambda pool, slot: pool.process_id(slot), middle)  # type: ignore[misc]
    elif how == "killed":
        local_pool.LocalPool = losing(LocalPool, lambda pool, slot: pool.process_ids[slot], middle)  # type: ignore[misc]
    try:
        name += ", one killed" * (how == "killed")
        return read(name, archive, out, [*batch, *cluster, "--jobs", jobs], wanted)
    finally:
        ray_pool.RayPool, local_pool.LocalPool = RayPool, LocalPool  # type: ignore[misc]


def print_report(report: dict[str, Any]) -> None:
    """The report for people."""
    about, index = report["machine"], report["index"]
    print(f"{about['processor']}, {about['cores']} cores, torch {about['torch']}, load {about['load_before']}")
    print(f"{report['exams']} exams, {index['files']} files; options: {' '.join(report['options']) or 'none'}")
    print(f"index: {index['first_files_per_s']} files/s, {index['again_files_per_s']} files/s when nothing changed\n")
    print(f"{'':<30}{'seconds':>9}{'CPU s':>8}{'exams/h':>9}{'start s':>9}  same table")
    for run in report["runs"]:
        figures = f"{run['seconds']:>9.1f}{run['cpu_s']:>8.1f}{run['per_hour']:>9.0f}{run['start_s']:>9.1f}"
        print(f"{run['name']:<30}{figures}  {'yes' if run['same_table'] else 'NO'}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exams", type=int, default=300)
    parser.add_argument("--heads", type=int, default=6, help="different simulated heads among them")
    parser.add_argument("--matrix", type=int, choices=(256, 512), default=512)
    parser.add_argument("--json", type=Path, default=Path("out/batch_rate.json"))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="beside the first, which is the measure")
    parser.add_argument("batch", nargs="*", default=["--results", "findings"], help="options of batch, after --")
    options = parser.parse_args()
    if any(way.startswith("ray") for way in options.ways):
        import ray  # noqa: F401 - now, and not after an hour
    head = {"machine": machine(), "options": options.batch}
    options.json.parent.mkdir(parents=True, exist_ok=True)

    def save(report: dict[str, Any]) -> None:
        options.json.write_text(json.dumps(head | report, indent=1), encoding="utf-8")

    with tempfile.TemporaryDirectory(prefix="batch-rate-") as folder:
        report = head | measure(options, Path(folder), save)
    print_report(report)
    print(options.json)
    if not all(run["same_table"] for run in report["runs"]):
        raise SystemExit("A table differs from that of the plain run.")


if __name__ == "__main__":
    main()
