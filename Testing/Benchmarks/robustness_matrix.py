"""How far detection and segmentation hold when one factor of the scan is fixed: a matrix of AUC and Dice.

Every cell fixes one factor (slice thickness, noise, kernel, tilt, rotation, field of view, metal, motion) at one level
and draws the rest from the simulator's ranges. All cells use the same heads and seeds; half of the exams hold
hemorrhage. A cell whose exam AUC lies more than 0.05 below the mean of all cells is marked.

    python Testing/Benchmarks/robustness_matrix.py MAPS -o out/robustness --exams 40 --systems consensus --processes 2
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.core.codes import ANY
from NeuroTriageLib.evaluation import metrics
from NeuroTriageLib.evaluation.columns import Columns
from NeuroTriageLib.evaluation.exam_records import ExamRecord, systems_of
from NeuroTriageLib.evaluation.metrics import Estimate
from NeuroTriageLib.evaluation.report import INTERVALS, Evaluation
from NeuroTriageLib.evaluation.table import Table
from NeuroTriageLib.evaluation.tables import Section, stratum
from Testing.Benchmarks import simulated_exams
from Testing.Benchmarks.simulated_exams import NOT_PATIENTS, HeadCtJob, settings_named, stem

ALLOWED_FALL = 0.05  # of the AUC of a cell below the mean of all cells
MARK = "below"
ONE_STACK = {"mixed_stack_probability": 0.0, "gap_probability": 0.0, "overlap_probability": 0.0}
STRAIGHT = {"pitch_deg": 0.0, "yaw_deg": 0.0, "roll_deg": 0.0}


@dataclass(frozen=True)
class Level:
    """One level of a factor: its name and the settings that fix it."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)


def _fixed(field: str, values: Sequence[float], **others: Any) -> tuple[Level, ...]:
    """A level per value of a range's field; a range with equal ends fixes it."""
    return tuple(Level(f"{value:g}", {field: (value, value), **others}) for value in values)


# Factor -> its levels, each changing settings of the simulator. The spacings and the 25 degrees of rotation are what is
# asked of the systems; the other levels reach from the easy to the hard end of what scanners show (ours).
FACTORS: dict[str, tuple[Level, ...]] = {
    "slice thickness, mm": tuple(
        Level(f"{mm:g}", {"slice_spacings_mm": (mm,), **ONE_STACK}) for mm in (1.0, 2.5, 5.0, 8.0)
    ),
    "noise, HU at 5 mm": _fixed("noise_hu", (2.0, 4.0, 6.0, 8.0)),
    "kernel, MTF50 per mm": (
        *_fixed("soft_kernel_per_mm", (0.25, 0.35, 0.45), sharp_kernel_probability=0.0),
        *_fixed("sharp_kernel_per_mm", (0.6,), sharp_kernel_probability=1.0),
    ),
    "tilt, degrees": (
        Level("0", {"tilt_probability": 0.0}),
        *_fixed("tilt_deg", (-20.0, 15.0, 25.0), tilt_probability=1.0),
    ),
    "rotation, degrees": _fixed("extra_rotation_deg", (0.0, 8.0, 16.0, 25.0), **STRAIGHT),
    "field of view, mm": _fixed("field_of_view_mm", (180.0, 220.0, 250.0, 280.0), cut_off_probability=1.0),
    "metal": (
        Level("none", {"metal_probability": 0.0}),
        Level("corrected", {"metal_probability": 1.0, "metal_artefact": (0.2, 0.4)}),
        Level("uncorrected", {"metal_probability": 1.0, "metal_artefact": (1.0, 1.0)}),
    ),
    "motion, mm": (
        Level("0", {"motion_probability": 0.0}),
        *_fixed("motion_mm", (2.0, 5.0), motion_probability=1.0),
    ),
}


