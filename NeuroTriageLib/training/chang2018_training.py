"""Training Chang 2018 from nothing but head label maps to a model pack: the whole run on one screen."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ..systems.chang2018_config import COMPACT, PUBLISHED
from .chang2018_pack import export_pack, view_of
from .chang2018_recipe import COMPACT_TRAINING, PUBLISHED_TRAINING
from .chang2018_trainer import Chang2018Trainer
from .exam_bank import ExamBank
from .exam_producer import ProductionPlan
from .pack_export import training_record
from .training_run import Report, TrainOptions, run_training, training_device

VARIANTS = {"compact": (COMPACT, COMPACT_TRAINING), "published": (PUBLISHED, PUBLISHED_TRAINING)}
PUBLISHED_EXAMS = 10_159  # Chang 2018: training cohort
COMPACT_EXAMS = 1200  # ours


def train_chang2018(options: TrainOptions, report: Report) -> Path:
    """Simulate, train, validate, calibrate, export; returns the pack's folder.

    The same call goes on after a kill. Raises ConfigError, InputError, OutputError.
    """
    config, training = VARIANTS[options.variant]
    if options.minutes is not None:
        training = dataclasses.replace(training, minutes=options.minutes)
    exams = options.exams or (COMPACT_EXAMS if options.variant == "compact" else PUBLISHED_EXAMS)
    plan = ProductionPlan(options.simulate, options.bank_folder, config, exams, options.validation_exams)
    bank, validation = (ExamBank(plan.bank / name, view_of(config)) for name in ("train", "validation"))
    trainer = Chang2018Trainer(config, training, bank, validation, training_device(options.device, options.threads))
    about = {"config": config.to_json(), "training": training_record(training, "label maps 01-16")}
    checkpoint = run_training(trainer, plan, about, options, report)
    report("calibrating on the validation exams")
    pack = export_pack(checkpoint, options.out / f"chang2018-{options.variant}", bank=plan.bank)
    report(f"model pack written: {pack}")
    return pack
