"""A moved threshold draws the mask that the system would have drawn with it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from NeuroTriageLib.core.codes import ANY, CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.core.exchange import load_exam, save_exam
from NeuroTriageLib.core.findings import ModelIdentity, Reading
from NeuroTriageLib.core.voxel_probabilities import LEVELS, PROBABILITY_FLOOR, VoxelCollector, VoxelProbabilities
from NeuroTriageLib.review.labels import SEGMENT_VALUES, label_of_reading, segment_mask
from NeuroTriageLib.review.thresholds import label_at, with_thresholds
from Testing.Lib.exam_builder import build_exam

SHAPE = (6, 20, 24)
CODES = CT_HEMORRHAGE_CODES


def soft_maps(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(K, J, I) probability of any hemorrhage, and (types, K, J, I) those of the types, which sum to it."""
    rng = np.random.default_rng(seed)
    any_kji = rng.random(SHAPE).astype(np.float16)
    shares = rng.random((len(CODES), *SHAPE)) ** 4
    return any_kji, shares / shares.sum(0) * any_kji


def drawn(any_kji: np.ndarray, types: np.ndarray, shown: tuple[str, ...], threshold: float) -> np.ndarray:
    """What a system that thresholds "any" and takes the most probable shown type draws, in its own values."""
    if not shown:
        return np.zeros(SHAPE, np.uint8)
    values = np.array([1 + CODES.index(code) for code in shown], np.uint8)
    best = types[[CODES.index(code) for code in shown]].argmax(0)
    return np.where(any_kji >= np.float16(threshold), values[best], 0).astype(np.uint8)


def reading(probability: dict[str, float], threshold: float = 0.5, seed: int = 0, per_type: bool = False) -> Reading:
    any_kji, types = soft_maps(seed)
    collector = VoxelCollector(CODES, threshold, per_type)
    for first in (0, 2, 4):
        collector.add(first, any_kji[first : first + 2], types[:, first : first + 2])
    said = dict.fromkeys((ANY, *CODES), 0.1) | probability
    plain = Reading(
        system="kuo2019",
        codes=CODES,
        probability=said,
        threshold=dict.fromkeys(said, 0.5),
        slice_probability={},
        label_kji=np.zeros(SHAPE, np.uint8),
        heatmap_kji=any_kji,
        model=ModelIdentity("m", "1", "ab" * 32),
        voxel_probabilities=collector.collected(),
    )
    shown = tuple(code for code in CODES if plain.is_present(code)) if plain.is_present(ANY) else ()
    shown = shown or ((max(CODES, key=said.__getitem__),) if plain.is_untyped else ())
    return dataclasses.replace(plain, label_kji=drawn(any_kji, types, shown, threshold))


FOUND = {ANY: 0.9, "IPH": 0.8, "SDH": 0.6}


@pytest.mark.parametrize("probability", [FOUND, {ANY: 0.9, "IPH": 0.3}, {ANY: 0.2, "IPH": 0.2}])
def test_its_own_thresholds_give_the_systems_own_mask(probability):
    own = reading(probability)
    for label in (label_at(own), label_at(own, own.threshold, 0.5), label_at(own, {"IPH": own.threshold["IPH"]})):
        assert np.array_equal(label, label_of_reading(own))


@pytest.mark.parametrize("at", [PROBABILITY_FLOOR, 0.3, 0.7, 0.95, 1.0])
def test_another_pixel_threshold_draws_the_mask_of_a_system_with_that_threshold(at):
    own = reading(FOUND)
    any_kji, types = soft_maps()
    expected = drawn(any_kji, types, ("IPH", "SDH"), at)
    label = label_at(own, pixel_threshold=at)
    assert np.array_equal(label > 0, any_kji >= np.float16(at))
    apart = np.abs(types[CODES.index("IPH")] - types[CODES.index("SDH")])
    assert (apart[label != expected] <= 1 / LEVELS).all(), "only equally probable types may change places"


