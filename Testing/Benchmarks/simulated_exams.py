"""Makes simulated exams, lets one or several systems read them, and keeps each exam as one line as soon as it is done.

The programs beside it share it. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.errors import SeriesSelectionError
from NeuroTriageLib.core.findings import Reading
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.evaluation.comparison import Answer, ExamSource, Labels, Truth, record_exam
from NeuroTriageLib.evaluation.exam_records import ExamRecord, append_record, read_records
from NeuroTriageLib.evaluation.plots import NO_MATPLOTLIB, can_draw, draw_plots
from NeuroTriageLib.evaluation.report import Evaluation
from NeuroTriageLib.simulation import settings as simulator_settings
from NeuroTriageLib.simulation.anatomy import load_anatomy
from NeuroTriageLib.simulation.head_ct import SimulatedExam, simulate_head_ct
from NeuroTriageLib.simulation.settings import HeadCtSettings
from NeuroTriageLib.training.exam_producer import SETTINGS as TRAINING_SETTINGS

LABEL_MAP_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
RECORDS_FILE = "exams.jsonl"
TRUE_CODES = dict(enumerate(CT_HEMORRHAGE_CODES, start=1))
NOT_PATIENTS = "Simulated exams, not patients."


class Job(Protocol):
    """One exam to make and read; it crosses to other processes."""

    @property
    def exam(self) -> str:
        """Unique name, also the key for going on after a stop."""

    def evaluate(self, reader: Reader, systems: Mapping[str, Any]) -> ExamRecord:
        """Make the exam, let the systems read it, compare."""


@dataclass(frozen=True)
class HeadCtJob:
    """One head CT to make and read.

    Args:
        exam: unique name, also the key for going on after a stop.
        label_map: head to start from.
        seed: of the simulation.
        settings: ranges that it is drawn from.
        conditions: what the record is to say about it.
    """

    exam: str
    label_map: Path
    seed: int
    settings: HeadCtSettings
    conditions: dict[str, Any] = field(default_factory=dict)

    def evaluate(self, reader: Reader, systems: Mapping[str, Any]) -> ExamRecord:
        """Make the exam, let the systems read it, compare."""
        exam = simulate(self, reader, systems)
        readings = read(exam.volume, systems)
        answers = [
            Answer.of_reading(reading) if reading is not None else Answer(name, {}, frozenset())
            for name, reading in readings.items()
        ]
        drawn = {key: exam.truth[key] for key in ("mimics", "changes", "midline_shift_mm") if key in exam.truth}
        told = [reading.deliberation for reading in readings.values() if reading is not None and reading.deliberation]
        if told:
            drawn["unfamiliar"] = not told[0].familiarity.is_familiar
        source = ExamSource(self.exam, stem(self.label_map), simulated=True, conditions=drawn | self.conditions)
        truth = Truth(Labels(exam.label_kji, TRUE_CODES))
        return record_exam(source, exam.volume.grid, truth, answers)


@dataclass(frozen=True)
class Reader:
    """How systems are loaded: in each process once.

    Args:
        systems: catalog keys.
        packs: catalog key -> model pack in place of the one that ships.
        device: "auto", "cpu" or "cuda".
        threads: CPU threads of a process.
        anatomy_cache: folder in which prepared heads are kept; None keeps none.
        accept_unfamiliar: the consensus answers exams that it would refuse; their records say so ("unfamiliar").
    """

    systems: tuple[str, ...]
    packs: dict[str, Path]
    device: str
    threads: int
    anatomy_cache: Path | None = None
    accept_unfamiliar: bool = False


def add_arguments(
    parser: argparse.ArgumentParser,
    *,
    exams: int,
    first_seed: int,
    output: str,
    settings: Sequence[str] = ("training", "wider"),
    matrices: Sequence[int] = (512, 256),
    system: str = "kuo2019",
) -> None:
    """The options that all programs have; the first of settings and of matrices are the defaults."""
    parser.add_argument("maps", type=Path, help="folder of head label maps that no training saw")
    parser.add_argument("-o", "--output", type=Path, default=Path(output))
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="label maps to use, by file name part")
    parser.add_argument("--exams", type=int, default=exams)
    parser.add_argument("--first-seed", type=int, default=first_seed, help="far from those of training")
    parser.add_argument("--matrix", type=int, choices=matrices, default=matrices[0])
    parser.add_argument("--settings", choices=settings, default=settings[0], help="ranges of the simulator")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--threads", type=int, help="CPU threads of each process; default: all cores shared out")
    parser.add_argument("--systems", nargs="+", default=[system], help="see neurotriage info")
    parser.add_argument(
        "--model", action="append", default=[], metavar="[SYSTEM=]PACK", help="model pack in place of the shipped one"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--accept-unfamiliar", action="store_true", help="answer what the consensus would refuse too")
    parser.add_argument("--anatomy-cache", type=Path, help="folder for prepared heads (12 s each to prepare)")


def reader_of(options: argparse.Namespace) -> Reader:
    """The systems of the options. Ends the program when a pack names none of several systems."""
    packs = {}
    for item in options.model:
        system, _, path = item.rpartition("=")
        if not system and len(options.systems) > 1:
            raise SystemExit(f"Say which system {item} is for: --model SYSTEM=PACK.")
        packs[system or options.systems[0]] = Path(path)
    threads = options.threads or max(1, (os.cpu_count() or 1) // options.processes)
    return Reader(
        tuple(options.systems), packs, options.device, threads, options.anatomy_cache, options.accept_unfamiliar
    )


def label_maps(folder: Path, only: Sequence[str] = ()) -> list[Path]:
    """The label maps of a folder whose names hold one of the parts. Ends the program when there is none."""
    maps = sorted(path for path in folder.iterdir() if path.name.endswith(LABEL_MAP_ENDINGS))
    if not maps:
        raise SystemExit(f"{folder} holds no label map ({', '.join(LABEL_MAP_ENDINGS)}).")
    chosen = [path for path in maps if not only or any(name in path.name for name in only)]
    if not chosen:
        raise SystemExit("No label map has one of these names.")
    return chosen


def settings_named(name: str, **changes: Any) -> HeadCtSettings:
    """ "training" (what training exams are drawn from) or "wider", with changes. Ends the program when it has none."""
    base = TRAINING_SETTINGS if name == "training" else getattr(simulator_settings, "WIDER_SETTINGS", None)
    if base is None:
        raise SystemExit("This version's simulator has no wider settings; use --settings training.")
    return dataclasses.replace(base, **changes)


def stem(path: Path) -> str:
    """A label map's name without its endings."""
    return path.name.split(".")[0]


