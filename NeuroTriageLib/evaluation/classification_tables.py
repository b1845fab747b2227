"""Is it there? The papers' figures of classification, by type, by size, on the full and on balanced sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import metrics
from .columns import SIZE_CLASSES, Columns, answered_groups
from .confusion import Confusion, estimates
from .exam_records import EXTRA_AXIAL, GROUPS, ExamRecord
from .metrics import Estimate
from .operating_points import full_sensitivity, highest_sum, roc_curve
from .table import Cell, Table

FIGURES = ("accuracy", "AUC", "sensitivity", "specificity", "PPV", "NPV", "F1")

# Groups of the tables by size: those of Chang 2018 (table 2) and the single types.
SIZED_GROUPS = ("any", "IPH", "IVH", EXTRA_AXIAL, "SDH", "EDH", "SAH")


def figures(
    called: np.ndarray, score: np.ndarray, positive: np.ndarray, *, balanced: bool = False
) -> dict[str, Estimate]:
    """FIGURES of (N,) exams with their intervals; balanced: positives and negatives weigh the same.

    The AUC does not depend on the balance.
    """
    weights = metrics.bootstrap_weights(len(positive)) if len(positive) else np.zeros((1, 0))
    confusion, drawn = Confusion.of(called, positive), Confusion.of(called, positive, weights)
    if balanced:
        confusion, drawn = confusion.balanced(), drawn.balanced()
    result = estimates(confusion, drawn)
    area = metrics.auc(score, positive)
    drawn_area = metrics.weighted_auc(score, positive, weights) if not np.isnan(area) else np.zeros(0)
    result["AUC"] = metrics.percentile_interval(area, drawn_area)
    return {name: result[name] for name in FIGURES}


def by_type(records: Sequence[ExamRecord], system: str) -> Table:
    """All exams, each type by its own probability and call."""
    rows = []
    for group in answered_groups(records, system, tuple(GROUPS)):
        c = Columns.of(records, system, group)
        rows.append(_row(group, c, c.present, balanced=False))
    return Table(
        "Is it there?",
        ("finding", "exams", "with it", *FIGURES),
        tuple(rows),
        "Exam level, all exams. Calls at the model pack's own operating points.",
    )


def by_type_in_positive_exams(records: Sequence[ExamRecord], system: str) -> Table:
    """Only exams with hemorrhage, as Ye 2019 tells the types apart (table 3)."""
    rows = []
    for group in answered_groups(records, system, tuple(GROUPS))[1:]:
        c = Columns.of(records, system, group)
        c = c.where(c.any_present)
        rows.append(_row(group, c, c.present, balanced=False))
    return Table(
        "Which type is it?",
        ("finding", "exams", "with it", *FIGURES),
        tuple(rows),
        "Exam level, only exams with hemorrhage: how Ye 2019 reports the types (table 3).",
    )


def by_size(records: Sequence[ExamRecord], system: str, *, balanced: bool) -> Table:
    """Exams with a type in a size class against all exams without any hemorrhage."""
    rows: list[tuple[Cell, ...]] = []
    for group in answered_groups(records, system, SIZED_GROUPS):
        c = Columns.of(records, system, group)
        for size in ("all", *(name for name, _, _ in SIZE_CLASSES)):
            wanted = c.present if size == "all" else c.of_size(size)
            if wanted.any():
                used = wanted | ~c.any_present
                rows.append((group, size, *_row(group, c.where(used), wanted[used], balanced=balanced)[1:]))
    kind = "balanced set" if balanced else "full set"
    note = (
        "Exams in which the finding is truly there, in the size class of its true volume (large > 25 mL, medium 5-25, "
        "small 0.01-5, punctate < 0.01; Chang 2018), against all exams without hemorrhage."
    )
    if balanced:
        note += (
            " Both sides weigh the same. Each row counts the finding's own calls; Chang 2018 has one specificity in all"
            " rows, so there any call counted."
        )
    return Table(f"By type and size, {kind}", ("finding", "true size", "exams", "with it", *FIGURES), tuple(rows), note)


def operating_points(records: Sequence[ExamRecord], system: str) -> Table:
    """The pack's own point beside those that the papers choose on the ROC curve."""
    rows: list[tuple[Cell, ...]] = []
    for group in answered_groups(records, system, tuple(GROUPS)):
        c = Columns.of(records, system, group)
        curve = roc_curve(c.probability, c.present)
        if curve is None:
            continue
        points: list[tuple[str, float | None, np.ndarray]] = [("the model pack's own", None, c.called)]
        for name, point in (
            ("highest sensitivity + specificity", highest_sum(curve)),
            ("highest specificity at full sensitivity", full_sensitivity(curve)),
        ):
            points.append((name, point.threshold, c.probability >= point.threshold))
        for name, threshold, called in points:
            found = figures(called, c.probability, c.present)
            rows.append((group, name, threshold, found["sensitivity"], found["specificity"]))
    return Table(
        "Operating points",
        ("finding", "operating point", "threshold", "sensitivity", "specificity"),
        tuple(rows),
        "The last two are chosen on these very exams, as the papers do, and so flatter the system a little; their "
        "intervals leave out the choice. The pack's own point calls a type only when it calls any hemorrhage.",
    )


def _row(group: str, c: Columns, positive: np.ndarray, *, balanced: bool) -> tuple[Cell, ...]:
    found = figures(c.called, c.probability, positive, balanced=balanced)
    return (group, len(c), int(positive.sum()), *found.values())
