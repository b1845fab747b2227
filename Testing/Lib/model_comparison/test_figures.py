"""Paired figures and the verdict, on exams whose figures can be told without the code."""

from __future__ import annotations

from statistics import NormalDist

import pytest

from NeuroTriageLib.core.codes import MR_CODES
from NeuroTriageLib.evaluation.exam_records import ExamRecord, GroupAnswer, GroupTruth, SystemAnswer
from NeuroTriageLib.evaluation.metrics import Estimate
from NeuroTriageLib.model_comparison.figures import PairedFigure, paired_figures
from NeuroTriageLib.model_comparison.verdict import verdict_of


def answer(probability: float, ml: float, overlap: float) -> SystemAnswer:
    return SystemAnswer({"any": GroupAnswer(probability, probability > 0.5, ml, overlap)})


def exam(number: int, truth_ml: float, old: tuple, new: tuple) -> ExamRecord:
    truth = {"any": GroupTruth(truth_ml > 0, truth_ml)}
    return ExamRecord(f"e{number}", truth, {"old": answer(*old), "new": answer(*new)})


def found(figures, name: str):
    return next(figure for figure in figures if (figure.figure, figure.code) == (name, "any"))


@pytest.fixture
def records() -> list[ExamRecord]:
    """20 exams: on the bleeding ones the old mask holds half of the 10 mL, the new one all; ranks are perfect in the
    new model and reversed in the old one."""
    bleeding = [exam(n, 10.0, (0.2, 5.0, 5.0), (0.9, 10.0, 10.0)) for n in range(10)]
    return bleeding + [exam(n + 10, 0.0, (0.8, 2.0, 0.0), (0.1, 0.0, 0.0)) for n in range(10)]


def test_each_figure_is_that_of_the_exams_and_the_difference_is_new_minus_old(records):
    figures = paired_figures(records, [record.exam for record in records], "old", "new")
    area, dice, error = (found(figures, name) for name in ("AUC", "Dice", "error, mL"))
    assert (area.old, area.new, area.difference.value) == (0.0, 1.0, 1.0)
    assert dice.exams == 10 and dice.old == pytest.approx(2 * 5 / 15) and dice.new == 1.0
    assert error.exams == 20 and error.old == pytest.approx((10 * 5 + 10 * 2) / 20) and error.new == 0.0
    assert error.gain.value == pytest.approx(3.5) and error.gain.low > 0


def test_exams_of_one_patient_are_drawn_together(records):
    mixed = [
        exam(n, 10.0, (0.5, 5.0, 5.0), (0.5, 5.0 + 5.0 * (n // 5 % 2), 5.0 + 5.0 * (n // 5 % 2))) for n in range(40)
    ]
    single = found(paired_figures(mixed, [f"p{n}" for n in range(40)], "old", "new"), "Dice").difference
    several = found(paired_figures(mixed, [f"p{n // 5}" for n in range(40)], "old", "new"), "Dice").difference
    assert several.value == pytest.approx(single.value)
    assert several.high - several.low > 1.5 * (single.high - single.low)


def test_an_exam_that_one_model_could_not_look_at_is_in_no_figure(records):
    blind = ExamRecord("e99", records[0].truth, {"old": records[0].answers["old"]})
    figures = paired_figures([*records, blind], [*(r.exam for r in records), "e99"], "old", "new")
    assert found(figures, "AUC").exams == 20


def figure(name: str, value: float, low: float, high: float, exams: int = 50, code: str = "any") -> PairedFigure:
    """With the share of losing draws of a normal distribution of that interval."""
    gain = NormalDist(-value if name.startswith("error") else value, (high - low) / 3.92)
    return PairedFigure(name, code, exams, 0.7, 0.7 + value, Estimate(value, low, high), gain.cdf(0.0))


@pytest.mark.parametrize(
    ("local", "simulated", "advice"),
    [
        ([figure("Dice", 0.1, 0.05, 0.15)], [figure("AUC", 0.0, -0.01, 0.01)], "accept"),
        ([figure("Dice", 0.1, 0.05, 0.15)], [figure("AUC", -0.025, -0.05, 0.0)], "keep"),
        ([figure("Dice", 0.1, 0.05, 0.15)], [figure("AUC", -0.02, -0.07, 0.03)], "accept"),
        ([figure("Dice", 0.1, -0.05, 0.25)], [figure("AUC", 0.0, -0.01, 0.01)], "unclear"),
        ([figure("Dice", -0.1, -0.15, -0.05)], [], "keep"),
        ([figure("error, mL", -3.0, -5.0, -1.0)], [], "accept"),
        ([figure("error, mL", 3.0, 1.0, 5.0), figure("Dice", 0.1, 0.05, 0.15)], [], "keep"),
        ([], [figure("AUC", 0.1, 0.05, 0.15)], "unclear"),
    ],
)
def test_the_advice_follows_from_the_intervals(local, simulated, advice):
    said = verdict_of({"this site": local, "simulated": simulated})
    assert said.advice == advice
    assert ("no held-out exams of this site" in " ".join(said.lines)) == (not local)


def test_a_fall_on_a_handful_of_simulated_exams_decides_nothing():
    better = [figure("Dice", 0.1, 0.05, 0.15)]
    for exams, advice in ((12, "accept"), (40, "keep")):
        fallen = [figure("AUC", -0.05, -0.1, 0.0, exams=exams)]
        assert verdict_of({"this site": better, "simulated": fallen}).advice == advice


def test_one_of_many_figures_outside_its_interval_decides_nothing():
    kinds = [(name, code) for name in ("AUC", "Dice", "error, mL") for code in MR_CODES]
    still = [figure(name, 0.0, -0.1, 0.1, code=code) for name, code in kinds[1:]]
    for value, advice in ((0.105, "unclear"), (-0.105, "unclear"), (0.25, "accept"), (-0.25, "keep")):
        first = figure(*kinds[0][:1], value, value - 0.1, value + 0.1, code=kinds[0][1])
        assert verdict_of({"this site": [first, *still]}).advice == advice


def test_few_exams_are_called_few():
    lines = verdict_of({"this site": [figure("Dice", 0.1, 0.05, 0.15, exams=6)]}).lines
    assert any("only 6; fewer than 20 say little" in line for line in lines)
