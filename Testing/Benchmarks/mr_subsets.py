"""How well each finding is told from every subset of its optional contrasts: a table of AUC.

Of each simulated study every network reads its required contrasts with each subset of those optional ones that the
study holds (a protocol has T2* or SWI, not both; a subset names either as T2*/SWI). A network that can say without a
required contrast that the finding is there reads its optional ones beside the others too.

    python Testing/Benchmarks/mr_subsets.py MAPS -o out/mr_subsets --exams 100 --processes 2
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.core.codes import MR_CODES
from NeuroTriageLib.evaluation import metrics
from NeuroTriageLib.evaluation.columns import Columns
from NeuroTriageLib.evaluation.exam_records import ExamRecord, GroupAnswer, GroupTruth, SystemAnswer
from NeuroTriageLib.evaluation.report import INTERVALS, Evaluation
from NeuroTriageLib.evaluation.table import Cell, Table
from NeuroTriageLib.evaluation.tables import Section
from NeuroTriageLib.simulation.anatomy import load_anatomy
from NeuroTriageLib.simulation.mr.settings import SETTINGS
from NeuroTriageLib.simulation.mr.study import simulate_brain_mr
from NeuroTriageLib.systems.nael2021_config import NETWORKS
from NeuroTriageLib.training.nael2021_bank import simulated_images
from Testing.Benchmarks import simulated_exams
from Testing.Benchmarks.evaluate_simulated_mr import BrainMrJob
from Testing.Benchmarks.simulated_exams import NOT_PATIENTS, Reader, stem

SUSCEPTIBILITY = "T2*/SWI"
EITHER = {"T2star": SUSCEPTIBILITY, "SWI": SUSCEPTIBILITY}


def optional_names(code: str) -> tuple[str, ...]:
    """A network's optional contrasts, T2* and SWI as one."""
    return tuple(dict.fromkeys(EITHER.get(name, name) for name in NETWORKS[code].optional))


def subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All subsets, the empty one first."""
    for count in range(len(names) + 1):
        yield from combinations(names, count)


def asked(code: str, held: Iterable[str]) -> dict[str, frozenset[str]]:
    """Row of the table -> the contrasts that the network is shown, of a study that holds these."""
    network, there = NETWORKS[code], [name for name in optional_names(code) if name in held]
    rows = {" + ".join(subset) or "none": frozenset((*network.required, *subset)) for subset in subsets(there)}
    if spared := [name for name in network.required if name not in network.least]:
        rows[f"all there are, without {' and '.join(spared)}"] = frozenset((*network.least, *there))
    return rows


class SubsetJob(BrainMrJob):
    """A study that is read once for each finding and subset."""

    def evaluate(self, reader: Reader, systems: Mapping[str, Any]) -> ExamRecord:
        """Make the study, let each network read every subset, compare."""
        device = simulated_exams.torch_device(systems)
        anatomy = load_anatomy(self.label_map, reader.anatomy_cache)
        study = simulate_brain_mr(anatomy, self.seed, self.settings, device=device)
        images = simulated_images(study)
        answers: dict[str, SystemAnswer] = {}
        for name, system in systems.items():
            answers[name] = SystemAnswer({})
            views = system.views_of(images)
            for code in system.codes:
                view = views[NETWORKS[code].reference]
                called_as = {contrast: EITHER.get(contrast, contrast) for contrast in view.contrasts}
                for row, names in asked(code, set(called_as.values())).items():
                    hidden = {contrast for contrast, either in called_as.items() if either not in names}
                    probability = system.probability_of(code, view.without(hidden))
                    called = bool(probability >= system.pack.manifest.operating_points[code])
                    answers[f"{code}: {row}"] = SystemAnswer({code: GroupAnswer(probability, called)})
        truth = {code: GroupTruth(bool(study.truth[code])) for code in MR_CODES}
        return ExamRecord(self.exam, truth, answers, stem(self.label_map), simulated=True)


def table(records: Sequence[ExamRecord], code: str) -> Table:
    """AUC of every subset, on the studies that hold all of it."""
    rows: list[tuple[Cell, ...]] = []
    for row in asked(code, optional_names(code)):
        name = f"{code}: {row}"
        used = [record for record in records if name in record.answers]
        if used:
            c = Columns.of(used, name, code)
            area = metrics.bootstrap(metrics.auc, c.probability, c.present)
            rows.append((row, len(c), int(c.present.sum()), area))
    return Table(
        f"{code}, beside {', '.join(NETWORKS[code].required)}",
        ("optional contrasts", "studies", "with it", "AUC"),
        tuple(rows),
        "",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    simulated_exams.add_arguments(
        parser, exams=100, first_seed=8_500_000, output="out/mr_subsets",
        settings=("balanced", "external", "realistic"), matrices=(256, 192, 160), system="nael2021",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    maps = simulated_exams.label_maps(options.maps, options.only)
    settings = dataclasses.replace(SETTINGS[options.settings], matrix=options.matrix)
    jobs = [
        SubsetJob(f"{stem(path)}-subsets-{options.settings}-{options.matrix}-{seed}", path, seed, settings)
        for n in range(options.exams)
        for path, seed in [(maps[n % len(maps)], options.first_seed + n)]
    ]
    reader = simulated_exams.reader_of(options)
    records = simulated_exams.run(jobs, reader, options.output, processes=options.processes)
    section = Section("Subsets of the optional contrasts", tuple(table(records, code) for code in MR_CODES))
    notes = (f"**{NOT_PATIENTS}**", INTERVALS)
    evaluation = Evaluation("Optional contrasts", (section,), simulated_exams.about(options, maps), notes)
    evaluation.write(options.output)
    print(evaluation.to_markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