def test_a_type_that_comes_in_takes_only_voxels_that_had_no_shown_type_before():
    own = reading(FOUND)
    label = label_at(own, {"SAH": 0.05}, pixel_threshold=0.3)
    before = label_of_reading(own)
    assert np.array_equal(label[before > 0], before[before > 0])
    assert segment_mask(label, "SAH").any()


def test_a_type_that_falls_out_gives_its_voxels_to_the_others():
    label = label_at(reading(FOUND), {"SDH": 0.7})
    assert set(np.unique(label)) == {0, SEGMENT_VALUES["IPH"]}
    assert np.array_equal(label > 0, label_of_reading(reading(FOUND)) > 0)


def test_no_type_left_is_hemorrhage_of_undetermined_type_and_no_hemorrhage_is_none():
    own = reading(FOUND)
    nothing_typed = label_at(own, {"SDH": 0.99, "IPH": 0.99})
    assert set(np.unique(nothing_typed)) == {0, SEGMENT_VALUES[ANY]}
    assert with_thresholds(own, {"SDH": 0.99, "IPH": 0.99}).is_untyped
    assert not label_at(own, {ANY: 0.95}).any()
    assert label_at(reading({ANY: 0.4, "IPH": 0.8}), {ANY: 0.3}).any(), "a lower threshold brings the mask back"


def test_a_system_that_draws_type_by_type_is_thresholded_by_the_shown_types():
    own = reading(FOUND, per_type=True)
    _, types = soft_maps()
    label = label_at(own, pixel_threshold=0.25)
    expected = np.floor(types[[0, 2]].max(0).astype(np.float32) * LEVELS) >= np.ceil(0.25 * LEVELS)
    kept = soft_maps()[0] >= np.float16(PROBABILITY_FLOOR)
    assert np.array_equal(label > 0, expected & kept)


def test_below_the_floor_and_without_probabilities_there_is_an_error():
    own = reading(FOUND)
    with pytest.raises(ConfigError, match="below"):
        label_at(own, pixel_threshold=0.05)
    with pytest.raises(ConfigError, match="no mask whose threshold"):
        label_at(dataclasses.replace(own, voxel_probabilities=None), pixel_threshold=0.3)


def test_probabilities_pass_from_process_to_process(tmp_path):
    exam = build_exam()
    voxels = reading(FOUND).voxel_probabilities
    exam = dataclasses.replace(exam, readings=(dataclasses.replace(exam.readings[0], voxel_probabilities=voxels),))
    save_exam(exam, tmp_path)
    back = load_exam(tmp_path).readings[0].voxel_probabilities
    assert (back.codes, back.threshold, back.per_type, back.floor) == (CODES, 0.5, False, PROBABILITY_FLOOR)
    for name in ("index", "level", "type_level"):
        assert np.array_equal(getattr(back, name), getattr(voxels, name))
        assert getattr(back, name).dtype == getattr(voxels, name).dtype


def test_one_of_several_findings_on_mri_takes_a_voxel_threshold_of_its_own():
    rng = np.random.default_rng(4)
    codes = ("acute_hemorrhage", "mass_effect")
    maps = {code: rng.random(SHAPE) for code in codes}
    for code in codes:  # apart, so that each mask can be told
        maps[code][:, :10] *= code == codes[0]
        maps[code][:, 10:] *= code == codes[1]
    voxels = VoxelProbabilities.of_maps(maps, dict.fromkeys(codes, 0.5))
    said = dict.fromkeys(codes, 0.9)
    own = dataclasses.replace(
        reading(FOUND), codes=codes, probability=said, threshold=dict.fromkeys(codes, 0.5), voxel_probabilities=voxels
    )
    label = label_at(own, pixel_thresholds={"mass_effect": 0.8})
    for code, at in (("acute_hemorrhage", 0.5), ("mass_effect", 0.8)):
        steps = np.floor(maps[code] * LEVELS)
        assert np.array_equal(label == SEGMENT_VALUES[code], steps >= np.ceil(at * LEVELS))
    with pytest.raises(ConfigError, match="not kept"):
        label_at(own, pixel_thresholds={"mass_effect": 0.01})