def torch_device(systems: Mapping[str, Any]) -> str:
    """torch's name of the device that the systems compute on: exams are made there too."""
    return "cuda" if any(system.device_name.startswith("cuda") for system in systems.values()) else "cpu"


def simulate(job: HeadCtJob, reader: Reader, systems: Mapping[str, Any]) -> SimulatedExam:
    """The job's exam; the same job on the same kind of device gives the same exam."""
    anatomy = load_anatomy(job.label_map, reader.anatomy_cache)
    return simulate_head_ct(anatomy, job.seed, job.settings, device=torch_device(systems))


def read(volume: Volume, systems: Mapping[str, Any]) -> dict[str, Reading | None]:
    """System -> reading, None where it could not look. A consensus brings the opinions of its members."""
    readings: dict[str, Reading | None] = {}
    for name, system in systems.items():
        if name in readings:
            continue
        try:
            reading = system.read(volume)
        except SeriesSelectionError:
            readings[name] = None
            continue
        readings[name] = reading
        if reading.deliberation is not None:
            readings |= {opinion.system: opinion for opinion in reading.deliberation.opinions}
            readings |= dict.fromkeys(reading.deliberation.failures)
    return readings


def run(jobs: Iterable[Job], reader: Reader, output: Path, *, processes: int = 1) -> list[ExamRecord]:
    """Evaluate the jobs that have no record of all systems yet, each kept at once; the records of all jobs."""
    output.mkdir(parents=True, exist_ok=True)
    path, jobs = output / RECORDS_FILE, list(jobs)
    done = {record.exam for record in read_records(path) if set(reader.systems) <= set(record.answers)}
    waiting = [job for job in jobs if job.exam not in done]
    evaluate = in_this_process if processes == 1 else in_processes(processes)
    start = time.monotonic()
    for number, record in enumerate(evaluate(waiting, reader), start=1):
        append_record(record, path)
        rate = (time.monotonic() - start) / number
        left_min = rate * (len(waiting) - number) / 60
        print(f"{number:4d}/{len(waiting)} {_line(record)}; {rate:.1f} s per exam, {left_min:.0f} min left", flush=True)
    wanted = {job.exam for job in jobs}
    return sorted((record for record in read_records(path) if record.exam in wanted), key=lambda record: record.exam)


