"""Simulates brain-MRI studies from head label maps, lets a system read them, and prints the tables of Nael 2021.

Each study is kept as one line of OUTPUT/exams.jsonl as soon as it is done, so a run that was stopped goes on where it
was. Study n uses seed FIRST_SEED + n and the label maps in turn. "balanced" draws findings often and scanners as in
training, "external" makers and ranges that no training saw, "realistic" findings as often as the paper's inside set.

    python Testing/Benchmarks/evaluate_simulated_mr.py MAPS -o out/mr --exams 400 --settings balanced --processes 2
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.core.codes import MR_CODES
from NeuroTriageLib.core.mr_images import MrImage
from NeuroTriageLib.core.study_reading import StudyReading
from NeuroTriageLib.evaluation.exam_records import ExamRecord, GroupAnswer, GroupTruth, SystemAnswer
from NeuroTriageLib.evaluation.mr_folders import CONDITION_KEYS
from NeuroTriageLib.evaluation.mr_tables import REQUIRED_ONLY
from NeuroTriageLib.measurements.volume import mask_volume_ml
from NeuroTriageLib.simulation.anatomy import load_anatomy
from NeuroTriageLib.simulation.mr.settings import SETTINGS, BrainMrSettings
from NeuroTriageLib.simulation.mr.study import SimulatedStudy, simulate_brain_mr
from NeuroTriageLib.systems.nael2021_config import CRITICAL_CODES, NETWORKS
from NeuroTriageLib.training.nael2021_bank import simulated_images
from Testing.Benchmarks import simulated_exams
from Testing.Benchmarks.simulated_exams import Reader, stem

REQUIRED = frozenset(name for network in NETWORKS.values() for name in network.required)


@dataclass(frozen=True)
class BrainMrJob:
    """One study to make and read.

    Args:
        exam: unique name, also the key for going on after a stop.
        label_map: head to start from.
        seed: of the simulation.
        settings: ranges that it is drawn from.
        required_too: let the systems also read the required contrasts alone (Nael 2021, table 4).
    """

    exam: str
    label_map: Path
    seed: int
    settings: BrainMrSettings
    required_too: bool = False

    def evaluate(self, reader: Reader, systems: Mapping[str, Any]) -> ExamRecord:
        """Make the study, let the systems read it, compare."""
        anatomy = load_anatomy(self.label_map, reader.anatomy_cache)
        device = simulated_exams.torch_device(systems)
        study = simulate_brain_mr(anatomy, self.seed, self.settings, device=device)
        images = simulated_images(study)
        truth = {code: GroupTruth(bool(study.truth[code])) for code in MR_CODES}
        answers = {}
        for name, system in systems.items():
            answers[name] = _answer(system.read_study(images), images, study, truth)
            if self.required_too:
                few = {contrast: image for contrast, image in images.items() if contrast in REQUIRED}
                answers[name + REQUIRED_ONLY] = _answer(system.read_study(few), few, study, truth)
        drawn = {key: study.truth[key] for key in CONDITION_KEYS if key in study.truth}
        return ExamRecord(self.exam, truth, answers, stem(self.label_map), simulated=True, conditions=drawn)


def _answer(
    told: StudyReading, images: Mapping[str, MrImage], study: SimulatedStudy, truth: dict[str, GroupTruth]
) -> SystemAnswer:
    """One system's answer; truth gets the volume of each finding on the series that it is shown on."""
    groups = {}
    for contrast, reading in told.readings.items():
        grid = images[contrast].volume.grid
        for value, code in enumerate(reading.codes, start=1):
            if code in told.asserted:
                continue
            called = reading.probability[code] >= reading.threshold[code]
            groups[code] = GroupAnswer(reading.probability[code], bool(called))
            if code not in CRITICAL_CODES:
                continue
            true = study.series[contrast].masks.get(code, np.zeros(grid.shape_kji, np.uint8)) > 0
            found = reading.label_kji == value
            truth[code] = GroupTruth(truth[code].present, volume_ml=mask_volume_ml(true, grid))
            groups[code] = dataclasses.replace(
                groups[code],
                volume_ml=mask_volume_ml(found, grid),
                overlap_ml=mask_volume_ml(found & true, grid),
            )
    return SystemAnswer(groups, sum(told.timings_s.values()))


def plan(
    label_maps: Sequence[Path], *, exams: int, first_seed: int, matrix: int, settings: str, required_too: bool = False
) -> list[BrainMrJob]:
    """The studies in their order, the maps in turn."""
    chosen = dataclasses.replace(SETTINGS[settings], matrix=matrix)
    jobs = []
    for number in range(exams):
        label_map, seed = label_maps[number % len(label_maps)], first_seed + number
        name = f"{stem(label_map)}-{settings}-{matrix}-{seed}"
        jobs.append(BrainMrJob(name, label_map, seed, chosen, required_too))
    return jobs


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    simulated_exams.add_arguments(
        parser, exams=400, first_seed=8_000_000, output="out/evaluation_mr",
        settings=("balanced", "external", "realistic"), matrices=(256, 192, 160), system="nael2021",
    )  # fmt: skip
    parser.add_argument("--required-too", action="store_true", help="read the required contrasts alone as well")
    options = parser.parse_args(arguments)
    maps = simulated_exams.label_maps(options.maps, options.only)
    jobs = plan(
        maps, exams=options.exams, first_seed=options.first_seed, matrix=options.matrix, settings=options.settings,
        required_too=options.required_too,
    )  # fmt: skip
    reader = simulated_exams.reader_of(options)
    records = simulated_exams.run(jobs, reader, options.output, processes=options.processes)
    title = f"Evaluation of {', '.join(options.systems)} on simulated brain MRI"
    simulated_exams.publish(title, records, options, maps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
