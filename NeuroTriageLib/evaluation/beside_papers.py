"""The papers' own tables with our figures in the rows below theirs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from . import metrics
from .classification_tables import figures
from .columns import Columns, mean
from .exam_records import ExamRecord, systems_of
from .operating_points import full_sensitivity, roc_curve
from .published import (
    ABC2_BIAS,
    ABC2_R,
    FULL_SENSITIVITY,
    MEAN_DICE,
    PUBLISHED,
    VOLUME_BIAS,
    VOLUME_R,
    PublishedRow,
    PublishedTable,
    Scope,
)
from .slice_tables import SliceColumns, slice_figures
from .table import Cell, Table


def beside_the_papers(records: Sequence[ExamRecord]) -> tuple[Table, ...]:
    """One table per published one; under each of their rows one of every system that answers the finding."""
    return tuple(beside(table, records) for table in PUBLISHED)


def beside(table: PublishedTable, records: Sequence[ExamRecord]) -> Table:
    """One published table, and ours under the last row of each finding and size."""
    rows: list[tuple[Cell, ...]] = []
    done: set[tuple[str, str]] = set()
    for published in table.rows:
        who = f"{table.paper}: {published.which}" if published.which else table.paper
        rows.append((published.group, published.size, who, None, *published.figures))
        later = [row for row in table.rows if (row.group, row.size) == (published.group, published.size)]
        if (published.group, published.size) in done or published is not later[-1]:
            continue  # ours follow once, under the last of several published rows of one finding
        done.add((published.group, published.size))
        rows += _our_rows(table, published, records)
    return Table(
        f"Beside {table.paper}: {table.where}",
        ("finding", "true size", "who", "cases with it", *table.columns),
        tuple(rows),
        f"Theirs were measured on patients. {table.note}".strip(),
    )


def _our_rows(table: PublishedTable, published: PublishedRow, records: Sequence[ExamRecord]) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for system in systems_of(records):
        count, ours = our_figures(records, system, published, table.scope)
        if count:
            cells = (ours.get(name, math.nan) for name in table.columns)
            rows.append((published.group, published.size, f"ours: {system}", count, *cells))
    return rows


def our_figures(
    records: Sequence[ExamRecord], system: str, row: PublishedRow, scope: Scope
) -> tuple[int, dict[str, float]]:
    """The number of positive cases and every figure that this library knows, for a system, a finding and a scope."""
    if scope == "slices":
        slices = SliceColumns.of(records, system, row.group, positive_only=row.group != "any")
        if not slices.present.any():
            return 0, {}
        return int(slices.present.sum()), {name: item.value for name, item in slice_figures(slices).items()}
    c = Columns.of(records, system, row.group)
    if scope == "exams with hemorrhage" and row.group != "any":
        c = c.where(c.any_present)
    wanted = c.present if row.size == "all" else c.of_size(row.size)
    if scope == "balanced":
        used = wanted | ~c.any_present
        c, wanted = c.where(used), wanted[used]
    if not wanted.any():
        return 0, {}
    found = figures(c.called, c.probability, wanted, balanced=scope == "balanced")
    result = {name: estimate.value for name, estimate in found.items()}
    curve = roc_curve(c.probability, wanted)
    if curve is not None:
        result[FULL_SENSITIVITY] = full_sensitivity(curve).specificity
    return int(wanted.sum()), result | _mask_figures(c.where(wanted))


def _mask_figures(c: Columns) -> dict[str, float]:
    """Dice and volumes over the exams in which the finding is there."""
    result = {MEAN_DICE: mean(c.dice)}
    sources = ((c.predicted_ml, VOLUME_R, VOLUME_BIAS), (c.truth_abc2_ml, ABC2_R, ABC2_BIAS))
    for measured, r_name, bias_name in sources:
        used = ~np.isnan(measured) & ~np.isnan(c.truth_ml)
        result[r_name] = metrics.pearson_r(measured[used], c.truth_ml[used])
        result[bias_name] = metrics.percent_bias(measured[used], c.truth_ml[used])
    return result