def _line(record: ExamRecord) -> str:
    said = []
    for system, answer in record.answers.items():
        called = [f"{code} {group.probability:.2f}" for code, group in answer.groups.items() if group.called]
        said.append(f"{system} {', '.join(called) or ('nothing' if answer.groups else 'could not look')}")
    true = [code for code, group in record.truth.items() if group.present]
    return f"{record.exam}: true {', '.join(true) or 'nothing'}; {'; '.join(said)}"


_loaded: tuple[Reader, dict[str, Any]] | None = None


def load(reader: Reader) -> dict[str, Any]:
    """The systems, loaded once per process."""
    global _loaded
    import torch

    from NeuroTriageLib.catalog import CONSENSUS, load_system

    torch.set_num_threads(reader.threads)
    choices = {CONSENSUS: {"accept_unfamiliar": True}} if reader.accept_unfamiliar else {}
    systems = {
        name: load_system(name, pack=reader.packs.get(name), device=reader.device, **choices.get(name, {}))
        for name in reader.systems
    }
    _loaded = (reader, systems)
    return systems


def _evaluate_here(job: Job) -> ExamRecord:
    assert _loaded is not None, "the process starts with load"
    return job.evaluate(*_loaded)


def in_this_process(jobs: Iterable[Job], reader: Reader) -> Iterator[ExamRecord]:
    """Evaluate one exam after the other."""
    systems: dict[str, Any] | None = None
    for job in jobs:
        systems = systems or load(reader)
        yield job.evaluate(reader, systems)


def in_processes(processes: int) -> Callable[[Iterable[Job], Reader], Iterator[ExamRecord]]:
    """Evaluate in several processes; records come as they are done, and no more exams wait than are needed."""

    def evaluate(jobs: Iterable[Job], reader: Reader) -> Iterator[ExamRecord]:
        context = multiprocessing.get_context("spawn")
        waiting = iter(jobs)
        with ProcessPoolExecutor(processes, mp_context=context, initializer=load, initargs=(reader,)) as pool:
            running: set[Future[ExamRecord]] = set()
            while True:
                while len(running) < 2 * processes and (job := next(waiting, None)) is not None:
                    running.add(pool.submit(_evaluate_here, job))
                if not running:
                    return
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()

    return evaluate


def about(options: argparse.Namespace, maps: Sequence[Path]) -> dict[str, Any]:
    """How the figures came about: systems, packs, heads, machine, commit."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True
    )
    return {
        "systems": ", ".join(options.systems),
        "models": ", ".join(options.model) or "those that ship",
        "simulator_settings": options.settings,
        "heads": ", ".join(stem(path) for path in maps),
        "matrix": options.matrix,
        "first_seed": options.first_seed,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, device {options.device}",
        "commit": commit.stdout.strip(),
    }


def publish(title: str, records: Sequence[ExamRecord], options: argparse.Namespace, maps: Sequence[Path]) -> None:
    """Write the papers' tables and plots of the records into the output folder, and print the tables."""
    evaluation = Evaluation.of(title, records, about(options, maps))
    evaluation.write(options.output)
    draw_plots(records, options.output)
    print(evaluation.to_markdown())
    if not can_draw():
        print(NO_MATPLOTLIB, file=sys.stderr)
