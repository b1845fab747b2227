"""Simulates exams from head label maps, lets a system read them, and prints the tables of agreement with the truth.

Each exam is kept as one line of OUTPUT/exams.jsonl as soon as it is done, so a run that was stopped goes on where it
was. Every second exam holds hemorrhage; exam n uses seed FIRST_SEED + n and the label maps in turn.

    python Testing/Benchmarks/evaluate_simulated.py MAPS -o out/evaluation --exams 200 --processes 2
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.evaluation.exam_records import ExamRecord, ExamSource, append_record, read_records, record_exam
from NeuroTriageLib.evaluation.tables import evaluation_tables
from NeuroTriageLib.measurements.abc2 import ABC2_CODES, measure_abc2
from NeuroTriageLib.measurements.components import find_components
from NeuroTriageLib.measurements.findings import measure
from NeuroTriageLib.simulation.anatomy import load_anatomy
from NeuroTriageLib.simulation.head_ct import HeadCtSettings, simulate_head_ct

LABEL_MAP_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
RECORDS_FILE = "exams.jsonl"


@dataclass(frozen=True)
class Job:
    """One exam to make and read.

    Args:
        exam: unique name, also the key for going on after a stop.
        label_map: head to start from.
        seed: of the simulation.
        positive: with or without hemorrhage.
        matrix: rows and columns, 256 or 512.
    """

    exam: str
    label_map: Path
    seed: int
    positive: bool
    matrix: int


@dataclass(frozen=True)
class Reader:
    """How the system is loaded: in each process once."""

    system: str
    pack: Path | None
    device: str
    threads: int


def plan(label_maps: Sequence[Path], *, exams: int, first_seed: int, matrix: int) -> list[Job]:
    """The exams in their order: maps in turn, every second one positive within each map."""
    jobs = []
    for number in range(exams):
        label_map = label_maps[number % len(label_maps)]
        positive = (number // len(label_maps)) % 2 == 0
        seed = first_seed + number
        jobs.append(Job(f"{_stem(label_map)}-{matrix}-{seed}", label_map, seed, positive, matrix))
    return jobs


def evaluate_exam(job: Job, system: Any) -> ExamRecord:
    """Make one exam, let the system read it, compare."""
    settings = HeadCtSettings(positive_probability=float(job.positive), matrix=job.matrix)
    device = "cuda" if system.device_name.startswith("cuda") else "cpu"
    exam = simulate_head_ct(load_anatomy(job.label_map), job.seed, settings, device=device)
    reading = system.read(exam.volume)
    _, abc2 = measure(reading, exam.volume.grid)
    return record_exam(
        ExamSource(job.exam, _stem(job.label_map)),
        exam.volume.grid,
        exam.label_kji,
        reading,
        truth_abc2_ml=abc2_of_truth(exam.label_kji, exam.volume.grid),
        predicted_abc2_ml={item.code: item.volume_ml for item in abc2},
    )


def abc2_of_truth(label_kji: np.ndarray, grid: SliceGrid) -> dict[str, float]:
    """Type -> ABC/2 in mL of its true mask, for the types for which ABC/2 is measured at all."""
    masks = {code: label_kji == CT_HEMORRHAGE_CODES.index(code) + 1 for code in ABC2_CODES}
    return {
        code: measure_abc2(code, find_components(mask, grid), grid).volume_ml
        for code, mask in masks.items()
        if mask.any()
    }


def run(jobs: Iterable[Job], output: Path, evaluate: Callable[[Iterable[Job]], Iterator[ExamRecord]]) -> None:
    """Evaluate the jobs that have no record yet; each record is kept at once."""
    done = {record.exam for record in read_records(output / RECORDS_FILE)}
    waiting = [job for job in jobs if job.exam not in done]
    start = time.monotonic()
    for number, record in enumerate(evaluate(waiting), start=1):
        append_record(record, output / RECORDS_FILE)
        rate = (time.monotonic() - start) / number
        left = rate * (len(waiting) - number) / 60
        found = record.findings["any"]
        print(
            f"{number:4d}/{len(waiting)} {record.exam}: true {found.truth_ml:.1f} mL, "
            f"found {found.predicted_ml:.1f} mL, p {found.probability:.3f}; {rate:.1f} s per exam, {left:.0f} min left",
            flush=True,
        )


_loaded: Any = None


def _load(reader: Reader) -> Any:
    """Load the system once per process."""
    global _loaded
    import torch

    from NeuroTriageLib.catalog import load_system

    torch.set_num_threads(reader.threads)
    _loaded = load_system(reader.system, pack=reader.pack, device=reader.device)
    return _loaded


def _evaluate_here(job: Job) -> ExamRecord:
    return evaluate_exam(job, _loaded)


def in_this_process(jobs: Iterable[Job], reader: Reader) -> Iterator[ExamRecord]:
    """Evaluate one exam after the other."""
    system = _load(reader)
    for job in jobs:
        yield evaluate_exam(job, system)


def in_processes(jobs: Iterable[Job], reader: Reader, processes: int) -> Iterator[ExamRecord]:
    """Evaluate in several processes; records come as they are done, and no more exams wait than are needed."""
    context = multiprocessing.get_context("spawn")
    waiting = iter(jobs)
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_load, initargs=(reader,)) as pool:
        running: set[Future[ExamRecord]] = set()
        while True:
            while len(running) < 2 * processes and (job := next(waiting, None)) is not None:
                running.add(pool.submit(_evaluate_here, job))
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()


def write_tables(output: Path, about: dict[str, Any]) -> str:
    """Write evaluation.md and evaluation.json from the records; returns the Markdown."""
    records = sorted(read_records(output / RECORDS_FILE), key=lambda record: record.exam)
    tables = evaluation_tables(records)
    title = f"# Evaluation of {about['system']} on simulated exams\n"
    lines = [f"- {name.replace('_', ' ')}: {value}" for name, value in about.items() if value not in (None, "")]
    closing = (
        "Simulated exams, not patients. Intervals: 95 %, bootstrap over exams (1,000 draws); exams made from the same "
        "head are not independent, so the true intervals are wider.\n"
    )
    text = "\n".join([title, *lines, "", closing, *(table.to_markdown() for table in tables)])
    (output / "evaluation.md").write_text(text, encoding="utf-8")
    document = {"about": about, "tables": [table.to_json() for table in tables]}
    (output / "evaluation.json").write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")
    return text


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _label_maps(folder: Path) -> list[Path]:
    maps = sorted(path for path in folder.iterdir() if path.name.endswith(LABEL_MAP_ENDINGS))
    if not maps:
        raise SystemExit(f"{folder} holds no label map ({', '.join(LABEL_MAP_ENDINGS)}).")
    return maps


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", type=Path, help="folder of head label maps that no training saw")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/evaluation"))
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="label maps to use, by file name part")
    parser.add_argument("--exams", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=5_000_000, help="far from those of training")
    parser.add_argument("--matrix", type=int, choices=(256, 512), default=512)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--system", default="kuo2019")
    parser.add_argument("--model", type=Path, help="model pack in place of the one that ships")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options = parser.parse_args(arguments)

    maps = _label_maps(options.maps)
    if options.only:
        maps = [path for path in maps if any(name in path.name for name in options.only)]
    if not maps:
        raise SystemExit("No label map has one of these names.")
    jobs = plan(maps, exams=options.exams, first_seed=options.first_seed, matrix=options.matrix)
    options.output.mkdir(parents=True, exist_ok=True)
    threads = max(1, (os.cpu_count() or 1) // options.processes)
    reader = Reader(options.system, options.model, options.device, threads)
    if options.processes == 1:
        run(jobs, options.output, partial(in_this_process, reader=reader))
    else:
        run(jobs, options.output, partial(in_processes, reader=reader, processes=options.processes))
    about = {
        "system": options.system,
        "model": options.model.name if options.model else "the one that ships",
        "heads": ", ".join(_stem(path) for path in maps),
        "matrix": options.matrix,
        "first_seed": options.first_seed,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    print(write_tables(options.output, about))
    return 0


if __name__ == "__main__":
    sys.exit(main())
