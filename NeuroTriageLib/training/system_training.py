"""Training any system from nothing but head label maps to a model pack: the whole run on one screen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from .exam_bank import ExamBank
from .exam_producer import MakeExam, ProductionPlan
from .pack_export import PackExport, training_record
from .training_run import Report, Trainer, TrainOptions, run_training, training_device


@dataclass(frozen=True)
class SystemTraining:
    """How one system is trained.

    Args:
        variants: name -> settings and recipe.
        exams: name of a variant -> training exams unless the user names a number.
        trainer: (settings, recipe, bank, validation bank, device) -> the trainer.
        export: from the checkpoint to the pack.
        make: simulates and prepares one exam of another kind than head CT, see ProductionPlan.
        data: what it is trained on, in words.
    """

    variants: Mapping[str, tuple[Any, Any]]
    exams: Mapping[str, int]
    trainer: Callable[[Any, Any, ExamBank[Any], ExamBank[Any], str], Trainer]
    export: PackExport
    make: MakeExam | None = None
    data: str = "simulated head CT"

    def __call__(self, options: TrainOptions, report: Report) -> Path:
        """Simulate, train, validate, calibrate, export; returns the pack's folder.

        The same call goes on after a kill. Raises ConfigError, InputError, OutputError.
        """
        if options.variant not in self.variants:
            raise ConfigError(
                f"{self.export.system} has no such variant.",
                where=options.variant,
                next_step=f"Choose one of: {', '.join(self.variants)}.",
            )
        config, training = self.variants[options.variant]
        if options.minutes is not None:
            training = dataclasses.replace(training, minutes=options.minutes)
        exams = options.exams or self.exams[options.variant]
        plan = ProductionPlan(options.simulate, options.bank_folder, config, exams, options.validation_exams, self.make)
        bank, validation = (self.export.bank_of(plan.bank / name, config) for name in ("train", "validation"))
        trainer = self.trainer(config, training, bank, validation, training_device(options.device, options.threads))
        about = {"config": config.to_json(), "training": training_record(training, f"{self.data}, label maps 01-16")}
        checkpoint = run_training(trainer, plan, about, options, report)
        report("calibrating on the validation exams")
        pack = self.export(checkpoint, options.out / f"{self.export.system}-{options.variant}", bank=plan.bank)
        report(f"model pack written: {pack}")
        return pack
