"""A comparison of two models as lines of tables."""

from __future__ import annotations

from collections.abc import Mapping

from slicer.i18n import tr as _

from NeuroTriageLib.core.codes import ANY, FINDING_CODES, MR_CODES

from .findings_rows import NONE

FIGURE_COLUMNS = ("Exams", "Figure", "Old", "New", "Difference [95 %]")
EXAM_COLUMNS = ("Exam", "Truth", "mL", "Old: p", "Dice", "New: p", "Dice")


def figure_rows(sets: Mapping[str, dict]) -> list[tuple[str, ...]]:
    """The figures of any hemorrhage on each set of exams; on brain MRI those of each finding."""
    rows = []
    for name, found in sets.items():
        for figure in (each for each in found["figures"] if each["code"] in (ANY, *MR_CODES)):
            old, new = (_number(figure[key], 3) for key in ("old", "new"))
            of = "" if figure["code"] == ANY else f", {_name(figure['code'])}"
            rows.append((name, figure["figure"] + of, old, new, _difference(figure["difference"])))
    return rows


def exam_rows(sets: Mapping[str, list[dict]]) -> list[tuple[str, ...]]:
    """Each exam with both models' answers on any hemorrhage, on MRI on the finding on which they differ most.

    A model that could not look has none.
    """
    rows = []
    for exam in (row for found in sets.values() for row in found):
        truth = ", ".join(map(_name, exam["types"])) or (_("yes") if exam["present"] else _("none"))
        if exam["finding"] != ANY:
            truth = _("{0} (answers on {1})").format(truth, _name(exam["finding"]))
        cells = [exam["exam"].rpartition("/")[2], truth, _number(exam["truth_ml"], 1)]
        for model in ("old", "new"):
            said = exam[model] or {}
            cells += [_number(said.get("probability"), 2), _number(said.get("dice"), 2)]
        rows.append(tuple(cells))
    return rows


def _name(code: str) -> str:
    return FINDING_CODES[code].name.lower() if code in MR_CODES else code


def _difference(values: Mapping[str, float | None]) -> str:
    value, low, high = (values[name] for name in ("value", "low", "high"))
    if value is None:
        return NONE
    return f"{value:+.3f}" if low is None or high is None else f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _number(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:.{digits}f}"
