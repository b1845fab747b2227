"""Paired figures of two models on the same exams: what each reaches, and the difference with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..core.codes import ANY, CT_HEMORRHAGE_CODES, FINDING_CODES, MR_CODES
from ..evaluation.columns import Columns
from ..evaluation.exam_records import ExamRecord
from ..evaluation.metrics import Estimate, auc, bootstrap_weights, percentile_interval, weighted_auc

AUC, DICE, ERROR = "AUC", "Dice", "error, mL"
FIGURES = (AUC, DICE, ERROR)
GROUPS = (ANY, *CT_HEMORRHAGE_CODES, *MR_CODES)
HEADLINES = (ANY, *MR_CODES)
"""The findings whose figures decide: any hemorrhage on head CT, each finding on brain MRI."""


def finding_name(code: str) -> str:
    """In a sentence."""
    return "any hemorrhage" if code == ANY else FINDING_CODES[code].name.lower()


@dataclass(frozen=True)
class PairedFigure:
    """One figure of both models.

    Args:
        figure: of FIGURES. Dice is the mean over exams that show the finding; the error is the mean distance between
            the volume of the answer's mask and of the true one, over all exams.
        code: finding.
        exams: how many the figure is made of.
        old, new: the models' own values.
        difference: new - old with its 95 % interval: patients drawn with replacement, both models' answers together.
        losing: share of these draws in which the new model is the worse one; NaN where none has a value.
    """

    figure: str
    code: str
    exams: int
    old: float
    new: float
    difference: Estimate
    losing: float = math.nan

    @property
    def gain(self) -> Estimate:
        """The difference so that more is better."""
        d = self.difference
        return Estimate(-d.value, -d.high, -d.low) if self.figure == ERROR else d

    def to_json(self) -> dict[str, Any]:
        """Plain values; None where a figure cannot be known."""
        values = asdict(self)
        values["difference"] = {name: _known(value) for name, value in values["difference"].items()}
        return values | {name: _known(getattr(self, name)) for name in ("old", "new", "losing")}


def paired_figures(
    records: Sequence[ExamRecord], patients: Sequence[str], old: str, new: str
) -> tuple[PairedFigure, ...]:
    """Every figure of two answers, of exams that both answered; figures that cannot be known are left out.

    Args:
        records: exams; each holds the answers under the names `old` and `new`.
        patients: of each exam: several exams of one are drawn together.
    """
    found = []
    for code in GROUPS:
        both = [n for n, record in enumerate(records) if all(_answers(record, name, code) for name in (old, new))]
        if not both:
            continue
        columns = [Columns.of([records[n] for n in both], name, code) for name in (old, new)]
        weights = _weights([patients[n] for n in both])
        made = (_area(code, columns, weights), _dice(code, columns, weights), _error(code, columns, weights))
        found += [figure for figure in made if figure is not None]
    return tuple(found)


def _answers(record: ExamRecord, name: str, code: str) -> bool:
    return code in record.truth and name in record.answers and code in record.answers[name].groups


def _weights(patients: Sequence[str]) -> np.ndarray:
    """(draws, exams) how often each exam is drawn."""
    _, number = np.unique(np.array(patients), return_inverse=True)
    return bootstrap_weights(int(number.max()) + 1)[:, number]


def _area(code: str, columns: Sequence[Columns], weights: np.ndarray) -> PairedFigure | None:
    present = columns[0].present
    values = [auc(each.probability, present) for each in columns]
    if math.isnan(values[0]):
        return None
    drawn = [weighted_auc(each.probability, present, weights) for each in columns]
    return _figure(AUC, code, len(present), values, drawn)


def _dice(code: str, columns: Sequence[Columns], weights: np.ndarray) -> PairedFigure | None:
    return _mean(DICE, code, [each.dice for each in columns], weights, columns[0].present)


def _error(code: str, columns: Sequence[Columns], weights: np.ndarray) -> PairedFigure | None:
    errors = [np.abs(each.predicted_ml - each.truth_ml) for each in columns]
    return _mean(ERROR, code, errors, weights, np.ones(len(errors[0]), bool))


def _mean(
    figure: str, code: str, values: Sequence[np.ndarray], weights: np.ndarray, used: np.ndarray
) -> PairedFigure | None:
    """The mean over exams in which both models have the value."""
    used = used & ~np.isnan(values[0]) & ~np.isnan(values[1])
    if not used.any():
        return None
    share = weights[:, used]
    with np.errstate(invalid="ignore"):
        drawn = [share @ each[used] / share.sum(1) for each in values]
    return _figure(figure, code, int(used.sum()), [float(each[used].mean()) for each in values], drawn)


def _figure(figure: str, code: str, exams: int, values: Sequence[float], drawn: Sequence[np.ndarray]) -> PairedFigure:
    old, new = values
    change = drawn[1] - drawn[0]
    worse = (change > 0) if figure == ERROR else (change < 0)
    known = ~np.isnan(change)
    losing = float(worse[known].mean()) if known.any() else math.nan
    return PairedFigure(figure, code, exams, old, new, percentile_interval(new - old, change), losing)


def _known(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
