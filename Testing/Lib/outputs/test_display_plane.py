"""Slices are shown as radiologists look at them, whatever the source's orientation."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.outputs.display_plane import DisplayPlane
from Testing.Lib.exam_builder import ExamSettings, make_grid

AXES = {
    "standard": np.eye(3),
    "rows from the left": np.diag([-1.0, 1.0, 1.0]),
    "from behind": np.diag([1.0, -1.0, 1.0]),
    "turned by a quarter": np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]]),
    "turned and mirrored": np.array([[0.0, -1, 0], [-1, 0, 0], [0, 0, -1]]),
    "feet last": np.diag([1.0, 1.0, -1.0]),
}


@pytest.mark.parametrize("name", AXES)
def test_axial_slices_have_the_patients_right_on_the_left_and_the_nose_on_top(name):
    grid = make_grid(ExamSettings(axes=AXES[name], shape_kji=(5, 40, 60), spacing_mm=(3.0, 4.0)))
    plane = DisplayPlane.of(grid)
    assert (plane.letters.left, plane.letters.right, plane.letters.top, plane.letters.bottom) == ("R", "L", "A", "P")
    k, j, i = np.indices(grid.shape_kji)
    lps = grid.voxel_to_lps(np.stack([i, j, k], axis=-1))
    x, y = plane.show(lps[2, :, :, 0]), plane.show(lps[2, :, :, 1])
    assert (np.diff(x, axis=1) > 0).all()  # L grows to the right of the page
    assert (np.diff(y, axis=0) > 0).all()  # P grows downwards


@pytest.mark.parametrize("name", AXES)
def test_points_lie_on_the_pixel_that_shows_them(name):
    grid = make_grid(ExamSettings(axes=AXES[name], shape_kji=(5, 40, 60), spacing_mm=(3.0, 4.0)))
    plane = DisplayPlane.of(grid)
    mark = np.zeros((40, 60), bool)
    mark[7, 51] = True
    row, column = np.argwhere(plane.show(mark))[0]
    x, y = plane.point_mm(51, 7)
    assert (x / plane.spacing_x_mm, y / plane.spacing_y_mm) == pytest.approx((column + 0.5, row + 0.5))


def test_page_keeps_the_shape_of_anisotropic_pixels():
    settings = ExamSettings(axes=AXES["turned by a quarter"], shape_kji=(5, 40, 60), spacing_mm=(3.0, 4.0))
    plane = DisplayPlane.of(make_grid(settings))
    assert plane.shape_yx == (60, 40)
    assert plane.size_mm == (160.0, 180.0)


def test_coronal_slices_have_the_vertex_on_top():
    grid = make_grid(ExamSettings(axes=np.array([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]])))
    letters = DisplayPlane.of(grid).letters
    assert (letters.left, letters.right, letters.top, letters.bottom) == ("R", "L", "S", "I")


def test_sagittal_slices_have_the_nose_on_the_left():
    grid = make_grid(ExamSettings(axes=np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])))
    letters = DisplayPlane.of(grid).letters
    assert (letters.left, letters.right, letters.top, letters.bottom) == ("A", "P", "S", "I")
