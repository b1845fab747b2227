"""Training any system from head label maps, data sets or both to a model pack: the whole run on one screen."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..core.errors import ConfigError, InputError
from ..datasets.labelled_case import Labelled
from ..datasets.split import Part
from ..io.model_packs import load_model_pack, read_manifest
from .bank_filling import SourceRecord, fill_bank, need_labels
from .case_exams import masked_exam
from .exam_bank import ExamBank
from .exam_producer import Kept, MakeExam, ProductionPlan
from .fine_tuning import gentle, settings_to_go_on, start_from, suited, tuned_name
from .pack_export import PackExport, training_record
from .processes import Processes, joined
from .rehearsal import REHEARSED_EXAMS, rehearsed
from .simulated_data import simulated_record
from .training_run import QUICK_VALIDATION_EXAMS, Report, Trainer, TrainOptions, run_training, training_device

MASKS = frozenset({"masks", "masks without types"})
"""Labels of data sets from which some cases at least have masks that know their types; take leaves out the others."""


@dataclass(frozen=True)
class SystemTraining:
    """How one system is trained.

    Args:
        variants: name -> settings and recipe.
        exams: name of a variant -> training exams unless the user names a number.
        trainer: (settings, recipe, bank, validation bank, device) -> the trainer.
        export: from the checkpoint to the pack.
        make: simulates and prepares one exam of another kind than head CT, see ProductionPlan.
        data: what the simulation makes, in words.
        modality, labels: what it can learn from in data sets.
        take: (case, part, settings, recipe) -> what the bank keeps of a case; see case_exams.py.
    """

    variants: Mapping[str, tuple[Any, Any]]
    exams: Mapping[str, int]
    trainer: Callable[[Any, Any, ExamBank[Any], ExamBank[Any], str], Trainer]
    export: PackExport
    make: MakeExam | None = None
    data: str = "simulated head CT"
    modality: str = "CT"
    labels: frozenset[str] = MASKS
    take: Callable[[Labelled, Part, Any, Any], Kept] = masked_exam

    def __call__(self, options: TrainOptions, report: Report) -> Path:
        """Gather exams, train, validate, calibrate, export; returns the pack's folder.

        The same call goes on after a kill. In processes that torchrun started all train, and the first one does the
        rest. Raises ConfigError, InputError, OutputError.
        """
        device = training_device(options.device, options.threads)
        with joined(device) as processes:
            report = report if processes.is_first else _silence
            checkpoint, options = self._train(options, device, processes, report)
        folder = options.out / self._pack_name(options)
        if not processes.is_first:
            return folder
        report("calibrating on the validation exams")
        start = load_model_pack(options.start) if options.start is not None else None
        self.export(checkpoint, folder, bank=options.bank_folder, start=start)
        report(f"model pack written: {folder}")
        return folder

    def _train(
        self, options: TrainOptions, device: str, processes: Processes, report: Report
    ) -> tuple[Path, TrainOptions]:
        """The checkpoint of the finished training, and the options as they were carried out."""
        if options.variant not in self.variants:
            raise ConfigError(
                f"{self.export.system} has no such variant.",
                where=options.variant,
                next_step=f"Choose one of: {', '.join(self.variants)}.",
            )
        config, training = self.variants[options.variant]
        if options.minutes is not None:
            training = dataclasses.replace(training, minutes=options.minutes)
        if options.seed is not None:
            training = dataclasses.replace(training, seed=options.seed)
        pack = load_model_pack(options.start) if options.start is not None else None
        if pack is not None:
            config = settings_to_go_on(pack, self.export.system, self.export.settings)
            training = suited(gentle(training), config)
        records = self._fill(options, config, training, report) if processes.is_first else []
        processes.wait_for_first("bank")
        if options.simulate is None:
            options = dataclasses.replace(options, validation_exams=_validation_exams(options.bank_folder))
            exams = made = 0
        else:
            usual = self.exams[options.variant] if pack is None else min(REHEARSED_EXAMS, self.exams[options.variant])
            exams, made = options.exams or usual, options.validation_exams
        plan = ProductionPlan(options.simulate, options.bank_folder, config, exams, made, self.make, options.heads)
        bank, validation = (self.export.bank_of(plan.bank / name, config) for name in ("train", "validation"))
        if pack is not None:
            bank = rehearsed(bank, exams)
            validation = rehearsed(validation, QUICK_VALIDATION_EXAMS // 2, alternating=True)
        trainer = self.trainer(config, training, bank, validation, device)
        simulated = simulated_record(self.data, plan) if options.simulate else None
        about = {"config": config.to_json(), "training": training_record(training, simulated, records)}
        if records:
            about["training"]["split"] = options.split.to_json()
        about["training"]["device"] = device_record(device, processes)
        if pack is not None:
            about["training"]["started_from"] = start_from(trainer, pack, self.export.system)
        trainer.share(processes)
        return run_training(trainer, plan, about, options, report), options

    def _pack_name(self, options: TrainOptions) -> str:
        """Of the new pack: after the pack that it goes on from, else after system and variant."""
        if options.start is not None:
            return tuned_name(read_manifest(options.start).name)
        return f"{self.export.system}-{options.variant}"

    def _fill(self, options: TrainOptions, config: Any, training: Any, report: Report) -> list[SourceRecord]:
        """Put the sources' cases into the bank; licence and citation are said first."""
        need_labels(self.export.system, self.labels, self.modality, options.sources)
        for source in options.sources:
            for line in source.about:
                report(line)

        def take(case: Labelled, part: Part) -> Kept:
            return self.take(case, part, config, training)

        bank, purpose = options.bank_folder, f"{self.export.system} {options.variant}"
        return fill_bank(bank, options.sources, take, options.split, report, options.prepared, purpose)


def device_record(device: str, processes: Processes) -> dict[str, Any]:
    """What it was trained on, for the pack: the same seed gives the same model on the same kind of device."""
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    return {"name": name, "kind": device, "processes": processes.count, "threads": torch.get_num_threads()}


def _silence(line: str) -> None:
    """What other processes than the first one report."""


def _validation_exams(bank: Path) -> int:
    """How many exams of the sources validate. Raises InputError when a part of the split is empty."""
    counts = {part: len(list((bank / part).glob("*.npz"))) for part in ("train", "validation")}
    if not all(counts.values()):
        raise InputError(
            f"{counts['train']} exams would train and {counts['validation']} validate: both need some.",
            next_step="Use more cases, other shares (--split), or simulated exams beside them (--simulate).",
        )
    return counts["validation"]
