"""Two models on the same exams: who answered, what is kept when a comparison is stopped, what is shown of an exam."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from NeuroTriageLib.core.errors import Cancelled, InputError, SeriesSelectionError
from NeuroTriageLib.datasets.labelled_case import Case, LabelledCt
from NeuroTriageLib.model_comparison.comparison import NEW, OLD, compare_models
from NeuroTriageLib.model_comparison.held_out import LOCAL, HeldOut
from NeuroTriageLib.model_comparison.tables import comparison_markdown
from Testing.Lib import tiny_packs
from Testing.Lib.review.store_making import small_exam

EXAM = small_exam()
TRUTH = EXAM.readings[0].label_kji


class Answering:
    """A model that answers with a given share of the true mask; it counts what it reads."""

    name = "kuo2019"

    def __init__(self, name: str, share: float, *, blind: bool = False) -> None:
        self.pack = SimpleNamespace(manifest=tiny_packs.manifest(name=name, files={"weights.safetensors": name}))
        self.share, self.blind, self.count = share, blind, 0

    def read(self, volume):
        self.count += 1
        if self.blind:
            raise SeriesSelectionError("No brain.")
        label = TRUTH.copy()
        blood = np.flatnonzero(label)
        label.flat[blood[: round(len(blood) * (1 - self.share))]] = 0
        return replace(EXAM.readings[0], label_kji=label)


def cases(count: int, *, broken: int | None = None) -> HeldOut:
    def reader(number: int):
        def read() -> LabelledCt:
            if number == broken:
                raise InputError("The file is damaged.")
            return LabelledCt(EXAM.volume, TRUTH)

        return read

    return HeldOut(LOCAL, tuple(Case(f"c{n}", f"p{n}", reader(n)) for n in range(count)))


def silent(stage: str, fraction: float) -> None:
    """No progress is shown."""


def test_the_model_with_the_whole_mask_has_the_better_dice():
    models = {OLD: Answering("a", 0.6), NEW: Answering("b", 1.0)}
    comparison = compare_models(models, [cases(4)], silent)
    dice = next(f for f in comparison.sets[0].figures() if (f.figure, f.code) == ("Dice", "any"))
    assert dice.new == pytest.approx(1.0) and dice.old < 0.99 and dice.exams == 4
    text = comparison_markdown(comparison)
    assert "Dice of any hemorrhage" in text and "| c3 |" in text
    (row,) = [row for row in comparison.to_json()["exams"][LOCAL] if row["exam"] == "c0"]
    assert row["new"]["dice"] == 1.0 and row["truth_ml"] > 0 and set(row["types"]) == {"IPH", "SDH"}


def test_a_broken_exam_is_named_and_one_that_could_not_be_looked_at_is_no_negative():
    comparison = compare_models(
        {OLD: Answering("a", 1.0, blind=True), NEW: Answering("b", 1.0)}, [cases(3, broken=1)], silent
    )
    (found,) = comparison.sets
    assert dict(found.left_out) == {"c1": "The file is damaged."} and len(found.records) == 2
    assert found.figures() == () and found.records[0].answers.keys() == {NEW}
    assert comparison.verdict.advice == "unclear"


def test_a_comparison_that_was_stopped_goes_on_where_it_was(tmp_path):
    models = {OLD: Answering("a", 0.6), NEW: Answering("b", 1.0)}
    whole = compare_models(models, [cases(4)], silent)

    def stop(stage: str, fraction: float) -> None:
        if fraction >= 0.5:
            raise Cancelled("Stopped.")

    models = {OLD: Answering("a", 0.6), NEW: Answering("b", 1.0)}
    with pytest.raises(Cancelled):
        compare_models(models, [cases(4)], stop, keep_in=tmp_path)
    assert models[NEW].count == 2
    again = compare_models(models, [cases(4)], silent, keep_in=tmp_path)
    assert models[NEW].count == 4
    assert [f.to_json() for f in again.sets[0].figures()] == [f.to_json() for f in whole.sets[0].figures()]
    other = {OLD: Answering("a", 0.6), NEW: Answering("c", 1.0)}
    compare_models(other, [cases(4)], silent, keep_in=tmp_path)
    assert other[NEW].count == 4, "another model's answers are its own"
