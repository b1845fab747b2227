"""All tables of an evaluation: the exams, every system's figures, the papers' tables, strata of slices and tilt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.codes import ANY
from . import classification_tables, mask_tables, metrics
from .beside_papers import beside_the_papers
from .columns import Columns, compared, mean
from .exam_records import ExamRecord, systems_of
from .mr_tables import is_mr, mr_tables
from .slice_tables import by_slice
from .table import Cell, Table

# Slice spacings in mm that behave alike: thin reformats, the usual 2-3 mm, the usual 5 mm, and thicker (ours).
SPACING_CLASSES = ((0.0, 1.5), (1.5, 3.5), (3.5, 5.5), (5.5, math.inf))
TILTED_DEG = 1.0  # below it a scan counts as untilted (ours)


@dataclass(frozen=True)
class Section:
    """Tables under one heading."""

    title: str
    tables: tuple[Table, ...]

    def to_markdown(self) -> str:
        """Heading and tables."""
        return "\n".join([f"## {self.title}\n", *(table.to_markdown() for table in self.tables)])

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"title": self.title, "tables": [table.to_json() for table in self.tables]}


def evaluation_sections(records: Sequence[ExamRecord]) -> tuple[Section, ...]:
    """Everything, in the order in which it is read; tables without rows are left out."""
    studies = [record for record in records if is_mr(record)]
    ct = [record for record in records if not is_mr(record)]
    sections = [Section("Brain MRI", mr_tables(studies))] if studies else []
    if ct:
        sections += [Section("Exams", (exams(ct),)), Section("Beside the papers", beside_the_papers(ct))]
        sections += [Section(f"System {system}", system_tables(ct, system)) for system in systems_of(ct)]
    kept = [Section(s.title, tuple(table for table in s.tables if table.rows)) for s in sections]
    return tuple(section for section in kept if section.tables)


def system_tables(records: Sequence[ExamRecord], system: str) -> tuple[Table, ...]:
    """One system's tables."""
    return (
        classification_tables.by_type(records, system),
        classification_tables.by_type_in_positive_exams(records, system),
        classification_tables.by_size(records, system, balanced=False),
        classification_tables.by_size(records, system, balanced=True),
        classification_tables.operating_points(records, system),
        by_slice(records, system),
        mask_tables.segmentation(records, system),
        mask_tables.volumes(records, system),
        mask_tables.by_size(records, system),
        by_stack(records, system),
    )


def exams(records: Sequence[ExamRecord]) -> Table:
    """What was evaluated."""
    spacing = [record.slice_spacing_mm for record in records if record.slice_spacing_mm is not None]
    tilt = [record.tilt_deg for record in records if record.tilt_deg is not None]
    truths = [record.truth[ANY].present for record in records if ANY in record.truth]
    rows: list[tuple[Cell, ...]] = [
        ("exams", len(records)),
        ("simulated exams", sum(record.simulated is True for record in records)),
        ("with hemorrhage", sum(truths)),
        ("heads (anatomies)", len({record.anatomy for record in records if record.anatomy})),
        ("slice spacing, mm (range)", _range(spacing)),
        ("tilted exams", sum(degrees >= TILTED_DEG for degrees in tilt)),
        ("tilt, degrees (range)", _range(tilt)),
    ]
    if unlike := [record.conditions["unfamiliar"] for record in records if "unfamiliar" in record.conditions]:
        rows.append(("unlike the training exams (flagged, answered all the same)", sum(unlike)))
    for system in systems_of(records):
        answers = [record.answers[system] for record in records if system in record.answers]
        seconds = [answer.seconds for answer in answers if answer.seconds is not None]
        rows.append((f"{system}: exams answered", sum(ANY in answer.groups for answer in answers)))
        if seconds:
            rows.append((f"{system}: seconds per exam (median)", float(np.median(seconds))))
    return Table("What was evaluated", ("what", "figure"), tuple(rows))


def by_stack(records: Sequence[ExamRecord], system: str) -> Table:
    """Any hemorrhage by slice spacing and tilt."""
    used = compared(records, system, ANY)
    c = Columns.of(records, system, ANY)
    spacing = np.array([math.nan if r.slice_spacing_mm is None else r.slice_spacing_mm for r in used])
    tilt = np.array([math.nan if r.tilt_deg is None else r.tilt_deg for r in used])
    strata = [
        (f"slices every {low:g}-{high:g} mm" if high < math.inf else f"slices every > {low:g} mm", low, high)
        for low, high in SPACING_CLASSES
    ]
    rows = [stratum(name, c.where((spacing >= low) & (spacing < high))) for name, low, high in strata]
    rows.append(stratum(f"tilt below {TILTED_DEG:g} degree", c.where(tilt < TILTED_DEG)))
    rows.append(stratum(f"tilt of {TILTED_DEG:g} degree or more", c.where(tilt >= TILTED_DEG)))
    return Table(
        "By slices and tilt (any hemorrhage)",
        ("exams", "number", "with hemorrhage", "AUC", "Dice, mean"),
        tuple(row for row in rows if row[1]),
    )


def stratum(name: str, c: Columns) -> tuple[Cell, ...]:
    """A row: name, exams, positive exams, AUC, mean Dice of the positive ones."""
    area = metrics.bootstrap(metrics.auc, c.probability, c.present)
    return name, len(c), int(c.present.sum()), area, metrics.bootstrap(mean, c.dice[c.present])


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f}" if values else "-"
