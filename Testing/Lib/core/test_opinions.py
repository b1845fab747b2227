"""Opinions: the pool is the weighted mean of the log odds, doubt is the spread of the probabilities."""

from __future__ import annotations

import math

import pytest

from NeuroTriageLib.core.opinions import agreement, doubt, pooled, shared_codes, source_code


def odds(probability: float) -> float:
    return probability / (1 - probability)


def test_the_pool_of_equal_weights_is_the_geometric_mean_of_the_odds():
    value = pooled({"a": 0.9, "b": 0.2}, {"a": 0.5, "b": 0.5})
    assert odds(value) == pytest.approx(math.sqrt(odds(0.9) * odds(0.2)))


def test_a_system_without_weight_has_no_say_and_a_silent_one_leaves_its_weight_to_the_others():
    assert pooled({"a": 0.9, "b": 0.2}, {"a": 1.0, "b": 0.0}) == pytest.approx(0.9)
    assert pooled({"b": 0.2, "c": 0.2}, {"a": 0.6, "b": 0.1, "c": 0.3}) == pytest.approx(0.2)
    assert pooled({"b": 0.3}, {"a": 1.0, "b": 0.0}) == pytest.approx(0.3)


def test_one_system_that_is_certain_cannot_silence_two_others():
    assert pooled({"a": 1.0, "b": 0.01, "c": 0.01}, dict.fromkeys("abc", 1 / 3)) < 0.5


def test_doubt_is_zero_when_all_say_the_same_and_one_half_when_they_are_of_opposite_certainty():
    assert doubt([0.7, 0.7, 0.7]) == pytest.approx(0.0)
    assert doubt([0.0, 1.0]) == pytest.approx(0.5)
    assert doubt([0.2, 0.8]) == pytest.approx(0.3)
    assert doubt([0.9]) is None and doubt([]) is None


def test_systems_are_split_when_their_own_answers_differ():
    assert agreement([True, True]) == "agree" and agreement([False, False, False]) == "agree"
    assert agreement([True, False, True]) == "split"
    assert agreement([True]) is None


def test_an_answer_on_subdural_or_epidural_informs_both_and_no_other():
    chang = ("any", "IPH", "SDH+EDH", "SAH")
    assert [source_code(code, chang) for code in ("any", "IPH", "SDH", "EDH", "IVH")] == [
        "any", "IPH", "SDH+EDH", "SDH+EDH", None,
    ]  # fmt: skip
    assert source_code("SDH", ("SDH", "SDH+EDH")) == "SDH"
    assert shared_codes([chang]) == ("any", "IPH", "SDH", "EDH", "SAH")
    assert shared_codes([chang, ("any", "IVH")]) == ("any", "IPH", "IVH", "SDH", "EDH", "SAH")
