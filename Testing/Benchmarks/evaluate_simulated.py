"""Simulates exams from head label maps, lets systems read them, and prints the papers' tables, ours beside theirs.

Each exam is kept as one line of OUTPUT/exams.jsonl as soon as it is done, so a run that was stopped goes on where it
was. Every second exam holds hemorrhage; exam n uses seed FIRST_SEED + n and the label maps in turn.

    python Testing/Benchmarks/evaluate_simulated.py MAPS -o out/evaluation --exams 400 --settings wider \
        --systems consensus kuo2019 chang2018 ye2019 --processes 2
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from Testing.Benchmarks import simulated_exams
from Testing.Benchmarks.simulated_exams import HeadCtJob, settings_named, stem


def plan(label_maps: Sequence[Path], *, exams: int, first_seed: int, matrix: int, settings: str) -> list[HeadCtJob]:
    """The exams in their order: maps in turn, every second one positive within each map."""
    chosen = {
        positive: settings_named(settings, positive_probability=float(positive), matrix=matrix)
        for positive in (True, False)
    }
    jobs = []
    for number in range(exams):
        label_map, seed = label_maps[number % len(label_maps)], first_seed + number
        positive = (number // len(label_maps)) % 2 == 0
        jobs.append(HeadCtJob(f"{stem(label_map)}-{settings}-{matrix}-{seed}", label_map, seed, chosen[positive]))
    return jobs


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    simulated_exams.add_arguments(parser, exams=400, first_seed=5_000_000, output="out/evaluation")
    options = parser.parse_args(arguments)
    maps = simulated_exams.label_maps(options.maps, options.only)
    jobs = plan(
        maps, exams=options.exams, first_seed=options.first_seed, matrix=options.matrix, settings=options.settings
    )
    reader = simulated_exams.reader_of(options)
    records = simulated_exams.run(jobs, reader, options.output, processes=options.processes)
    title = f"Evaluation of {', '.join(options.systems)} on simulated exams"
    simulated_exams.publish(title, records, options, maps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
