"""Where is it, and how much? Dice, volumes beside ABC/2, by size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..measurements.overlap import dice
from . import metrics
from .classification_tables import SIZED_GROUPS
from .columns import SIZE_CLASSES, Columns, answered_groups, mean
from .exam_records import ExamRecord
from .table import Cell, Table

VOLUME_SOURCES = (
    ("voxels", "predicted_ml"),
    ("ABC/2 of the answer", "predicted_abc2_ml"),
    ("ABC/2 of the truth", "truth_abc2_ml"),
)


def segmentation(records: Sequence[ExamRecord], system: str) -> Table:
    """Dice of each type."""
    rows: list[tuple[Cell, ...]] = []
    for group in answered_groups(records, system, SIZED_GROUPS):
        c = Columns.of(records, system, group)
        c = c.where(c.has_masks)
        if not len(c):
            continue
        found = c.present & (c.predicted_ml > 0)
        pooled = metrics.bootstrap(pooled_dice, c.overlap_ml, c.truth_ml, c.predicted_ml)
        mean_found = metrics.bootstrap(mean, c.dice[found])
        rows.append((group, int(c.present.sum()), metrics.bootstrap(mean, c.dice[c.present]), mean_found, pooled))
    return Table(
        "Where is it?",
        ("finding", "exams with it", "Dice, mean", "Dice, mean where found", "Dice, pooled voxels"),
        tuple(rows),
        "Mean over the exams in which the finding is truly present; one that was missed counts 0. Pooled: all voxels "
        "of all exams as one, false findings in negative exams included.",
    )


def volumes(records: Sequence[ExamRecord], system: str) -> Table:
    """Volumes against the true ones, ABC/2 beside them."""
    rows: list[tuple[Cell, ...]] = []
    for group in answered_groups(records, system, SIZED_GROUPS):
        c = Columns.of(records, system, group)
        for name, column in VOLUME_SOURCES:
            measured = getattr(c, column)
            used = c.present & ~np.isnan(measured) & ~np.isnan(c.truth_ml)
            if used.any():
                rows.append((group, name, *_agreement(measured[used], c.truth_ml[used])))
    return Table(
        "How much is it?",
        ("finding", "volume from", "exams", "Pearson r", "bias, mL", "bias, %", "limits of agreement, mL"),
        tuple(rows),
        "Against the true voxel volume, over the exams in which the finding is truly present; a missed one counts "
        "0 mL in the row of voxels and is absent from that of ABC/2. Bias in %: of the mean true volume.",
    )


def _agreement(measured_ml: np.ndarray, truth_ml: np.ndarray) -> tuple[Cell, ...]:
    low, high = metrics.limits_of_agreement(measured_ml, truth_ml)
    return (
        len(truth_ml),
        metrics.bootstrap(metrics.pearson_r, measured_ml, truth_ml),
        metrics.bootstrap(metrics.bias, measured_ml, truth_ml),
        metrics.bootstrap(metrics.percent_bias, measured_ml, truth_ml),
        f"{low:.2f} to {high:.2f}" if not np.isnan(low) else None,
    )


def by_size(records: Sequence[ExamRecord], system: str) -> Table:
    """Dice and volume bias by true size."""
    rows: list[tuple[Cell, ...]] = []
    for group in answered_groups(records, system, SIZED_GROUPS):
        c = Columns.of(records, system, group)
        for size, _, _ in SIZE_CLASSES:
            used = c.of_size(size) & c.has_masks
            if used.any():
                bias = metrics.bootstrap(metrics.bias, c.predicted_ml[used], c.truth_ml[used])
                rows.append((group, size, int(used.sum()), metrics.bootstrap(mean, c.dice[used]), bias))
    return Table(
        "Dice and volume by size",
        ("finding", "true size", "exams", "Dice, mean", "bias, mL"),
        tuple(rows),
        "Size classes as above, by the true volume.",
    )


def pooled_dice(overlap_ml: np.ndarray, truth_ml: np.ndarray, predicted_ml: np.ndarray) -> float:
    """Dice of all voxels of all exams taken as one image."""
    return float(dice(overlap_ml.sum(), truth_ml.sum(), predicted_ml.sum()))
