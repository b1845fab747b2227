"""Answers compared with masks of known volume and overlap."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.findings import ModelIdentity, Reading
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.evaluation.comparison import Answer, ExamSource, Labels, Truth, record_exam
from NeuroTriageLib.evaluation.exam_records import ExamRecord

# Slices at 0, 5, 15 mm: they stand for 5, 7.5 and 10 mm, so voxels of 1 x 2 mm have 10, 15 and 20 microlitres.
UNEVEN = SliceGrid(
    shape_kji=(3, 10, 10),
    origins_lps_mm=np.array([[0, 0, 0], [0, 0, 5], [0, 0, 15]]),
    direction_i=np.array([1.0, 0, 0]),
    direction_j=np.array([0, 1.0, 0]),
    spacing_i_mm=1.0,
    spacing_j_mm=2.0,
    slice_thickness_mm=5.0,
)
CODES = dict(enumerate(CT_HEMORRHAGE_CODES, start=1))
LEFT = (slice(0, 2), slice(0, 4), slice(0, 5))
RIGHT = (slice(1, 3), slice(0, 4), slice(5, 10))


def label(order: tuple[str, ...] = CT_HEMORRHAGE_CODES, **boxes: tuple[slice, slice, slice]) -> np.ndarray:
    """A label map with one box per type."""
    result = np.zeros(UNEVEN.shape_kji, dtype=np.uint8)
    for code, box in boxes.items():
        result[box] = order.index(code.replace("_", "+")) + 1
    return result


def reading(
    label_kji: np.ndarray, order: tuple[str, ...] = CT_HEMORRHAGE_CODES, segments: bool = True, **probability: float
) -> Reading:
    """An answer with the mask, thresholds of 0.5 and probability 0.1 where none is given."""
    codes = ("any", *order)
    return Reading(
        system="fake",
        codes=order,
        probability={code: probability.get(code.replace("+", "_"), 0.1) for code in codes},
        threshold=dict.fromkeys(codes, 0.5),
        slice_probability={code: np.array([0.2, 0.7, 0.5]) for code in codes},
        label_kji=label_kji,
        heatmap_kji=np.zeros(UNEVEN.shape_kji, dtype=np.float16),
        model=ModelIdentity("fake", "1", "0" * 64),
        timings_s={"network": 1.5, "decode": 0.5},
        segments=segments,
    )


def compare(truth_kji: np.ndarray, *readings: Reading) -> ExamRecord:
    """The record of readings against a true label map."""
    truth = Truth(Labels(truth_kji, CODES))
    return record_exam(ExamSource("e", "head", True), UNEVEN, truth, [Answer.of_reading(item) for item in readings])


def test_volumes_and_overlaps_count_each_slices_own_extent():
    answer = label(IPH=(slice(1, 3), slice(0, 4), slice(0, 5)))
    record = compare(label(IPH=LEFT), reading(answer, IPH=0.9, any=0.9))
    found = record.answers["fake"].groups["IPH"]
    assert record.truth["IPH"].volume_ml == pytest.approx(20 * (0.010 + 0.015))
    assert found.volume_ml == pytest.approx(20 * (0.015 + 0.020))
    assert found.overlap_ml == pytest.approx(20 * 0.015)
    assert record.truth["IPH"].present and found.called
    assert record.truth["IPH"].slices == (0, 1) and found.called_slices == (1, 2)
    assert record.slice_spacing_mm == 7.5 and record.answers["fake"].seconds == 2.0


def test_a_mask_of_the_wrong_type_overlaps_in_any_but_not_in_the_type():
    record = compare(label(SDH=LEFT), reading(label(EDH=LEFT), EDH=0.8, any=0.9))
    found = record.answers["fake"].groups
    assert found["any"].overlap_ml == pytest.approx(record.truth["any"].volume_ml)
    assert found["SDH"].overlap_ml == 0 and record.truth["EDH"].volume_ml == 0
    assert not found["SDH"].called and found["EDH"].called


def test_types_are_also_taken_together():
    record = compare(label(SDH=LEFT, EDH=RIGHT), reading(label(SDH=RIGHT), SDH=0.6, EDH=0.7, any=0.9))
    both = record.answers["fake"].groups["SDH+EDH"]
    assert record.truth["SDH+EDH"].volume_ml == pytest.approx(20 * (0.010 + 0.015 + 0.015 + 0.020))
    assert both.overlap_ml == pytest.approx(both.volume_ml)
    assert both.probability == 0.7 and both.called


def test_hemorrhage_of_undetermined_type_has_its_place_and_volume_under_any_alone():
    found = compare(label(IPH=LEFT), reading(label(IPH=LEFT), any=0.9, IPH=0.3)).answers["fake"].groups
    assert found["any"].volume_ml == found["any"].overlap_ml > 0
    assert found["IPH"].volume_ml == 0 and not found["IPH"].called


def test_a_system_that_knows_extra_axial_blood_only_together_answers_neither_of_its_types():
    order = ("IPH", "SDH+EDH", "SAH")
    mask = label(order, SDH_EDH=LEFT)
    found = compare(label(SDH=LEFT), reading(mask, order, any=0.9, SDH_EDH=0.8)).answers["fake"].groups
    assert set(found) == {"any", "IPH", "SDH+EDH", "SAH"}
    assert found["SDH+EDH"].overlap_ml == pytest.approx(found["SDH+EDH"].volume_ml)
    assert found["SDH+EDH"].called and found["any"].overlap_ml == found["SDH+EDH"].volume_ml


def test_a_system_without_masks_has_no_volume_and_calls_slices_by_their_score():
    record = compare(label(IPH=LEFT), reading(label(), segments=False, any=0.9, IPH=0.9))
    found = record.answers["fake"].groups
    assert found["IPH"].volume_ml is found["IPH"].overlap_ml is found["IPH"].abc2_ml is None
    assert found["IPH"].called_slices == (1, 2)
    assert found["SAH"].called_slices == () and not found["SAH"].called


def test_several_systems_answer_one_exam():
    record = compare(label(IPH=LEFT), reading(label(), any=0.2))
    other = Answer("other", {"any": 0.8}, frozenset({"any"}), volume_ml={"any": 3.0})
    truth = Truth(Labels(label(IPH=LEFT), CODES))
    record = record_exam(ExamSource("e"), UNEVEN, truth, [Answer.of_reading(reading(label())), other])
    assert set(record.answers) == {"fake", "other"}
    assert set(record.answers["other"].groups) == {"any"}
    assert record.answers["other"].groups["any"].volume_ml == 3.0
    assert record.answers["other"].groups["any"].overlap_ml is None


def test_a_binary_true_mask_says_nothing_about_types():
    truth = Truth(Labels((label(IPH=LEFT) > 0).astype(np.uint8), {1: "any"}), types=())
    record = record_exam(
        ExamSource("e"), UNEVEN, truth, [Answer.of_reading(reading(label(IPH=LEFT), any=0.9, IPH=0.9))]
    )
    assert set(record.truth) == {"any"}
    assert record.answers["fake"].groups["any"].overlap_ml > 0
    assert record.answers["fake"].groups["IPH"].overlap_ml is None


def test_presence_without_a_mask_gives_presence_of_all_that_follows_from_it():
    truth = Truth(None, types=(), present={"SDH": True, "EDH": False, "IPH": False})
    known = record_exam(ExamSource("e"), UNEVEN, truth, []).truth
    assert {group: item.present for group, item in known.items()} == {
        "any": True, "SDH": True, "EDH": False, "IPH": False, "SDH+EDH": True,
    }  # fmt: skip
    assert known["SDH"].volume_ml is None
    nothing = record_exam(ExamSource("e"), UNEVEN, Truth(None, types=(), present={"any": False}), []).truth
    assert not any(item.present for item in nothing.values()) and len(nothing) == 8
