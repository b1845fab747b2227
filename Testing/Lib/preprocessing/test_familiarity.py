"""Familiarity: usual heads pass, what is no head CT without contrast is refused with the figure that gives it away."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from NeuroTriageLib.preprocessing.exam_features import EXAM_FEATURES, exam_features
from NeuroTriageLib.preprocessing.familiarity import FamiliarityModel
from Testing.Lib.preprocessing.made_slabs import PIXEL_MM, MadeHead, made_slabs, usual, variants


def features(head: MadeHead) -> np.ndarray:
    return exam_features(*made_slabs(head), PIXEL_MM)


def named(head: MadeHead) -> dict[str, float]:
    return dict(zip((feature.name for feature in EXAM_FEATURES), features(head), strict=True))


@pytest.fixture(scope="module")
def fitted() -> tuple[FamiliarityModel, float]:
    """The model of 80 heads, and a threshold a quarter above the furthest of 40 others."""
    model = FamiliarityModel.fitted(np.array([features(usual(seed)) for seed in range(80)]))
    return model, 1.25 * max(model.score(features(usual(seed))) for seed in range(1000, 1040))


def test_the_figures_are_those_of_the_head_that_was_made():
    figures = named(MadeHead(noise_hu=4.0))
    assert figures["length"] == pytest.approx(160, abs=2 * PIXEL_MM)
    assert figures["width"] == pytest.approx(130, abs=2 * PIXEL_MM)
    assert figures["area"] == pytest.approx(np.pi * 80 * 65 / 100, rel=0.05)
    assert figures["brain_p50"] == pytest.approx(33, abs=4)
    assert figures["noise"] == pytest.approx(4.0, rel=0.25)
    assert figures["bone_hu"] == pytest.approx(900, abs=15)
    assert figures["brain_slabs"] == 100.0
    assert figures["fat_share"] > 3.0 > named(MadeHead(fat_mm=0.0))["bright_share"]


def test_air_that_was_cut_off_changes_nothing():
    hu, brain = made_slabs(MadeHead())
    whole = exam_features(hu, brain, PIXEL_MM)
    inside = np.s_[:, 2:-2, 4:-4]
    np.testing.assert_allclose(exam_features(hu[inside], brain[inside], PIXEL_MM), whole)


def test_usual_heads_are_familiar(fitted):
    model, threshold = fitted
    for seed in range(2000, 2020):
        judged = model.judge(features(usual(seed)), threshold)
        assert judged.is_familiar and not judged.reasons


@pytest.mark.parametrize("name", variants())
def test_what_is_no_plain_head_ct_is_unfamiliar_and_told_why(name, fitted):
    model, threshold = fitted
    judged = model.judge(features(variants()[name]), threshold)
    assert not judged.is_familiar and judged.reasons
    assert judged.score > 1.3 * threshold
    assert str(round(threshold, 1)) in judged.message()


def test_the_reason_names_the_figure_that_is_off_with_its_usual_range(fitted):
    model, threshold = fitted
    head = usual(3000)
    figures = features(head)
    figures[[feature.name for feature in EXAM_FEATURES].index("noise")] = 40.0
    judged = model.judge(figures, threshold)
    assert not judged.is_familiar
    assert judged.reasons[0].startswith("the noise in the brain is 40 HU (usually ")


def test_only_an_unfamiliar_exam_can_be_accepted_all_the_same(fitted):
    model, threshold = fitted
    odd = features(variants()["phantom"])
    assert model.judge(odd, threshold, accepted=True).accepted
    assert not model.judge(features(usual(5)), threshold, accepted=True).accepted


def test_a_small_difference_between_scanners_is_not_held_against_an_exam(fitted):
    model, threshold = fitted
    head = usual(4000)
    darker = dataclasses.replace(head, white_hu=head.white_hu - 3, grey_hu=head.grey_hu - 3)
    assert model.judge(features(darker), threshold).is_familiar


def test_a_model_comes_back_from_its_arrays_also_in_half_precision(fitted):
    model, _ = fitted
    arrays = model.arrays()
    back = FamiliarityModel.from_arrays(arrays)
    half = FamiliarityModel.from_arrays({name: value.astype(np.float16) for name, value in arrays.items()})
    figures = features(usual(9))
    assert back.score(figures) == model.score(figures)
    assert half.score(figures) == pytest.approx(model.score(figures), rel=0.1)
    with pytest.raises(KeyError):
        FamiliarityModel.from_arrays({})
    with pytest.raises(ValueError, match="figures"):
        FamiliarityModel.from_arrays(arrays | {"familiarity.mean": np.zeros(3)})
