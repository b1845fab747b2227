"""Training Kuo 2019 from nothing but head label maps to a model pack: the whole run on one screen."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..core.errors import ConfigError
from ..systems.kuo2019_config import COMPACT, PUBLISHED, Kuo2019Config
from .checkpoint import CHECKPOINT_FILE, load_checkpoint, save_checkpoint
from .curves import draw_curves, write_rows
from .dense_validation import validate
from .exam_bank import ExamBank
from .exam_producer import HEAD_START, ProductionPlan, start_producer, wait_for
from .kuo2019_pack import export_pack, training_record
from .kuo2019_recipe import COMPACT_TRAINING, PUBLISHED_TRAINING, Stage, TrainingConfig
from .kuo2019_trainer import Kuo2019Trainer
from .patch_sampler import PatchSampler

Report = Callable[[str], None]
VARIANTS = {"compact": (COMPACT, COMPACT_TRAINING), "published": (PUBLISHED, PUBLISHED_TRAINING)}
PACK_NAMES = {"compact": "kuo2019-compact", "published": "kuo2019-published"}
QUICK_VALIDATION_EXAMS = 24  # validated again and again while training; all of them at the end; ours


@dataclass(frozen=True)
class TrainOptions:
    """What a user decides about a run.

    Args:
        simulate: folder of head label maps.
        out: folder of the run; when it holds a checkpoint, the run goes on from there.
        variant: "compact" or "published".
        minutes: wall-clock budget of the training steps in place of the recipe's.
        exams: simulated training exams; validation_exams on top of them.
        device: "auto", "cpu" or "cuda".
        threads: CPU threads of this process; None leaves torch's choice.
        checkpoint_minutes, validate_minutes: how often.
        report_seconds: how often a progress line is reported.
    """

    simulate: Path
    out: Path
    variant: str = "compact"
    minutes: float | None = None
    exams: int | None = None
    validation_exams: int = 80
    device: str = "auto"
    threads: int | None = None
    checkpoint_minutes: float = 2.0
    validate_minutes: float = 6.0
    report_seconds: float = 15.0

    def settings(self) -> tuple[Kuo2019Config, TrainingConfig]:
        """The variant's config and recipe, with the user's budget. Raises ConfigError for an unknown variant."""
        if self.variant not in VARIANTS:
            raise ConfigError("The variant must be compact or published.", where=self.variant)
        if self.minutes is not None and not self.minutes > 0:
            raise ConfigError("The number of minutes must be positive.", where=str(self.minutes))
        config, training = VARIANTS[self.variant]
        return config, training if self.minutes is None else dataclasses.replace(training, minutes=self.minutes)


def train_kuo2019(options: TrainOptions, report: Report) -> Path:
    """Simulate, train, validate, calibrate, export; returns the pack's folder.

    The same call goes on after a kill. Raises ConfigError, InputError, OutputError.
    """
    config, training = options.settings()
    device = training_device(options.device)
    if options.threads:
        torch.set_num_threads(options.threads)
    exams = options.exams or (1000 if options.variant == "compact" else 4396)  # Kuo 2019: 4,396 training scans
    plan = ProductionPlan(options.simulate, options.out / "bank", config, exams, options.validation_exams)
    plan.check()
    producer = start_producer(plan)
    try:
        head_start = min(HEAD_START, exams) if training.minutes is not None else exams
        report(f"simulating the first {head_start} exams")
        wait_for(plan.bank / "train", head_start, producer)
        run = TrainingRun(config, training, plan, options, device, report)
        run.train()
        report("waiting for the last validation exams")
        wait_for(plan.bank / "validation", min(options.validation_exams, QUICK_VALIDATION_EXAMS), producer)
    finally:
        producer.terminate()
        producer.join()
    report("calibrating on the validation exams")
    pack = export_pack(options.out / CHECKPOINT_FILE, options.out / PACK_NAMES[options.variant])
    report(f"model pack written: {pack}")
    return pack


def training_device(name: str) -> str:
    """torch's name of the device. Raises ConfigError when CUDA is asked for and absent."""
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError("The device must be auto, cpu or cuda.", where=name)
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("CUDA was asked for, but PyTorch sees no CUDA device.", next_step="Use --device cpu or auto.")
    return "cuda" if torch.cuda.is_available() and name != "cpu" else "cpu"


