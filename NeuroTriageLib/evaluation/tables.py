"""From exam records to tables: classification, segmentation, volumes beside ABC/2, by size and by slices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.codes import ANY
from . import metrics
from .exam_records import GROUPS, ExamRecord
from .metrics import Estimate

Cell = str | int | float | Estimate

# Chang 2018: large > 25 mL, medium 5-25, small 0.01-5, punctate < 0.01.
SIZE_CLASSES = (("large", 25.0, math.inf), ("medium", 5.0, 25.0), ("small", 0.01, 5.0), ("punctate", 0.0, 0.01))

# Slice spacings in mm that behave alike: thin reformats, the usual 2-3 mm, the usual 5 mm, and thicker (ours).
SPACING_CLASSES = ((0.0, 1.5), (1.5, 3.5), (3.5, 5.5), (5.5, math.inf))
TILTED_DEG = 1.0  # below it a scan counts as untilted (ours)


@dataclass(frozen=True)
class Table:
    """A titled table; every row has a cell per column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def to_markdown(self) -> str:
        """The table with its title and note, three decimals, intervals in brackets, "-" for what is undefined."""
        lines = [f"### {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        lines += ["| " + " | ".join(self.columns) + " |", "|" + " --- |" * len(self.columns)]
        lines += ["| " + " | ".join(_text(cell) for cell in row) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Plain values; an estimate becomes {"value", "low", "high"}, what is undefined None."""
        rows = [dict(zip(self.columns, map(_plain, row), strict=True)) for row in self.rows]
        return {"title": self.title, "note": self.note, "rows": rows}


def evaluation_tables(records: Sequence[ExamRecord]) -> tuple[Table, ...]:
    """All tables, in the order in which they are read."""
    return (
        _exams(records),
        _classification(records),
        _segmentation(records),
        _volumes(records),
        _by_size(records),
        _by_slices(records),
    )


@dataclass(frozen=True)
class _Columns:
    """One group's values over the exams, each (N,)."""

    present: np.ndarray
    called: np.ndarray
    probability: np.ndarray
    truth_ml: np.ndarray
    predicted_ml: np.ndarray
    overlap_ml: np.ndarray
    truth_abc2_ml: np.ndarray
    predicted_abc2_ml: np.ndarray

    @classmethod
    def of(cls, records: Sequence[ExamRecord], group: str) -> _Columns:
        """The group's columns; an ABC/2 that does not exist is NaN."""
        findings = [record.findings[group] for record in records]

        def numbers(name: str) -> np.ndarray:
            values = [getattr(finding, name) for finding in findings]
            return np.array([math.nan if value is None else value for value in values], dtype=np.float64)

        names = ("probability", "truth_ml", "predicted_ml", "overlap_ml", "truth_abc2_ml", "predicted_abc2_ml")
        return cls(
            present=np.array([finding.present for finding in findings], dtype=bool),
            called=np.array([finding.called for finding in findings], dtype=bool),
            **{name: numbers(name) for name in names},
        )

    @property
    def dice(self) -> np.ndarray:
        """(N,) Dice per exam; NaN where neither mask has a voxel."""
        return np.asarray(metrics.dice(self.overlap_ml, self.truth_ml, self.predicted_ml))


def _exams(records: Sequence[ExamRecord]) -> Table:
    spacing = np.array([record.slice_spacing_mm for record in records])
    tilt = np.array([record.tilt_deg for record in records])
    seconds = np.array([record.seconds for record in records])
    positive = _Columns.of(records, ANY).present
    rows: list[tuple[Cell, ...]] = [
        ("exams", len(records)),
        ("with hemorrhage", int(positive.sum())),
        ("heads", len({record.anatomy for record in records})),
        ("slice spacing, mm (range)", _range(spacing)),
        ("tilted exams", int((tilt >= TILTED_DEG).sum())),
        ("tilt, degrees (range)", _range(tilt)),
        ("seconds per exam (median)", float(np.median(seconds)) if len(seconds) else math.nan),
    ]
    return Table("Exams", ("what", "figure"), tuple(rows))


def _classification(records: Sequence[ExamRecord]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for group in GROUPS:
        c = _Columns.of(records, group)
        rows.append(
            (
                group,
                int(c.present.sum()),
                metrics.bootstrap(metrics.auc, c.probability, c.present),
                metrics.bootstrap(metrics.sensitivity, c.called, c.present),
                metrics.bootstrap(metrics.specificity, c.called, c.present),
                metrics.bootstrap(metrics.accuracy, c.called, c.present),
            )
        )
    return Table(
        "Is it there?",
        ("finding", "positive exams", "AUC", "sensitivity", "specificity", "accuracy"),
        tuple(rows),
        "Exam level. Sensitivity, specificity and accuracy at the model pack's own operating points.",
    )


def _segmentation(records: Sequence[ExamRecord]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for group in GROUPS:
        c = _Columns.of(records, group)
        found = c.present & (c.predicted_ml > 0)
        pooled = metrics.bootstrap(_pooled_dice, c.overlap_ml, c.truth_ml, c.predicted_ml)
        mean_found = metrics.bootstrap(_mean, c.dice[found])
        rows.append((group, int(c.present.sum()), metrics.bootstrap(_mean, c.dice[c.present]), mean_found, pooled))
    return Table(
        "Where is it?",
        ("finding", "exams with it", "Dice, mean", "Dice, mean where found", "Dice, pooled voxels"),
        tuple(rows),
        "Mean over the exams in which the finding is truly present; one that was missed counts 0. Pooled: all voxels "
        "of all exams as one, false findings in negative exams included.",
    )


def _volumes(records: Sequence[ExamRecord]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    sources = (
        ("voxels", "predicted_ml"),
        ("ABC/2 of the answer", "predicted_abc2_ml"),
        ("ABC/2 of the truth", "truth_abc2_ml"),
    )
    for group in GROUPS:
        c = _Columns.of(records, group)
        for name, column in sources:
            measured = getattr(c, column)
            used = c.present & ~np.isnan(measured)
            if used.any():
                low, high = metrics.limits_of_agreement(measured[used], c.truth_ml[used])
                rows.append(
                    (
                        group,
                        name,
                        int(used.sum()),
                        metrics.bootstrap(metrics.pearson_r, measured[used], c.truth_ml[used]),
                        metrics.bootstrap(metrics.bias, measured[used], c.truth_ml[used]),
                        f"{low:.2f} to {high:.2f}",
                    )
                )
    return Table(
        "How much is it?",
        ("finding", "volume from", "exams", "Pearson r", "bias, mL", "limits of agreement, mL"),
        tuple(rows),
        "Against the true voxel volume, over the exams in which the finding is truly present; a missed one counts "
        "0 mL in the row of voxels and is absent from that of ABC/2.",
    )


def _by_size(records: Sequence[ExamRecord]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for group in GROUPS:
        c = _Columns.of(records, group)
        for name, low, high in SIZE_CLASSES:
            used = c.present & (c.truth_ml >= low) & (c.truth_ml < high)
            if used.any():
                rows.append(
                    (
                        group,
                        name,
                        int(used.sum()),
                        metrics.bootstrap(_mean, c.called[used].astype(float)),
                        metrics.bootstrap(_mean, c.dice[used]),
                        metrics.bootstrap(metrics.bias, c.predicted_ml[used], c.truth_ml[used]),
                    )
                )
    return Table(
        "By size",
        ("finding", "true size", "exams", "sensitivity", "Dice, mean", "bias, mL"),
        tuple(rows),
        "Large > 25 mL, medium 5-25, small 0.01-5, punctate < 0.01 (Chang 2018), by the true volume.",
    )


def _by_slices(records: Sequence[ExamRecord]) -> Table:
    spacing = np.array([record.slice_spacing_mm for record in records])
    tilt = np.array([record.tilt_deg for record in records])
    c = _Columns.of(records, ANY)
    strata = [
        (f"slices every {low:g}-{high:g} mm" if high < math.inf else f"slices every > {low:g} mm", (low, high))
        for low, high in SPACING_CLASSES
    ]
    rows: list[tuple[Cell, ...]] = [
        _stratum(name, c, (spacing >= low) & (spacing < high)) for name, (low, high) in strata
    ]
    rows.append(_stratum(f"tilt below {TILTED_DEG:g} degree", c, tilt < TILTED_DEG))
    rows.append(_stratum(f"tilt of {TILTED_DEG:g} degree or more", c, tilt >= TILTED_DEG))
    return Table(
        "By slices and tilt (any hemorrhage)",
        ("exams", "number", "with hemorrhage", "AUC", "Dice, mean"),
        tuple(row for row in rows if row[1]),
    )


def _stratum(name: str, c: _Columns, used: np.ndarray) -> tuple[Cell, ...]:
    positive = used & c.present
    area = metrics.bootstrap(metrics.auc, c.probability[used], c.present[used])
    return name, int(used.sum()), int(positive.sum()), area, metrics.bootstrap(_mean, c.dice[positive])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan


def _pooled_dice(overlap_ml: np.ndarray, truth_ml: np.ndarray, predicted_ml: np.ndarray) -> float:
    return float(metrics.dice(overlap_ml.sum(), truth_ml.sum(), predicted_ml.sum()))


def _range(values: np.ndarray) -> str:
    return f"{values.min():.1f} to {values.max():.1f}" if len(values) else "-"


def _text(cell: Cell) -> str:
    if isinstance(cell, Estimate):
        if math.isnan(cell.low):
            return _text(cell.value)
        return f"{_text(cell.value)} [{_text(cell.low)}, {_text(cell.high)}]"
    if isinstance(cell, float):
        return "-" if math.isnan(cell) else f"{cell:.3f}"
    return str(cell)


def _plain(cell: Cell) -> Any:
    if isinstance(cell, Estimate):
        return {name: _plain(getattr(cell, name)) for name in ("value", "low", "high")}
    return None if isinstance(cell, float) and math.isnan(cell) else cell
