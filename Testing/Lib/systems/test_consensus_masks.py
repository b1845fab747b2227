"""Masks of several systems: where their mean says so, of the type that most of them saw there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.voxel_probabilities import VoxelCollector
from NeuroTriageLib.systems.consensus_masks import (
    combined_label,
    mask_weights_of,
    mean_heatmap,
    mean_voxel_probabilities,
)
from Testing.Lib.systems.head_phantom import head, stack
from Testing.Lib.systems.stand_ins import CHANG_CODES, StandIn, consensus, reading

SHAPE = (2, 3, 4)
IPH, IVH, SDH, EDH, SAH = (n + 1 for n in range(5))
CODES = CT_HEMORRHAGE_CODES
WEIGHTS = {"kuo2019": 0.5, "chang2018": 0.5}


def kuo(label: np.ndarray):
    return reading("kuo2019", {}, label=label, shape=SHAPE)


def chang(label: np.ndarray):
    return reading("chang2018", {}, codes=CHANG_CODES, label=label, shape=SHAPE)


def combine(opinions, shown: dict[str, float], weights=None) -> np.ndarray:
    everywhere = np.ones(SHAPE, bool)
    return combined_label(opinions, weights or WEIGHTS, everywhere, shown, CODES)


def full(value: int) -> np.ndarray:
    return np.full(SHAPE, value, np.uint8)


def test_the_heavier_vote_decides():
    opinions = kuo(full(IPH)), chang(full(3))  # SAH is chang2018's third type
    shown = {"IPH": 0.6, "SAH": 0.9}
    assert (combine(opinions, shown, {"kuo2019": 0.6, "chang2018": 0.4}) == IPH).all()
    assert (combine(opinions, shown, {"kuo2019": 0.4, "chang2018": 0.6}) == SAH).all()
    assert (combine(opinions, shown) == SAH).all(), "of equal votes the more probable type"


def test_subdural_or_epidural_becomes_the_one_that_is_present():
    assert (combine([chang(full(2))], {"EDH": 0.7}) == EDH).all()
    assert (combine([chang(full(2))], {"SDH": 0.7, "IPH": 0.9}) == SDH).all()


def test_when_both_are_present_the_other_system_decides_voxel_by_voxel_and_else_the_exam():
    label = full(0)
    label[:, :, :2] = EDH
    combined = combine((kuo(label), chang(full(2))), {"SDH": 0.9, "EDH": 0.6})
    assert (combined[:, :, :2] == EDH).all() and (combined[:, :, 2:] == SDH).all()


def test_a_voxel_that_nobody_gave_a_type_takes_that_of_its_neighbours():
    label = full(0)
    label[0, :, :2] = IPH
    label[0, 1, 3] = SAH
    combined = combine([kuo(label)], {"IPH": 0.9, "SAH": 0.6})
    assert combined[0, 1, 2] == IPH, "two columns of it stand beside one voxel"
    wide = np.zeros((1, 9, 40), np.uint8)
    wide[0, :, :20], wide[0, 4, 38] = IPH, SAH
    opinion = reading("kuo2019", {}, label=wide, shape=wide.shape)
    told = combined_label([opinion], {"kuo2019": 1.0}, np.ones(wide.shape, bool), {"IPH": 0.9, "SAH": 0.6}, CODES)
    assert (told[0, 3:6, 36:] == SAH).all() and (told[0, :, :22] == IPH).all()


def test_a_voxel_that_nobody_gave_a_type_takes_that_of_its_slice_then_of_the_exam_then_the_most_probable():
    label = full(0)
    label[0, 0, 0] = IVH
    combined = combine([kuo(label)], {"IPH": 0.9, "IVH": 0.6})
    assert (combined == IVH).all(), "the first slice has a vote, the second takes the exam's"
    assert (combine([kuo(full(0))], {"IPH": 0.6, "IVH": 0.9}) == IVH).all()


def test_the_mask_holds_only_types_that_are_present():
    assert set(np.unique(combine([kuo(full(SAH))], {"IPH": 0.9}))) == {IPH}
    assert not combine([kuo(full(SAH))], {}).any()


def test_only_systems_that_draw_have_a_say_in_the_mask():
    ye = reading("ye2019", {}, segments=False, heat=np.ones(SHAPE), shape=SHAPE)
    opinions = kuo(full(IPH)), ye
    assert mask_weights_of(opinions, {"ye2019": 1.0}) == {"kuo2019": 1.0}
    assert mean_heatmap(opinions, {"kuo2019": 0.2})[0, 0, 0] == np.float16(0.9)
    assert mask_weights_of([ye], {}) == {}
    assert (mean_heatmap([ye], {}) == 1).all(), "without any mask the mean of all heatmaps"


def test_the_mask_is_where_the_mean_reaches_the_threshold():
    volume = head(stack(steps_mm=np.full(15, 10.0)), lesion=False)
    shape = volume.grid.shape_kji
    label, heat = np.zeros(shape, np.uint8), np.zeros(shape)
    label[10, 40:60, 40:60] = IPH
    heat[10, 40:60, 40:60], heat[10, 50:60, 40:60] = 0.9, 0.5
    sure = {"any": 0.9, "IPH": 0.9}
    members = (
        StandIn("kuo2019", sure, label=label, heat=heat),
        StandIn("chang2018", sure, codes=CHANG_CODES, heat=np.full(shape, 0.2)),
    )
    answer = consensus(*members, pixel_threshold=0.4).read(volume)
    expected = np.zeros(shape, bool)
    expected[10, 40:50, 40:60] = True  # (0.9 + 0.2) / 2; below it (0.5 + 0.2) / 2
    np.testing.assert_array_equal(answer.label_kji == IPH, expected)


def test_hemorrhage_without_a_type_keeps_its_place():
    volume = head(stack(steps_mm=np.full(15, 10.0)), lesion=False)
    heat = np.zeros(volume.grid.shape_kji)
    heat[5, 30:40, 30:40] = 0.9
    answer = consensus(StandIn("kuo2019", {"any": 0.9, "SAH": 0.4}, heat=heat)).read(volume)
    assert answer.is_untyped and set(np.unique(answer.label_kji)) == {0, SAH}
    assert (answer.label_kji > 0).sum() == 100


def voxels_of(codes: tuple[str, ...], code: str, probability: float, *, from_slice: int = 0):
    """One type's probability in every voxel from a slice on."""
    level = np.full(SHAPE, probability, np.float16)
    level[:from_slice] = 0
    types = np.stack([level if other == code else np.zeros_like(level) for other in codes])
    collector = VoxelCollector(codes, 0.5)
    collector.add(0, level, types)
    return collector.collected()


def test_probabilities_are_the_weighted_means_and_subdural_or_epidural_counts_half_for_each():
    first = dataclasses.replace(kuo(full(0)), voxel_probabilities=voxels_of(CT_HEMORRHAGE_CODES, "SDH", 0.5))
    second = dataclasses.replace(
        chang(full(0)), voxel_probabilities=voxels_of(CHANG_CODES, "SDH+EDH", 1.0, from_slice=1)
    )
    mean = np.full(SHAPE, 0.5, np.float16)
    mean[0] = 0.05
    weights = {"kuo2019": 0.75, "chang2018": 0.25}
    found = mean_voxel_probabilities([first, second], weights, mean, VoxelCollector(CT_HEMORRHAGE_CODES, 0.5))
    assert np.array_equal(found.index, np.arange(SHAPE[1] * SHAPE[2], 2 * SHAPE[1] * SHAPE[2]))
    assert (found.level == np.float16(0.5)).all()
    expected = {"SDH": 0.75 * 0.5 + 0.25 * 0.5, "EDH": 0.25 * 0.5}
    for column, code in enumerate(CT_HEMORRHAGE_CODES):
        assert found.type_level[:, column] == pytest.approx(254 * expected.get(code, 0.0), abs=1)
