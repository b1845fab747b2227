"""A process of its own that simulates exams into the bank while training runs."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

import torch

from ..core.errors import InputError
from ..preprocessing.network_grid import prepare
from ..simulation.anatomy import Anatomy, load_anatomy
from ..simulation.head_ct import simulate_head_ct
from ..simulation.settings import HeadCtSettings
from .exam_bank import BankExam, exam_path

TRAINING_MAPS = range(1, 17)  # maps 01-16 train, 17-18 validate, 19-20 are kept for the test
VALIDATION_MAPS = range(17, 19)
VALIDATION_SEED = 1_000_000  # seeds of validation exams start here, so that no exam is in both sets
SETTINGS = dataclasses.replace(HeadCtSettings(), metal_probability=0.15)
"""Metal more often than the simulator draws it (ours): with one exam in twenty, systems took it for blood."""
HEAD_START = 40  # training exams made before the first validation exam
VALIDATION_EVERY = 3  # then every third exam is one for validation until there are enough


class Kept(Protocol):
    """An exam that can be written into the bank."""

    def save(self, path: Path) -> None:
        """Write it in one step."""


MakeExam = Callable[["ProductionPlan", str, int], Kept]


@dataclass(frozen=True)
class ProductionPlan:
    """Which exams to make.

    Args:
        maps: folder of head label maps whose names end in their number (..._01.nii.gz); None when none is needed.
        bank: folder with the two banks, "train" and "validation".
        config: how exams are prepared.
        training_exams, validation_exams: how many of each in the end.
        make: (plan, set, number) -> the exam; the same number must always give the same one. None makes head CT.
        heads: folder in which prepared heads are kept; None keeps them in the bank.
    """

    maps: Path | None
    bank: Path
    config: Any
    training_exams: int
    validation_exams: int
    make: MakeExam | None = None
    heads: Path | None = None

    def order(self) -> list[tuple[str, int]]:
        """(set, number) of every exam in the order in which they are made."""
        jobs = [("train", number) for number in range(min(HEAD_START, self.training_exams))]
        validation = iter(range(self.validation_exams))
        for number in range(len(jobs), self.training_exams):
            jobs.append(("train", number))
            if number % (VALIDATION_EVERY - 1) == 0 and (other := next(validation, None)) is not None:
                jobs.append(("validation", other))
        return jobs + [("validation", number) for number in validation]

    def missing(self) -> list[tuple[str, int]]:
        """What is not on disk yet, in order."""
        return [(name, number) for name, number in self.order() if not exam_path(self.bank / name, number).exists()]

    def check(self) -> None:
        """Raise InputError when exams are missing and the label maps to make them from are not all there."""
        if self.missing():
            label_maps(self.maps, TRAINING_MAPS)
            label_maps(self.maps, VALIDATION_MAPS)


def label_maps(folder: Path | None, numbers: range) -> list[Path]:
    """The label maps of these numbers. Raises InputError when one is not there."""
    if folder is None:
        raise InputError("Exams are missing and there are no head label maps to make them from.")
    found = []
    for number in numbers:
        paths = sorted(folder.glob(f"*_{number:02d}.nii.gz"))
        if not paths:
            raise InputError(f"Head label map {number:02d} is missing.", where=str(folder))
        found.append(paths[0])
    return found


def anatomy_and_seed(plan: ProductionPlan, name: str, number: int) -> tuple[Anatomy, int]:
    """The head and the seed of an exam; no head and no seed is in both sets."""
    validation = name == "validation"
    maps = label_maps(plan.maps, VALIDATION_MAPS if validation else TRAINING_MAPS)
    anatomy = load_anatomy(maps[number % len(maps)], plan.heads or plan.bank / "anatomy")
    return anatomy, number + (VALIDATION_SEED if validation else 0)


def make_exam(plan: ProductionPlan, name: str, number: int) -> BankExam:
    """Simulate and prepare one head CT; the same number always gives the same exam."""
    exam = simulate_head_ct(*anatomy_and_seed(plan, name, number), SETTINGS)
    return BankExam.from_prepared(prepare(exam.volume, plan.config), exam.label_kji, exam.truth)


def produce(plan: ProductionPlan, parent: int) -> None:
    """Make every missing exam; ends when the process that asked for them is gone."""
    os.nice(5)
    torch.set_num_threads(1)
    for name, number in plan.missing():
        if os.getppid() != parent:
            return
        (plan.make or make_exam)(plan, name, number).save(exam_path(plan.bank / name, number))


def start_producer(plan: ProductionPlan) -> BaseProcess:
    """Start the process; it is ended with the training process."""
    process = multiprocessing.get_context("spawn").Process(
        target=produce, args=(plan, os.getpid()), daemon=True, name="exam-producer"
    )
    process.start()
    return process


def wait_for(folder: Path, count: int, producer: BaseProcess, poll_s: float = 1.0) -> None:
    """Wait until a bank's folder holds this many exams. Raises InputError when the producer ended before."""
    while len(list(folder.glob("*.npz"))) < count:
        if not producer.is_alive() and len(list(folder.glob("*.npz"))) < count:
            raise InputError(f"The simulation stopped before {count} exams were made.", where=str(folder))
        time.sleep(poll_s)
