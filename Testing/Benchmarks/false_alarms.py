"""How often systems call hemorrhage where there is none: simulated exams full of mimics, and real exams if given.

Prints how many exams each system calls, with which mimics and brain changes in them, and lists real exams one by one.
Pictures of the five worst (the highest probability of any system that calls) are written as SVG: brain window, what
was outlined, heatmap.

    python Testing/Benchmarks/false_alarms.py MAPS -o out/false_alarms --exams 200 --systems consensus kuo2019 \
        --real CT_FOLDER ...
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.core.codes import ANY
from NeuroTriageLib.core.errors import NeuroTriageError
from NeuroTriageLib.core.findings import Reading
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.evaluation import metrics
from NeuroTriageLib.evaluation.exam_records import ExamRecord, systems_of
from NeuroTriageLib.evaluation.report import Evaluation
from NeuroTriageLib.evaluation.table import Cell, Table
from NeuroTriageLib.evaluation.tables import Section
from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriageLib.series_selection import select_head_ct
from Testing.Benchmarks import simulated_exams
from Testing.Benchmarks.exam_picture import draw_exam
from Testing.Benchmarks.simulated_exams import NOT_PATIENTS, HeadCtJob, Reader, settings_named, stem

WORST = 5
# Far more often than in training or in life, so that 200 exams show each kind many times (ours). The simulator scales
# mimic_probability for each kind; at 1 most exams hold several.
MIMICS = {
    "mimic_probability": 1.0,
    "tumour_probability": 0.15,
    "surgery_probability": 0.15,
    "contrast_probability": 0.15,
    "metal_probability": 0.15,
    "acute_infarct_probability": 0.15,
    "hygroma_probability": 0.1,
}
NOTHING_DRAWN = "no mimic, no change"


def plan(label_maps: Sequence[Path], *, exams: int, first_seed: int, matrix: int, settings: str) -> list[HeadCtJob]:
    """Exams without blood, with as many mimics as the simulator paints; the maps in turn."""
    chosen = settings_named(settings, positive_probability=0.0, matrix=matrix, **MIMICS)
    jobs = []
    for number in range(exams):
        label_map, seed = label_maps[number % len(label_maps)], first_seed + number
        jobs.append(HeadCtJob(f"{stem(label_map)}-mimics-{settings}-{matrix}-{seed}", label_map, seed, chosen))
    return jobs


def called(record: ExamRecord, system: str) -> bool:
    """The system calls hemorrhage in the exam."""
    answer = record.answers[system].groups.get(ANY)
    return answer is not None and answer.called


def score(record: ExamRecord) -> tuple[bool, float]:
    """How bad the worst answer about an exam is: called or not, then its probability."""
    answers = [answer.groups[ANY] for answer in record.answers.values() if ANY in answer.groups]
    return max(((answer.called, answer.probability) for answer in answers), default=(False, 0.0))


def painted(record: ExamRecord) -> tuple[str, ...]:
    """Mimics and brain changes of an exam, by name."""
    items = [*record.conditions.get("mimics", ()), *record.conditions.get("changes", ())]
    names = (
        str(item.get("kind", item.get("type", item))) if isinstance(item, Mapping) else str(item) for item in items
    )
    return tuple(dict.fromkeys(names)) or (NOTHING_DRAWN,)


def by_system(records: Sequence[ExamRecord]) -> Table:
    """How many exams each system calls."""
    rows: list[tuple[Cell, ...]] = []
    for system in systems_of(records):
        looked = [record for record in records if ANY in record.answers[system].groups]
        hits = np.array([called(record, system) for record in looked], dtype=float)
        types = sorted({g for r in looked for g, a in r.answers[system].groups.items() if a.called and "+" not in g})
        counts = ", ".join(
            f"{code} {sum(code in r.answers[system].groups and r.answers[system].groups[code].called for r in looked)}"
            for code in types
            if code != ANY
        )
        rate = metrics.bootstrap(lambda values: float(values.mean()), hits) if len(hits) else None
        rows.append((system, len(looked), len(records) - len(looked), int(hits.sum()), rate, counts or "-"))
    return Table(
        "False alarms",
        ("system", "exams read", "could not look", "called", "share called", "types called (exams)"),
        tuple(rows),
        "Exams without any hemorrhage: every call is false.",
    )


def by_mimic(records: Sequence[ExamRecord]) -> Table:
    """Share of called exams with and without each mimic or brain change."""
    kinds = sorted({kind for record in records for kind in painted(record)})
    rows: list[tuple[Cell, ...]] = []
    for system in systems_of(records):
        looked = [record for record in records if ANY in record.answers[system].groups]
        hits = np.array([called(record, system) for record in looked], dtype=float)
        for kind in kinds:
            having = np.array([kind in painted(record) for record in looked], dtype=bool)
            shares = (float(hits[part].mean()) if part.any() else None for part in (having, ~having))
            rows.append((system, kind, int(having.sum()), int(hits[having].sum()), *shares))
    return Table(
        "By what was painted",
        ("system", "mimic or change", "exams with it", "called", "share called with it", "share called without it"),
        tuple(rows),
        "Of the exams that the system read. An exam mostly holds several, so a mimic is suspect when the two shares "
        "differ.",
    )


def real_table(rows: Sequence[tuple[Cell, ...]]) -> Table:
    """Real exams one by one."""
    return Table(
        "Real exams",
        ("exam", "system", "answer", "probability", "threshold", "found"),
        tuple(rows),
        "Whether a call is false is for who knows these exams to say.",
    )


def read_real(path: Path, systems: Mapping[str, Any]) -> tuple[Volume, dict[str, Reading | None]]:
    """A real head CT and every system's answer. Raises NeuroTriageError when it cannot be read or is no head CT."""
    with open_input(path) as studies:
        chosen = [selection.series for selection in map(select_head_ct, studies) if selection.series is not None]
        if len(chosen) != 1:
            raise SystemExit(f"{path} holds {len(chosen)} suitable series; one is needed.")
        volume, _ = read_volume(chosen[0])
    return volume, simulated_exams.read(volume, systems)


