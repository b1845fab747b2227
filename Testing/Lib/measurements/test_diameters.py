"""Diameters of outlines that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.measurements.diameters import convex_hull, perpendicular_diameters


def test_a_single_pixel_has_its_diagonals():
    mask = np.zeros((5, 5), bool)
    mask[2, 3] = True
    diameters = perpendicular_diameters(mask, 1.0, 1.0)
    assert diameters.a_mm == pytest.approx(np.sqrt(2))
    assert diameters.b_mm == pytest.approx(np.sqrt(2), abs=2 / 16)
    assert diameters.solidity == pytest.approx(1.0)


def test_a_box_has_its_diagonal_and_the_line_across_it():
    mask = np.zeros((30, 60), bool)
    mask[5:25, 10:50] = True  # 40 x 20 pixels of 0.5 x 0.8 mm: 20 x 16 mm
    diameters = perpendicular_diameters(mask, 0.5, 0.8)
    diagonal = np.hypot(20, 16)
    assert diameters.a_mm == pytest.approx(diagonal)
    assert diameters.b_mm == pytest.approx(16 * diagonal / 20, rel=0.01)
    corners = {tuple(end) for end in diameters.a_ends_ij.tolist()}
    assert corners in ({(9.5, 4.5), (49.5, 24.5)}, {(49.5, 4.5), (9.5, 24.5)})


@pytest.mark.parametrize("angle_deg", [0, 17, 45, 80, 130])
def test_an_ellipse_has_its_axes(angle_deg):
    j, i = np.mgrid[:200, :200] - 100.0
    angle = np.radians(angle_deg)
    along, across = i * np.cos(angle) + j * np.sin(angle), -i * np.sin(angle) + j * np.cos(angle)
    diameters = perpendicular_diameters((along / 60) ** 2 + (across / 35) ** 2 <= 1, 1.0, 1.0)
    assert diameters.a_mm == pytest.approx(120, abs=1.5)
    assert diameters.b_mm == pytest.approx(70, abs=1.5)
    direction = np.diff(diameters.a_ends_ij, axis=0)[0] / diameters.a_mm
    assert abs(direction @ [np.cos(angle), np.sin(angle)]) > np.cos(
        np.radians(5)
    )  # 5 degrees shorten A by less than a pixel


def test_b_of_a_crescent_is_its_thickness_not_its_sagitta():
    j, i = np.mgrid[:200, :200] - 100.0
    radius = np.hypot(i, j)
    crescent = (radius >= 70) & (radius <= 80) & (np.abs(np.arctan2(j, i)) <= np.radians(50))
    diameters = perpendicular_diameters(crescent, 1.0, 1.0)
    assert diameters.a_mm == pytest.approx(2 * 80 * np.sin(np.radians(50)), abs=2)
    assert diameters.b_mm < 17  # the sagitta of the outer arc is 80 - 70 cos 50 = 35
    assert diameters.solidity < 0.7


def test_a_and_b_are_perpendicular_and_end_on_the_outline():
    rng = np.random.default_rng(3)
    for _ in range(20):
        mask = np.zeros((40, 40), bool)
        for _ in range(4):
            j, i = rng.integers(5, 35, 2)
            mask[j - 4 : j + 4, i - 3 : i + 5] = True
        diameters = perpendicular_diameters(mask, 0.6, 0.9)
        spacing = np.array([0.6, 0.9])
        a = np.diff(diameters.a_ends_ij * spacing, axis=0)[0]
        b = np.diff(diameters.b_ends_ij * spacing, axis=0)[0]
        assert abs(a @ b) < 1e-6 * np.linalg.norm(a) * np.linalg.norm(b) + 1e-9
        for end in (*diameters.a_ends_ij, *diameters.b_ends_ij):
            assert _touches_both_sides(mask, end)


def _touches_both_sides(mask: np.ndarray, end_ij: np.ndarray) -> bool:
    """True when a point lies on an edge between mask and background."""
    padded = np.pad(mask, 2)
    nearby = {
        bool(padded[round(end_ij[1] + dj) + 2, round(end_ij[0] + di) + 2])
        for di in (-1e-6, 1e-6)
        for dj in (-1e-6, 1e-6)
    }
    return nearby == {True, False}


def test_hull_of_a_grid_of_points_is_its_four_corners():
    points = np.array([(x, y) for x in range(5) for y in range(4)], float)
    assert {tuple(p) for p in convex_hull(points).tolist()} == {(0, 0), (4, 0), (4, 3), (0, 3)}
