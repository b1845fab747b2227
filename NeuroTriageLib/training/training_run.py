"""The loop around every system's trainer: growing bank, progress, validation, checkpoints, curves."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from ..core.errors import ConfigError
from ..datasets.case_source import CaseSource
from ..datasets.split import PatientSplit, Split
from .checkpoint import CHECKPOINT_FILE, load_checkpoint, save_checkpoint
from .curves import draw_curves, write_rows
from .exam_producer import HEAD_START, ProductionPlan, start_producer, wait_for
from .processes import Processes

Report = Callable[[str], None]
QUICK_VALIDATION_EXAMS = 24  # validated again and again while training; all of them at the end; ours
VALIDATIONS_PER_STAGE = 100
"""Without a wall-clock budget, so that the steps after which a run validates do not depend on the computer (ours)."""


@dataclass(frozen=True)
class TrainOptions:
    """What a user decides about a run.

    Args:
        simulate: folder of head label maps; None trains on the sources alone.
        out: folder of the run; when it holds a checkpoint, the run goes on from there.
        variant: "compact", "published", or another that the system has (system_training.py).
        minutes: wall-clock budget of the training steps in place of the recipe's.
        exams: simulated training exams; validation_exams on top of them.
        device: "auto", "cpu" or "cuda".
        threads: CPU threads of this process; None leaves torch's choice.
        bank: folder of prepared exams; None keeps them in the folder of the run. Several systems may share the
            simulated ones; those of sources are the last call's, others are removed.
        checkpoint_minutes: how often.
        validate_minutes: how often when there is a wall-clock budget; else VALIDATIONS_PER_STAGE.
        report_seconds: how often a progress line is reported.
        sources: data sets and review stores that are learned from, beside simulated exams or alone.
        split: which of their patients train and validate.
        seed: of weights and draws in place of the recipe's.
        prepared: folder of prepared exams that several runs on other splits share; None keeps none.
        start: model pack to go on from (fine-tuning); None starts from random weights.
        heads: folder in which prepared heads are kept for other runs; None keeps them in the bank.
    """

    simulate: Path | None
    out: Path
    variant: str = "compact"
    minutes: float | None = None
    exams: int | None = None
    validation_exams: int = 80
    device: str = "auto"
    threads: int | None = None
    bank: Path | None = None
    checkpoint_minutes: float = 2.0
    validate_minutes: float = 6.0
    report_seconds: float = 15.0
    sources: tuple[CaseSource, ...] = ()
    split: PatientSplit = field(default_factory=Split)
    start: Path | None = None
    heads: Path | None = None
    seed: int | None = None
    prepared: Path | None = None

    def __post_init__(self) -> None:
        if self.minutes is not None and not self.minutes > 0:
            raise ConfigError("The number of minutes must be positive.", where=str(self.minutes))
        if self.simulate is None and not self.sources:
            raise ConfigError(
                "There is nothing to learn from.",
                next_step="Name head label maps (--simulate) or a data set (--dataset).",
            )

    @property
    def bank_folder(self) -> Path:
        """Where the prepared exams lie."""
        return self.bank or self.out / "bank"


class Trainer(Protocol):
    """What the loop needs of a system's trainer; see kuo2019_trainer.py."""

    step: int
    stage_index: int
    processes: Processes

    @property
    def stage_name(self) -> str:
        """Name of the stage that the next step belongs to."""

    @property
    def is_done(self) -> bool:
        """True when every stage is over."""

    @property
    def examples_per_step(self) -> int:
        """Patches, slabs or exams of one minibatch."""

    def train_step(self) -> dict[str, float]:
        """One minibatch; returns its losses by name."""

    def fraction(self) -> float:
        """0-1, how much of the present stage is done."""

    def minutes_left(self) -> float | None:
        """Of the wall-clock budget; None without one."""

    def start_from(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Begin with these weights. Raises RuntimeError when they are of another network."""

    def share(self, processes: Processes) -> None:
        """Share every minibatch with other processes; before the first step."""

    def take_new_exams(self) -> int:
        """Take up the training exams that came since; returns how many there are now."""

    def validate(self, exams: int) -> dict[str, float | None] | None:
        """Figures on the first validation exams, "merit" among them (higher is better); None while they are missing."""

    def kept_weights(self) -> dict[str, torch.Tensor]:
        """The weights that would ship now."""

    def state(self) -> dict[str, Any]:
        """Everything that a later process needs to go on."""

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state()."""


def run_training(
    trainer: Trainer, plan: ProductionPlan, about: dict[str, Any], options: TrainOptions, report: Report
) -> Path:
    """Simulate and train to the end; returns the checkpoint. The same call goes on after a kill.

    Args:
        trainer: of one system.
        plan: the exams to make beside the training.
        about: config, recipe and whatever else the checkpoint must say; the config must be that of a stored one.
        options: the user's.
        report: takes one line of progress.

    Raises:
        ConfigError: the folder holds a run with other settings. InputError, OutputError.
    """
    producer = None
    if trainer.processes.is_first:
        plan.check()
        producer = start_producer(plan) if plan.missing() else None
    try:
        quick = min(options.validation_exams, QUICK_VALIDATION_EXAMS)
        if producer is not None:
            by_steps = trainer.minutes_left() is None  # then every step draws from all exams, on any computer
            head_start = plan.training_exams if by_steps else min(HEAD_START, plan.training_exams)
            report(f"simulating the first {head_start} exams")
            wait_for(plan.bank / "train", head_start, producer)
            wait_for(plan.bank / "validation", quick if by_steps else 0, producer)
        trainer.processes.wait_for_first("first exams")
        run = TrainingRun(trainer, about, options, report)
        run.train()
        if producer is not None:
            report("waiting for the last validation exams")
            wait_for(plan.bank / "validation", quick, producer)
    finally:
        if producer is not None:
            producer.terminate()
            producer.join()
    return run.checkpoint


def training_device(name: str, threads: int | None = None) -> str:
    """torch's name of the device. Raises ConfigError when CUDA is asked for and absent."""
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError("The device must be auto, cpu or cuda.", where=name)
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("CUDA was asked for, but PyTorch sees no CUDA device.", next_step="Use --device cpu or auto.")
    if threads:
        torch.set_num_threads(threads)
    return "cuda" if torch.cuda.is_available() and name != "cpu" else "cpu"


class TrainingRun:
    """One run's loop and record; see run_training."""

    def __init__(self, trainer: Trainer, about: dict[str, Any], options: TrainOptions, report: Report) -> None:
        self.trainer, self.about, self.options, self.report = trainer, about, options, report
        self.exams = 0
        self.losses: list[dict[str, Any]] = []
        self.validations: list[dict[str, Any]] = []
        self.best: dict[str, Any] = {"stage": 0, "merit": -math.inf, "step": 0, "weights": {}}
        self.checkpoint = options.out / CHECKPOINT_FILE
        if self.checkpoint.exists():
            self._restore()
        self.exams = trainer.take_new_exams()

    def train(self) -> None:
        """Train to the end of the last stage."""
        self.latest = dict.fromkeys(("report", "validate", "save"), time.monotonic())
        sums: dict[str, list[float]] = {}
        while not self.trainer.is_done:
            stage, name, before = self.trainer.stage_index, self.trainer.stage_name, self._part_done()
            for key, value in self.trainer.train_step().items():
                sums.setdefault(key, []).append(value)
            due = self._due(stage, before)
            if "report" in due:
                self._progress(name, sums, time.monotonic() - self.latest["report"])
                self.latest["report"], sums = time.monotonic(), {}
                self.exams = self.trainer.take_new_exams()
            if "validate" in due:
                self._validate(stage)
                self.latest["validate"] = self.latest["report"] = time.monotonic()
            if "save" in due:
                self._save()
                self.latest["save"] = time.monotonic()

    def _part_done(self) -> int | None:
        """How many of the stage's parts are done, after each of which it validates; None with a wall-clock budget."""
        by_time = self.trainer.minutes_left() is not None
        return None if by_time else int(VALIDATIONS_PER_STAGE * self.trainer.fraction())

    def _due(self, stage: int, part: int | None) -> list[str]:
        """What is to be done after a step of a stage that had done so many parts; the first process decides by time."""
        trainer, options = self.trainer, self.options
        trainer.processes.check_parent()
        if trainer.is_done or trainer.stage_index != stage:
            return ["report", "validate", "save"]
        pauses = {"report": options.report_seconds, "save": 60 * options.checkpoint_minutes}
        if part is None:
            pauses["validate"] = 60 * options.validate_minutes
        now = time.monotonic()
        due: list[str] = trainer.processes.agreed([n for n, pause in pauses.items() if now - self.latest[n] >= pause])
        return due + (["validate"] if part is not None and self._part_done() != part else [])

    def _progress(self, stage: str, sums: dict[str, list[float]], seconds: float) -> None:
        trainer = self.trainer
        steps = max((len(values) for values in sums.values()), default=0)
        rate = steps * trainer.examples_per_step / max(seconds, 1e-9)
        means = {name: sum(values) / len(values) for name, values in sums.items()}
        self.losses.append(
            {"step": trainer.step, "stage": stage, "examples_per_s": round(rate, 2), "exams": self.exams} | means
        )
        shown = "  ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in means.items())
        left = "" if trainer.is_done else f"  {trainer.fraction():4.0%} of the stage"
        if not trainer.is_done and (minutes := trainer.minutes_left()) is not None:
            left += f"  {minutes:.1f} min left"
        self.report(f"{stage} step {trainer.step}  {shown}  {rate:.1f}/s  {self.exams} exams{left}")

    def _validate(self, stage: int) -> None:
        """Validate on the first exams of the validation bank, and keep the best weights of the latest stage."""
        figures = self.trainer.validate(min(QUICK_VALIDATION_EXAMS, self.options.validation_exams))
        if figures is None:
            return
        rounded = {name: None if value is None else round(value, 5) for name, value in figures.items()}
        row = {"step": self.trainer.step, **rounded}
        self.validations.append(row)
        merit = float(figures["merit"] or 0.0)
        if (stage, merit) >= (self.best["stage"], self.best["merit"]):
            weights = {name: value.detach().cpu().clone() for name, value in self.trainer.kept_weights().items()}
            self.best = {"stage": stage, "merit": merit, "step": self.trainer.step, "weights": weights}
        shown = "  ".join(f"{key} {value}" for key, value in rounded.items())
        self.report(f"validation at step {self.trainer.step}: {shown}")

    def _save(self) -> None:
        if not self.trainer.processes.is_first:
            return
        save_checkpoint(
            self.about
            | {
                "training_exams": self.exams,
                "trainer": self.trainer.state(),
                "best": self.best,
                "losses": self.losses,
                "validations": self.validations,
            },
            self.checkpoint,
        )
        write_rows(self.losses, self.options.out / "curves.csv")
        write_rows(self.validations, self.options.out / "validation.csv")
        draw_curves(self.losses, self.validations, self.options.out / "curves.svg")

    def _restore(self) -> None:
        state = load_checkpoint(self.checkpoint)
        if state["config"] != self.about["config"]:
            raise ConfigError(
                "The folder holds a run with other settings.", where=str(self.options.out), next_step="Choose another."
            )
        self.trainer.restore(state["trainer"])
        self.losses, self.validations, self.best = state["losses"], state["validations"], state["best"]
        self.report(f"going on from step {self.trainer.step}")
