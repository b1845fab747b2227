"""The report of an experiment: one HTML file that needs nothing else, with tables, curves, folds, data and code."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from ..core.code_version import code_version
from ..core.codes import ANY, MR_CODES
from ..core.errors import OutputError
from ..core.whole_files import write_whole
from ..datasets.case_source import CaseSource
from ..evaluation import metrics
from ..evaluation.classification_tables import figures
from ..evaluation.columns import Columns, answered_groups, mean
from ..evaluation.exam_records import ExamRecord, systems_of
from ..evaluation.report import Evaluation, write_evaluation
from ..evaluation.table import Cell, Table
from .experiment import FinishedPart
from .protocol import Protocol

REPORT_FILE = "report.html"
TEMPLATE = "report_template.html"
FIGURES = ("AUC", "sensitivity", "specificity", "accuracy")


def write_report(protocol: Protocol, sources: Sequence[CaseSource], parts: Sequence[FinishedPart], out: Path) -> Path:
    """Write report.html, and the pooled evaluation beside it; returns the report. Raises OutputError."""
    records = [record for part in parts for record in part.records]
    about = {"experiment": protocol.title, "system": protocol.system, "split": protocol.split.words()}
    evaluation = Evaluation.of(protocol.title, records, about, [*protocol.notes, *_left_out(parts)])
    written = write_evaluation(evaluation, records, out)
    page = (
        _environment()
        .get_template(TEMPLATE)
        .render(
            title=protocol.title,
            facts=_facts(protocol, parts),
            notes=[note.replace("**", "") for note in evaluation.notes],
            tables=[data_table(sources, parts), models_table(parts), *fold_tables(records, parts)],
            sections=evaluation.sections,
            plots=[(path.stem.replace("_", " "), _picture(path)) for path in written if path.suffix == ".svg"],
            curves=[(part.name, _picture(part.curves)) for part in parts if part.curves is not None],
        )
    )
    try:
        write_whole(out / REPORT_FILE, page.encode())
    except OSError as error:
        raise OutputError(f"The report cannot be written: {error.strerror}.", where=str(out)) from error
    return out / REPORT_FILE


def fold_tables(records: Sequence[ExamRecord], parts: Sequence[FinishedPart]) -> list[Table]:
    """Per system and finding (any hemorrhage, or each on MRI): the parts one by one, their mean, and all together."""
    tables = []
    for system in systems_of(records):
        for group in answered_groups(records, system, (ANY, *MR_CODES)):
            rows = [_part_row(part.name, part.records, system, group) for part in parts]
            if len(rows) > 1:
                rows += [*_mean_rows(rows), _pooled_row(records, system, group)]
            title = f"Part by part: {group} ({system})"
            note = "Calls at each part's own operating points, which its validation patients chose."
            if len(parts) > 1:
                note += " All together: every exam once, read by the model that did not know the patient."
            tables.append(Table(title, ("part", "exams", "with it", *FIGURES, "Dice, mean"), tuple(rows), note))
    return tables


def _part_row(name: str, records: Sequence[ExamRecord], system: str, group: str) -> tuple[Cell, ...]:
    c = Columns.of(records, system, group)
    found = figures(c.called, c.probability, c.present)
    values = [found[figure].value for figure in FIGURES]
    return name, len(c), int(c.present.sum()), *values, mean(c.dice[c.present])


def _pooled_row(records: Sequence[ExamRecord], system: str, group: str) -> tuple[Cell, ...]:
    c = Columns.of(records, system, group)
    found = figures(c.called, c.probability, c.present)
    dice = metrics.bootstrap(mean, c.dice[c.present])
    return "all together", len(c), int(c.present.sum()), *(found[figure] for figure in FIGURES), dice


def _mean_rows(rows: Sequence[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    """Mean and standard deviation over the parts in which a figure is known."""
    columns = [np.array([row[n] for row in rows], dtype=float) for n in range(3, len(rows[0]))]
    known = [column[~np.isnan(column)] for column in columns]
    means = [float(column.mean()) if len(column) else None for column in known]
    spreads = [float(column.std(ddof=1)) if len(column) > 1 else None for column in known]
    return [("mean of the parts", None, None, *means), ("standard deviation", None, None, *spreads)]


def data_table(sources: Sequence[CaseSource], parts: Sequence[FinishedPart]) -> Table:
    """Which data, under which terms, and how many exams each part learned from."""
    rows: list[tuple[Cell, ...]] = []
    for source in sources:
        of_parts = [_source_of(part, source.name) for part in parts]
        counts = [" / ".join(str(found["exams"][n] if found else 0) for found in of_parts) for n in _PARTS]
        hashes = " ".join(str(found["sha256"])[:12] for found in of_parts if found)
        rows.append((source.name, source.licence, *counts, hashes))
    note = "Exams of each part, / between parts. The hash is that of the images that a part learned from."
    return Table("Data", ("data", "terms", "train", "validate", "kept for the test", "SHA-256"), tuple(rows), note)


_PARTS = ("train", "validation", "test")


def _source_of(part: FinishedPart, name: str) -> dict[str, Any] | None:
    return next((each for each in part.pack["training"].get("sources", ()) if each["name"] == name), None)


def models_table(parts: Sequence[FinishedPart]) -> Table:
    """Which model each part ended in."""
    rows: list[tuple[Cell, ...]] = []
    for part in parts:
        training, split = part.pack["training"], part.split.to_json()
        patients = " / ".join(str(split["patients"][name]) for name in _PARTS)
        commit = str(training["code"].get("commit", "-"))[:12] + (
            " (changed)" if training["code"].get("changed") else ""
        )
        recipe, device = training["recipe"], training["device"]
        where = f"{device['name']}, {device['processes']} processes"
        rows.append(
            (part.name, part.sha256[:12], patients, training["steps"], recipe["seed"], split["seed"], where, commit)
        )
    columns = ("part", "weights' SHA-256", "patients: train / validate / test", "steps", "seed", "split's seed")
    return Table("Models", (*columns, "computed on", "commit"), tuple(rows))


def _facts(protocol: Protocol, parts: Sequence[FinishedPart]) -> list[tuple[str, str]]:
    code = code_version()
    rule = protocol.training
    facts = [
        ("System", f"{protocol.system}, {rule.variant}"),
        ("Split", f"{protocol.split.words()}; seed {protocol.split.seed}"),
        ("Patients", str(sum(parts[0].split.to_json()["patients"].values()))),
        ("Exams tested", str(sum(len(part.records) for part in parts))),
        ("Length", "the recipe's own" if rule.minutes is None else f"{rule.minutes:g} minutes per part"),
        ("Code of this report", " ".join(f"{name} {value}" for name, value in code.items())),
    ]
    if parts[0].pack["system"] == "nael2021":
        facts.append(("Optional contrasts", protocol.optional_contrasts))
    return facts


def _left_out(parts: Sequence[FinishedPart]) -> list[str]:
    reasons = Counter(why for part in parts for why in part.left_out.values())
    return [f"{count} test exams left out: {why}" for why, count in reasons.items()]


def _picture(path: Path) -> str:
    """An SVG as the address of an image, so that its styles touch nothing else."""
    return "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()


def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.tests["ours"] = lambda cell: cell == "all together" or cell.startswith("ours: ")
    return environment
