"""Midline shift between three points whose distance is known, on grids of every orientation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from NeuroTriageLib.core.errors import GeometryError
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.midline import MidlinePoints, MidlineShift
from NeuroTriageLib.measurements.midline_shift import measurable_midline_shift, measure_midline_shift

SHAPE_KJI = (20, 200, 180)


def turned(degrees: float, axis: int) -> np.ndarray:
    """(3, 3) a rotation about one of the patient's axes."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.eye(3)
    one, other = (axis + 1) % 3, (axis + 2) % 3
    matrix[one, one], matrix[one, other], matrix[other, one], matrix[other, other] = c, -s, s, c
    return matrix


def grid(rotation: np.ndarray | None = None, *, shear_mm: float = 0.0, step_mm: float = 5.0) -> SliceGrid:
    """Axial slices of 0.9 mm pixels; turned, with slices that wander by shear_mm along j, upwards or downwards."""
    r = np.eye(3) if rotation is None else rotation
    k = np.arange(SHAPE_KJI[0])[:, None]
    origins = np.array([-80.0, -90.0, 0.0]) + k * (r[:, 2] * step_mm + r[:, 1] * shear_mm)
    return SliceGrid(SHAPE_KJI, origins, r[:, 0], r[:, 1], 0.9, 0.9, abs(step_mm))


GRIDS = {
    "axial": grid(),
    "from head to foot": grid(step_mm=-5.0),
    "tilted": grid(shear_mm=1.6),
    "oblique": grid(turned(12, 0) @ turned(-9, 1) @ turned(15, 2)),
    "turned over": grid(turned(180, 2)),
    "mirrored rows": grid(np.diag([-1.0, 1.0, 1.0])),
}


def on_slice(on: SliceGrid, k: int, shift_mm: float) -> MidlinePoints:
    """A midline of 130 mm along the rows of slice k, with the septum a third of the way and shift_mm to the left."""
    forth = on.direction_j if on.direction_j[1] > 0 else -on.direction_j
    left = on.direction_i if on.direction_i[0] > 0 else -on.direction_i
    middle = on.voxel_to_lps(np.array([90, 100, k]))
    front, back = middle - 65 * forth, middle + 65 * forth
    septum = middle - 20 * forth + shift_mm * left
    return MidlinePoints(*(tuple(map(float, point)) for point in (front, back, septum)))


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("shift_mm", [7.25, -3.5, 0.0])
def test_the_shift_is_the_distance_in_the_slice_on_any_grid(name, shift_mm):
    on = GRIDS[name]
    measured = measure_midline_shift(on_slice(on, 8, shift_mm), on)
    assert measured.shift_mm == pytest.approx(abs(shift_mm), abs=1e-9)
    assert measured.side == (None if not shift_mm else "left" if shift_mm > 0 else "right")
    assert measured.leftward_mm == pytest.approx(shift_mm, abs=1e-9)
    assert measured.key_slice == 8 and not measured.caveat
    line = np.subtract(measured.points.septum_lps_mm, measured.foot_lps_mm)
    assert np.linalg.norm(line) == pytest.approx(abs(shift_mm), abs=1e-9)


def test_ends_that_are_exchanged_change_neither_distance_nor_side():
    points = on_slice(GRIDS["oblique"], 4, 6.0)
    exchanged = MidlinePoints(points.posterior_lps_mm, points.anterior_lps_mm, points.septum_lps_mm)
    for each in (points, exchanged):
        measured = measure_midline_shift(each, GRIDS["oblique"])
        assert measured.shift_mm == pytest.approx(6.0) and measured.side == "left"


def test_points_on_an_axial_view_of_a_tilted_or_sagittal_series_give_the_distance_in_that_view():
    points = on_slice(grid(), 10, 8.0)
    sagittal = SliceGrid((180, 200, 200), np.array([90.0, -90, 150]) - np.arange(180)[:, None] * (1, 0, 0),
                         np.array([0.0, 1, 0]), np.array([0.0, 0, -1]), 1.0, 1.0, 1.0)  # fmt: skip
    for on in (grid(turned(18, 0)), sagittal):
        measured = measure_midline_shift(points, on)
        assert measured.shift_mm == pytest.approx(8.0) and measured.side == "left" and measured.key_slice is None


def test_a_septum_on_another_slice_is_said_and_its_height_is_not_counted():
    on = grid()
    points = on_slice(on, 8, 4.0)
    x, y, z = points.septum_lps_mm
    higher = MidlinePoints(points.anterior_lps_mm, points.posterior_lps_mm, (x, y, z + 10.0))
    measured = measure_midline_shift(higher, on)
    assert measured.shift_mm == pytest.approx(4.0) and measured.key_slice is None
    assert "10.0 mm above or below" in measured.caveat


@pytest.mark.parametrize(
    ("front", "back", "septum", "said"),
    [
        ((0, 0, 0), (0, 10, 0), (0, 5, 0), "less than 40 mm"),
        ((-60, 0, 0), (60, 10, 0), (0, 5, 0), "across the head"),
        ((0, 0, 0), (0, 10, 120), (5, 5, 60), "from head to foot"),
        ((0, 0, 0), (0, 120, 0), (5, -3, 0), "beyond the ends"),
    ],
)
def test_points_that_are_no_midline_give_no_number_and_say_why(front, back, septum, said):
    points = MidlinePoints(front, back, septum)
    with pytest.raises(GeometryError, match=said):
        measure_midline_shift(points, grid())
    assert measurable_midline_shift(points, grid()) is None


def test_without_points_there_is_no_number():
    assert measurable_midline_shift(None, grid()) is None


def test_more_than_5_mm_is_flagged_and_said():
    said = {mm: measure_midline_shift(on_slice(grid(), 8, mm), grid()) for mm in (4.9, -5.2)}
    assert not said[4.9].flagged and said[4.9].words == "4.9 mm to the left (placed by the reader)"
    assert said[-5.2].flagged and said[-5.2].words == "5.2 mm to the right (placed by the reader), above 5 mm"


def test_plain_values_make_the_same_shift_again():
    import dataclasses
    import json

    measured = measure_midline_shift(on_slice(GRIDS["tilted"], 3, 2.5), GRIDS["tilted"])
    assert MidlineShift.from_plain(json.loads(json.dumps(dataclasses.asdict(measured)))) == measured
