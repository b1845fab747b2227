"""A comparison for people: tables of figures, the exams one by one, the verdict."""

from __future__ import annotations

import math
from typing import Any

from ..evaluation.table import Cell, Table
from .comparison import READER, ComparedSet, Comparison, exam_row, identity
from .figures import HEADLINES, PairedFigure, finding_name
from .verdict import WHERE

COLUMNS = ("figure", "finding", "exams", "old", "new", "new - old")
INTERVALS = (
    "Intervals hold 95 % and come from 1,000 bootstrap draws of patients, both models' answers drawn together. "
    "Simulated exams come from two heads, so their true intervals are wider."
)


def comparison_markdown(comparison: Comparison) -> str:
    """The whole document."""
    lines = ["# Two models on exams that neither was trained on", ""]
    for name, manifest in comparison.models.items():
        said = identity(manifest)
        lines.append(f"- {name}: {said['name']} {said['version']} ({said['system']}, {said['digest'][:12]})")
    lines += ["", *(f"**{line}**  " for line in comparison.verdict.lines), "", INTERVALS, ""]
    tables: list[Table] = []
    for each in comparison.sets:
        if each.records or each.left_out:
            tables += [figures_table(WHERE[each.name], each.figures(), _left_out(each))]
    for name, figures in comparison.beside_reader().items():
        if figures:
            title = f"{WHERE[name]}: the new model beside {READER}"
            chosen = tuple(figure for figure in figures if figure.code in HEADLINES)
            tables.append(figures_table(title, chosen, "", ("figure", "finding", "exams", READER, "new", "difference")))
    tables += [exams_table(each, tuple(comparison.models)) for each in comparison.sets if each.records]
    return "\n".join([*lines, *(table.to_markdown() for table in tables)])


def figures_table(
    title: str, figures: tuple[PairedFigure, ...], note: str, columns: tuple[str, ...] = COLUMNS
) -> Table:
    """Every figure of both models."""
    rows: list[tuple[Cell, ...]] = [(f.figure, f.code, f.exams, f.old, f.new, f.difference) for f in figures]
    return Table(title, columns, tuple(rows), note)


def exams_table(compared: ComparedSet, models: tuple[str, ...]) -> Table:
    """Probability, mL and Dice of each model, exam by exam; those that changed most come first."""
    rows = sorted((exam_row(record, models) for record in compared.records), key=change, reverse=True)
    columns = ["exam", "truth", "answers on", "true mL"]
    for name in models:
        columns += [f"{name}: p", f"{name}: mL", f"{name}: Dice"]
    return Table(f"{WHERE[compared.name]}, exam by exam", tuple(columns), tuple(_row(row, models) for row in rows))


def change(row: dict[str, Any]) -> float:
    """How far the two models are apart on an exam: Dice where both have it, else probability (0-1)."""
    old, new = row["old"], row["new"]
    if old is None or new is None:
        return 1.0
    if old["dice"] is not None and new["dice"] is not None:
        return float(abs(new["dice"] - old["dice"]))
    return float(abs(new["probability"] - old["probability"]))


def _row(row: dict[str, Any], models: tuple[str, ...]) -> tuple[Cell, ...]:
    truth = ", ".join(row["types"]) or ("yes" if row["present"] else "none")
    cells: list[Cell] = [row["exam"], truth, finding_name(row["finding"]), row["truth_ml"]]
    for name in models:
        said = row[name] or {}
        cells += [said.get("probability"), said.get("volume_ml"), _or_nan(said.get("dice"))]
    return tuple(cells)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _left_out(each: ComparedSet) -> str:
    reasons = "; ".join(f"{exam}: {why}" for exam, why in each.left_out.items())
    return f"Left out: {reasons}" if reasons else ""
