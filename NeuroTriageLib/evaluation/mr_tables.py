"""The tables of brain MRI: beside Nael 2021, what optional contrasts add, where findings lie and how large they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.codes import MR_CODES
from . import metrics
from .beside_papers import beside
from .classification_tables import FIGURES, figures
from .columns import Columns, answered_groups, mean
from .exam_records import ExamRecord, systems_of
from .mask_tables import pooled_dice
from .published_mr import CONTRIBUTION, NAEL_2021
from .table import Cell, Table

REQUIRED_ONLY = ", required contrasts"
"""What the name of a system ends with when it was given the required contrasts alone."""


def is_mr(record: ExamRecord) -> bool:
    """True for a study of brain MRI."""
    return bool(set(record.truth) & set(MR_CODES))


def mr_tables(records: Sequence[ExamRecord]) -> tuple[Table, ...]:
    """Everything about studies of brain MRI; tables may be without rows."""
    own = []
    for system in systems_of(records):
        own += [by_finding(records, system), masks(records, system)]
    return (*(beside(table, records) for table in NAEL_2021), contribution(records), *own)


def by_finding(records: Sequence[ExamRecord], system: str) -> Table:
    """Each finding by its own probability and call."""
    rows: list[tuple[Cell, ...]] = []
    for code in answered_groups(records, system, MR_CODES):
        c = Columns.of(records, system, code)
        found = figures(c.called, c.probability, c.present)
        rows.append((code, len(c), int(c.present.sum()), *(found[name] for name in FIGURES)))
    return Table(
        f"Is it there? ({system})",
        ("finding", "studies", "with it", *FIGURES),
        tuple(rows),
        "Study level. Calls at the model pack's own operating points. What could not be looked at is in no row.",
    )


def masks(records: Sequence[ExamRecord], system: str) -> Table:
    """Dice and volumes of the findings that are outlined."""
    rows: list[tuple[Cell, ...]] = []
    for code in answered_groups(records, system, MR_CODES):
        c = Columns.of(records, system, code)
        c = c.where(c.has_masks)
        if not c.present.any():
            continue
        true = c.where(c.present)
        rows.append((
            code, len(true), metrics.bootstrap(mean, true.dice),
            metrics.bootstrap(pooled_dice, c.overlap_ml, c.truth_ml, c.predicted_ml),
            metrics.bootstrap(metrics.pearson_r, true.predicted_ml, true.truth_ml),
            metrics.bootstrap(metrics.bias, true.predicted_ml, true.truth_ml),
        ))  # fmt: skip
    return Table(
        f"Where is it, and how much? ({system})",
        ("finding", "studies with it", "Dice, mean", "Dice, pooled voxels", "volume r", "volume bias, mL"),
        tuple(rows),
        "On the voxels of the series that it is shown on; a missed finding counts 0.",
    )


def contribution(records: Sequence[ExamRecord]) -> Table:
    """Nael 2021, table 4: the gain of all contrasts over the required ones, theirs and ours on the same studies."""
    rows: list[tuple[Cell, ...]] = [
        (code, f"Nael 2021: {name}", None, *gains)
        for name, said in CONTRIBUTION.items()
        for code, gains in said.items()
    ]
    names = systems_of(records)
    ours = [(name, name + REQUIRED_ONLY) for name in names if name + REQUIRED_ONLY in names]
    for every, required in ours:
        both = [record for record in records if {every, required} <= record.answers.keys()]
        for code in answered_groups(both, required, MR_CODES):
            used = [record for record in both if code in record.answers[every].groups]
            used = [record for record in used if code in record.answers[required].groups]
            a, b = (Columns.of(used, name, code) for name in (every, required))
            rows.append((code, f"ours: {every}", len(a), *(_gain(a) - _gain(b))))
    rows.sort(key=lambda row: MR_CODES.index(str(row[0])))
    return Table(
        "Beside Nael 2021: table 4, what optional contrasts add",
        ("finding", "who", "studies", "AUC", "sensitivity", "specificity"),
        tuple(rows) if ours else (),
        "Positive: better with all contrasts than with the required ones alone. Theirs were measured on patients.",
    )


def _gain(c: Columns) -> np.ndarray:
    """AUC, sensitivity, specificity; NaN where undefined."""
    sensitivity = c.called[c.present].mean() if c.present.any() else np.nan
    specificity = (~c.called[~c.present]).mean() if (~c.present).any() else np.nan
    return np.array([metrics.auc(c.probability, c.present), sensitivity, specificity])