def real_rows(name: str, readings: Mapping[str, Reading | None]) -> list[tuple[Cell, ...]]:
    """One row per system."""
    rows: list[tuple[Cell, ...]] = []
    for system, reading in readings.items():
        if reading is None:
            rows.append((name, system, "could not look", None, None, None))
            continue
        types = ", ".join(code for code in reading.codes if reading.is_present(code))
        answer = "called" if reading.is_present(ANY) else "not called"
        rows.append((name, system, answer, reading.probability[ANY], reading.threshold[ANY], types or "-"))
    return rows


def worst_reading(readings: Mapping[str, Reading | None]) -> Reading | None:
    """The reading that calls with the highest probability; else the highest probability."""
    known = [reading for reading in readings.values() if reading is not None]
    return max(known, key=lambda reading: (reading.is_present(ANY), reading.probability[ANY]), default=None)


def draw_worst(
    records: Sequence[ExamRecord],
    jobs: Mapping[str, HeadCtJob],
    reader: Reader,
    systems: Mapping[str, Any],
    output: Path,
) -> list[Path]:
    """Make the five worst exams once more and draw them, the worst first."""
    paths = []
    for number, record in enumerate(sorted(records, key=score, reverse=True)[:WORST], start=1):
        volume = simulated_exams.simulate(jobs[record.exam], reader, systems).volume
        reading = worst_reading(simulated_exams.read(volume, systems))
        if reading is None:
            continue
        said = "called" if reading.is_present(ANY) else "not called"
        caption = (
            f"{record.exam}: {reading.system} p {reading.probability[ANY]:.3f}, {said}; {', '.join(painted(record))}"
        )
        path = output / f"worst_{number}.svg"
        draw_exam(volume, reading, caption, path)
        paths.append(path)
    return paths


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    simulated_exams.add_arguments(parser, exams=200, first_seed=7_000_000, output="out/false_alarms")
    parser.add_argument("--real", type=Path, nargs="*", default=[], help="real head CTs without hemorrhage")
    options = parser.parse_args(arguments)
    maps = simulated_exams.label_maps(options.maps, options.only)
    jobs = plan(
        maps, exams=options.exams, first_seed=options.first_seed, matrix=options.matrix, settings=options.settings
    )
    reader = simulated_exams.reader_of(options)
    records = simulated_exams.run(jobs, reader, options.output, processes=options.processes)
    systems = simulated_exams.load(reader)
    draw_worst(records, {job.exam: job for job in jobs}, reader, systems, options.output)
    rows: list[tuple[Cell, ...]] = []
    for number, path in enumerate(options.real, start=1):
        try:
            volume, readings = read_real(path, systems)
        except NeuroTriageError as error:
            rows.append((path.name, "-", f"not read: {error.message()}", None, None, None))
            continue
        rows += real_rows(path.name, readings)
        reading = worst_reading(readings)
        if reading is not None:
            caption = f"{path.name}: {reading.system} p {reading.probability[ANY]:.3f}"
            draw_exam(volume, reading, caption, options.output / f"real_{number}.svg")
    sections = [Section(NOT_PATIENTS, (by_system(records), by_mimic(records)))]
    if rows:
        sections.append(Section("Real exams", (real_table(rows),)))
    evaluation = Evaluation("False alarms", tuple(sections), simulated_exams.about(options, maps))
    evaluation.write(options.output)
    print(evaluation.to_markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