def plan(
    label_maps: Sequence[Path], factors: Sequence[str], *, exams: int, first_seed: int, matrix: int, settings: str
) -> list[HeadCtJob]:
    """The exams of every cell: the same heads and seeds in all of them, every second one with hemorrhage."""
    jobs = []
    for factor in factors:
        for level in FACTORS[factor]:
            for number in range(exams):
                label_map, seed = label_maps[number % len(label_maps)], first_seed + number
                positive = float((number // len(label_maps)) % 2 == 0)
                chosen = settings_named(
                    settings, **{"positive_probability": positive, "matrix": matrix} | level.changes
                )
                name = f"{factor.split(',')[0]}={level.name}-{stem(label_map)}-{settings}-{matrix}-{seed}"
                jobs.append(HeadCtJob(name, label_map, seed, chosen, {"factor": factor, "level": level.name}))
    return jobs


def matrix_table(records: Sequence[ExamRecord], system: str) -> Table:
    """AUC and Dice of every cell, and how its AUC differs from the mean of all; one that falls too far is marked."""
    cells: dict[tuple[str, str], Columns] = {}
    for factor in FACTORS:
        for level in FACTORS[factor]:
            here = [r for r in records if (r.conditions["factor"], r.conditions["level"]) == (factor, level.name)]
            if here:  # by name: the same heads and seeds in the same order in every cell
                cells[factor, level.name] = Columns.of(sorted(here, key=lambda record: record.exam), system, ANY)
    rows = [(factor, *stratum(level, c)) for (factor, level), c in cells.items()]
    areas = np.array([metrics.auc(c.probability, c.present) for c in cells.values()])
    average = float(np.nanmean(areas)) if np.isfinite(areas).any() else float("nan")
    against = against_mean(list(cells.values()))
    marks = [MARK if area < average - ALLOWED_FALL else "" for area in areas]
    return Table(
        f"Robustness of {system}",
        ("factor", "level", "exams", "with hemorrhage", "AUC", "Dice, mean", "AUC against the mean", "mark"),
        tuple((*row, *more) for row, more in zip(rows, zip(against, marks, strict=True), strict=True)),
        f"Any hemorrhage. Mean AUC of all cells {average:.3f}; a cell more than {ALLOWED_FALL:g} below it is marked "
        f'"{MARK}". All cells hold the same heads and seeds, which are drawn together for the interval of a '
        "difference: one that holds 0 may be chance.",
    )


def against_mean(cells: Sequence[Columns]) -> list[Estimate]:
    """AUC of each cell minus the mean of all, exams drawn in pairs; without interval where the cells' exams differ."""
    areas = np.array([metrics.auc(c.probability, c.present) for c in cells])
    values = areas - (np.nanmean(areas) if np.isfinite(areas).any() else np.nan)
    if any(not np.array_equal(c.present, cells[0].present) for c in cells):
        return [Estimate(float(value)) for value in values]
    weights = metrics.bootstrap_weights(len(cells[0]))
    drawn = np.stack([metrics.weighted_auc(c.probability, c.present, weights) for c in cells])  # (cells, R)
    drawn -= drawn.mean(axis=0)
    return [metrics.percentile_interval(float(value), row) for value, row in zip(values, drawn, strict=True)]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    simulated_exams.add_arguments(parser, exams=40, first_seed=6_000_000, output="out/robustness")
    parser.add_argument("--factors", nargs="*", default=[], metavar="NAME", help=f"of: {'; '.join(FACTORS)}")
    options = parser.parse_args(arguments)
    factors = [name for name in FACTORS if not options.factors or any(part in name for part in options.factors)]
    maps = simulated_exams.label_maps(options.maps, options.only)
    jobs = plan(
        maps,
        factors,
        exams=options.exams,
        first_seed=options.first_seed,
        matrix=options.matrix,
        settings=options.settings,
    )
    reader = simulated_exams.reader_of(options)
    records = simulated_exams.run(jobs, reader, options.output, processes=options.processes)
    tables = tuple(matrix_table(records, system) for system in systems_of(records))
    notes = [f"**{NOT_PATIENTS}**", INTERVALS, f"Exams per cell: {options.exams}."]
    section = Section("Matrix", tables)
    evaluation = Evaluation("Robustness", (section,), simulated_exams.about(options, maps), tuple(notes))
    evaluation.write(options.output)
    print(evaluation.to_markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
