"""Agreement of readers: exact distances on every grid, Dice and mL of known bodies, kappa as in the textbook."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from NeuroTriageLib.measurements.volume import mask_volume_ml
from NeuroTriageLib.review.agreement import cohen_kappa, compare_labels, reader_agreement
from Testing.Lib.measurements.shapes import make_grid
from Testing.Lib.review.store_making import SMALL, entry, open_store, small_exam, started

GRID = make_grid(shape_kji=(6, 20, 20), spacing_mm=(1.0, 1.0), steps_mm=5.0)


def block(value: int, *, shift: int = 0) -> np.ndarray:
    label = np.zeros(GRID.shape_kji, np.uint8)
    label[2:4, 5:15, 5 + shift : 15 + shift] = value
    return label


def test_shifted_blocks_have_the_dice_the_distance_and_the_millilitres_of_their_shift():
    both = compare_labels(block(1), block(1, shift=4), GRID)["IPH"]
    assert (both.dice, both.hd95_mm) == pytest.approx((0.6, 4.0))
    assert (both.a_ml, both.b_ml, both.both_ml) == pytest.approx((1.0, 1.0, 0.6))


def test_types_are_compared_by_themselves_and_together():
    found = compare_labels(block(1), block(3), GRID)
    assert set(found) == {"any", "IPH", "SDH"}
    assert (found["any"].dice, found["any"].hd95_mm) == (1.0, 0.0)
    assert (found["IPH"].dice, found["IPH"].hd95_mm, found["SDH"].a_ml) == (0.0, None, 0.0)


def test_two_empty_masks_agree_about_nothing_that_could_be_measured():
    empty = np.zeros(GRID.shape_kji, np.uint8)
    found = compare_labels(empty, empty, GRID)
    assert set(found) == {"any"} and found["any"].dice is None and found["any"].hd95_mm is None


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    a = rng.random(40) < 0.4
    b = a ^ (rng.random(40) < 0.2)
    assert cohen_kappa(a.tolist(), b.tolist()) == pytest.approx(cohen_kappa_score(a, b))


def test_kappa_of_equal_marginals_by_hand():
    # 20 both, 5 only the first, 10 only the second, 15 neither (Cohen's own way): (0.7 - 0.5) / (1 - 0.5)
    a = [True] * 25 + [False] * 25
    b = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    assert cohen_kappa(a, b) == pytest.approx(0.4)


def test_kappa_is_undefined_when_chance_alone_would_agree():
    assert cohen_kappa([True, True], [True, True]) is None
    assert cohen_kappa([], []) is None
    assert cohen_kappa([True, False], [True, False]) == 1.0


def test_readers_are_compared_over_the_cases_that_both_signed_and_as_they_read_blind(tmp_path):
    store = open_store(tmp_path)
    full = np.zeros(SMALL.shape_kji, np.uint8)
    full[1:3, 3:7, 3:7] = 1
    empty = np.zeros_like(full)
    for number, (mine, theirs) in enumerate(((full, full), (full, empty), (empty, empty), (full, None))):
        case = started(store, small_exam(f"9.{number}"))
        store.add_version(case, mine, entry("AB", "approved"))
        if theirs is not None:
            store.add_version(case, theirs, entry("CD", "approved", blind=True))
            store.add_version(case, mine, entry("CD", "approved"))  # changed the mind after seeing the other's
    found = reader_agreement(store, "AB", "CD")
    assert len(found.exams) == 3
    iph = found.summary["IPH"]
    assert (iph.exams, iph.both, iph.only_a, iph.only_b, iph.neither) == (3, 1, 1, 0, 1)
    assert iph.kappa == pytest.approx(cohen_kappa_score([1, 1, 0], [1, 0, 0]))
    assert (iph.dice, iph.hd95_mm) == (0.5, 0.0)
    assert iph.bias_ml == pytest.approx(-mask_volume_ml(full > 0, small_exam().grid) / 2)
