"""Measurements that follow an edit: true volumes on every grid, ABC/2 of the reader's lines, the prior exam."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from NeuroTriageLib.core.errors import ConfigError, GeometryError
from NeuroTriageLib.review.labels import label_of_segments, segment_codes
from NeuroTriageLib.review.live_measurements import AbcLines, measure_label, segment_volumes_ml
from NeuroTriageLib.review.prior import TimedExam, compare_with_prior, volume_change
from Testing.Lib.measurements.shapes import GRIDS, ellipsoid, make_grid, rasterise

BALL_ML = 4 / 3 * np.pi * 18**3 / 1000


def ball(grid, radius_mm: float = 18.0, code: str = "IPH", center=(0.0, 0.0, 0.0)) -> np.ndarray:
    inside = ellipsoid(np.array(center), np.eye(3), (radius_mm,) * 3)
    return label_of_segments({code: rasterise(grid, inside)}, grid.shape_kji)


@pytest.mark.parametrize("name", GRIDS)
def test_volumes_of_an_edited_mask_are_true_on_every_grid(name):
    grid = GRIDS[name]
    label = label_of_segments({"IPH": ball(grid) > 0, "SAH": ball(grid, 8.0, center=(30.0, 0, 0)) > 0}, grid.shape_kji)
    volumes = segment_volumes_ml(label, grid)
    assert volumes["IPH"] == pytest.approx(BALL_ML, rel=0.02)
    assert volumes["SAH"] == pytest.approx(4 / 3 * np.pi * 8**3 / 1000, rel=0.05)
    assert volumes["any"] == pytest.approx(volumes["IPH"] + volumes["SAH"])
    measured = measure_label(label, grid)
    assert {code: item.volume_ml for code, item in measured.items()} == pytest.approx(volumes)
    assert measured["any"].components == 2 and measured["SAH"].abc2 is None and measured["any"].abc2 is None


@pytest.mark.parametrize("name", GRIDS)
def test_the_proposed_lines_are_as_long_as_their_figures_and_lie_on_the_mask(name):
    grid = GRIDS[name]
    abc2 = measure_label(ball(grid), grid)["IPH"].abc2
    for length, ends in zip(
        (abc2.a_mm, abc2.b_mm, abc2.c_mm),
        (abc2.lines.a_ends_lps_mm, abc2.lines.b_ends_lps_mm, abc2.lines.c_ends_lps_mm),
        strict=True,
    ):
        first, second = np.asarray(ends)
        assert np.linalg.norm(second - first) == pytest.approx(length)
        assert np.linalg.norm((first + second) / 2) < 5.0, "the ball lies at the origin"
    c_first, c_second = np.asarray(abc2.lines.c_ends_lps_mm)
    assert abs((c_second - c_first) @ grid.normal) == pytest.approx(abc2.c_mm), "C is measured across the slices"
    assert abc2.edited == frozenset()


def test_a_readers_line_wins_by_its_length_alone():
    grid = make_grid()
    proposed = measure_label(ball(grid), grid)["IPH"].abc2
    drawn = AbcLines(a_ends_lps_mm=((0, 0, 0), (30, 40, 0)), c_ends_lps_mm=((0, 0, -20), (0, 0, 20)))
    measured = measure_label(ball(grid), grid, {"IPH": drawn})["IPH"]
    abc2 = measured.abc2
    assert (abc2.a_mm, abc2.b_mm, abc2.c_mm) == pytest.approx((50.0, proposed.b_mm, 40.0))
    assert abc2.volume_ml == pytest.approx(50 * proposed.b_mm * 40 / 2000)
    assert abc2.percent_off == pytest.approx(100 * (abc2.volume_ml / measured.volume_ml - 1))
    assert abc2.edited == {"A", "C"} and abc2.lines.b_ends_lps_mm == proposed.lines.b_ends_lps_mm


def test_more_than_30_ml_is_flagged():
    grid = make_grid(shape_kji=(4, 50, 50), steps_mm=5.0)
    label = np.zeros(grid.shape_kji, np.uint8)
    label[:3, :40, :50] = 4  # exactly 30 mL
    assert not measure_label(label, grid)["EDH"].flagged
    label[3, 0, 0] = 4
    assert measure_label(label, grid)["EDH"].flagged


def test_an_empty_mask_has_no_measurements_and_zero_millilitres():
    grid = make_grid(shape_kji=(4, 8, 8))
    empty = np.zeros(grid.shape_kji, np.uint8)
    assert measure_label(empty, grid) == {} and segment_volumes_ml(empty, grid) == {"any": 0.0}
    assert segment_codes(empty) == ()


@pytest.mark.parametrize(
    ("prior_ml", "current_ml", "expanded"),
    [
        (30.0, 36.0, False),
        (30.0, 36.1, True),
        (12.0, 15.95, False),
        (12.0, 15.97, True),
        (20.0, 5.0, False),
        (0.0, 5.0, False),
        (0.0, 6.5, True),
    ],
)
def test_growth_of_more_than_6_ml_or_33_percent_is_expansion(prior_ml, current_ml, expanded):
    change = volume_change("IPH", prior_ml, current_ml)
    assert change.expanded == expanded and change.change_ml == pytest.approx(current_ml - prior_ml)
    assert (change.change_percent is None) == (prior_ml == 0)


def test_exams_on_different_grids_are_compared_by_volume():
    before, after = GRIDS["tilted"], GRIDS["uneven"]
    current = TimedExam(ball(after, 20.0), after, "P", datetime(2026, 1, 2, 6))
    prior = TimedExam(ball(before, 16.0), before, "P", datetime(2026, 1, 1, 12))
    change = compare_with_prior(current, prior)["IPH"]
    assert change.change_percent == pytest.approx(100 * ((20 / 16) ** 3 - 1), rel=0.05)
    assert change.expanded and change.hours == 18.0
    assert compare_with_prior(current, prior)["any"].current_ml == change.current_ml


def test_another_patient_an_unknown_one_and_another_body_part_are_refused():
    grid = GRIDS["plain"]
    current = TimedExam(ball(grid), grid, "P")
    with pytest.raises(ConfigError, match="another patient"):
        compare_with_prior(current, replace(current, patient_key="Q"), same_patient_confirmed=True)
    with pytest.raises(ConfigError, match="not known"):
        compare_with_prior(current, replace(current, patient_key=""))
    assert compare_with_prior(current, replace(current, patient_key=""), same_patient_confirmed=True)
    far = replace(grid, origins_lps_mm=grid.origins_lps_mm + np.array([0, 0, 400.0]))
    with pytest.raises(GeometryError, match="no common place"):
        compare_with_prior(current, replace(current, grid=far))
    later = replace(current, acquired=datetime(2026, 1, 2))
    with pytest.raises(ConfigError, match="later"):
        compare_with_prior(replace(current, acquired=datetime(2026, 1, 1)), later)