class TrainingRun:
    """The loop around the trainer: growing bank, progress, validation, checkpoints, curves."""

    def __init__(
        self,
        config: Kuo2019Config,
        training: TrainingConfig,
        plan: ProductionPlan,
        options: TrainOptions,
        device: str,
        report: Report,
    ) -> None:
        self.config, self.training, self.options, self.report = config, training, options, report
        self.bank, self.validation_bank = ExamBank(plan.bank / "train"), ExamBank(plan.bank / "validation")
        self.bank.refresh()
        self.trainer = Kuo2019Trainer(config, training, PatchSampler(self.bank, config, training), device)
        self.losses: list[dict[str, Any]] = []
        self.validations: list[dict[str, Any]] = []
        self.best: dict[str, Any] = {"stage": 0, "merit": -math.inf, "step": 0, "weights": {}}
        self.checkpoint = options.out / CHECKPOINT_FILE
        if self.checkpoint.exists():
            self._restore()

    def train(self) -> None:
        """Train to the end of the last stage."""
        now = time.monotonic()
        due = {"report": now, "save": now, "validate": now}
        sums: dict[str, list[float]] = {}
        while not self.trainer.is_done:
            stage = self.trainer.stage
            for name, value in self.trainer.train_step().items():
                sums.setdefault(name, []).append(value)
            now = time.monotonic()
            ended = self.trainer.is_done or self.trainer.stage is not stage
            if ended or now - due["report"] >= self.options.report_seconds:
                self._progress(stage.name, sums, now - due["report"])
                due["report"], sums = now, {}
                self._take_new_exams()
            if ended or now - due["validate"] >= 60 * self.options.validate_minutes:
                self._validate(stage)
                due["validate"] = due["report"] = time.monotonic()
            if ended or now - due["save"] >= 60 * self.options.checkpoint_minutes:
                self._save()
                due["save"] = time.monotonic()

    def _take_new_exams(self) -> None:
        if self.bank.refresh():
            self.trainer.sampler.refresh()

    def _progress(self, stage: str, sums: dict[str, list[float]], seconds: float) -> None:
        trainer = self.trainer
        steps = max((len(values) for values in sums.values()), default=0)
        rate = steps * self.training.batch_size / max(seconds, 1e-9)
        means = {name: sum(values) / len(values) for name, values in sums.items()}
        row = {"step": trainer.step, "stage": stage, "pixel_loss": None, "patch_loss": None, "patches_per_s": rate}
        self.losses.append(row | {"exams": len(self.bank)} | means)
        shown = "  ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in means.items())
        left = "" if trainer.is_done else f"  {trainer.fraction():4.0%} of the stage{self._time_left()}"
        self.report(f"{stage} step {trainer.step}  {shown}  {rate:.0f} patches/s  {len(self.bank)} exams{left}")

    def _time_left(self) -> str:
        trainer, minutes = self.trainer, self.training.minutes
        if minutes is None:
            return ""
        shares = sum(stage.share for stage in self.training.stages[trainer.stage_index :])
        return f"  {minutes * shares - trainer.stage_seconds / 60:.1f} min left"

    def _validate(self, stage: Stage) -> None:
        """Validate on the first exams of the validation bank, and keep the best weights of the latest stage."""
        self.validation_bank.refresh()
        exams = self.validation_bank.exams[:QUICK_VALIDATION_EXAMS]
        if len(exams) < min(QUICK_VALIDATION_EXAMS, self.options.validation_exams):
            return
        network = self.trainer.kept_network()
        result = validate(network, exams, self.config, bfloat16=self.training.bfloat16)
        row: dict[str, Any] = {"step": self.trainer.step, "merit": round(result.merit(), 4)}
        for name, values in (("dice", result.summary()["dice"]), ("auc", result.summary()["auc"])):
            row |= {f"{name}_{code}": value for code, value in values.items()}
        self.validations.append(row)
        number = self.training.stages.index(stage)
        if (number, result.merit()) >= (self.best["stage"], self.best["merit"]):
            weights = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
            self.best = {"stage": number, "merit": result.merit(), "step": self.trainer.step, "weights": weights}
        shown = "  ".join(f"{key} {value}" for key, value in row.items() if key != "step")
        self.report(f"validation at step {self.trainer.step}: {shown}")

    def _save(self) -> None:
        save_checkpoint(
            {
                "config": self.config.to_json(),
                "training": training_record(self.training, "label maps 01-16"),
                "training_exams": len(self.bank),
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
        if Kuo2019Config.from_json(state["config"]) != self.config:
            raise ConfigError(
                "The folder holds a run with other settings.", where=str(self.options.out), next_step="Choose another."
            )
        self.trainer.restore(state["trainer"])
        self.losses, self.validations, self.best = state["losses"], state["validations"], state["best"]
        self.report(f"going on from step {self.trainer.step}")
