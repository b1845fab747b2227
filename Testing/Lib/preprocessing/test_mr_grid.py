"""Points keep their place between a series and the network's grid in every geometry, and maps come back."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.preprocessing.mr_grid import SHAPE_KJI, reference_grid, resample

SMALL = (12, 24, 20)


def rotation(degrees: float, axis: int) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    first, second = [a for a in range(3) if a != axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = c
    matrix[first, second], matrix[second, first] = -s, s
    return matrix


def grid(axes: np.ndarray | None = None, shape=SMALL, spacing=(3.0, 3.5, 6.0), tilt=0.0, uneven=False) -> SliceGrid:
    """A stack around LPS (5, -10, 20)."""
    directions = np.eye(3) if axes is None else axes
    steps = np.full(shape[0] - 1, spacing[2])
    if uneven:
        steps[: len(steps) // 2] /= 2
    heights = np.concatenate([[0.0], np.cumsum(steps)])
    run = directions[:, 2] + np.tan(np.radians(tilt)) * directions[:, 1]
    corner = np.array([5.0, -10.0, 20.0])
    corner = corner - directions[:, 0] * spacing[0] * (shape[2] - 1) / 2
    corner = corner - directions[:, 1] * spacing[1] * (shape[1] - 1) / 2 - run * heights[-1] / 2
    return SliceGrid(
        shape_kji=shape,
        origins_lps_mm=corner + heights[:, None] * run,
        direction_i=directions[:, 0],
        direction_j=directions[:, 1],
        spacing_i_mm=spacing[0],
        spacing_j_mm=spacing[1],
        slice_thickness_mm=spacing[2],
    )


def places(of: SliceGrid) -> np.ndarray:
    """(K, J, I, 3) LPS of each voxel."""
    k, j, i = np.indices(of.shape_kji)
    return of.voxel_to_lps(np.stack([i, j, k], axis=-1))


def corners(of: SliceGrid) -> np.ndarray:
    """(8, 3) LPS of the outermost voxels."""
    return of.voxel_to_lps(np.array(list(product(*((0, n - 1) for n in of.shape_kji[::-1])))))


def ramp(of: SliceGrid) -> np.ndarray:
    """A value that is linear in space, so that linear interpolation must give it back exactly."""
    return (places(of) @ np.array([1.3, 0.7, 2.9]) + 500).astype(np.float32)


FLIPPED = np.diag([-1.0, -1.0, -1.0])
SWAPPED = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])
SAGITTAL = np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]])
GEOMETRIES = [
    grid(),
    grid(FLIPPED),
    grid(SWAPPED),
    grid(SAGITTAL),
    grid(rotation(25, 0) @ rotation(10, 2)),
    grid(tilt=18.0),
    grid(uneven=True),
    grid(FLIPPED, tilt=-12.0, uneven=True),
]


@pytest.mark.parametrize("source", GEOMETRIES)
def test_a_linear_image_keeps_its_values_at_every_place_of_any_other_grid(source):
    target = reference_grid(grid(rotation(8, 1), spacing=(2.5, 2.5, 5.0)), (8, 32, 32))
    found = resample(ramp(source), source, target)
    assert found.covered_share > 0.3
    inside = resample(np.ones(source.shape_kji), source, target).array_kji == 1
    index = source.lps_to_voxel(places(target))
    limits = np.array(source.shape_kji[::-1]) - 1
    deep = inside & ((index > 0.6) & (index < limits - 0.6)).all(-1)
    assert deep.any() and np.abs(found.array_kji - ramp(target))[deep].max() < 0.05


@pytest.mark.parametrize("source", GEOMETRIES)
def test_the_reference_grid_has_the_papers_shape_the_extent_of_its_series_and_one_set_of_directions(source):
    made = reference_grid(source)
    assert made.shape_kji == SHAPE_KJI
    middles = [corners(of).mean(0) for of in (source, made)]
    assert np.allclose(*middles, atol=4.0)  # the regular grid that fits uneven slices best has another middle
    run = made.origins_lps_mm[-1] - made.origins_lps_mm[0]
    if abs(source.normal[0]) > 0.9:
        assert made.direction_i[1] > 0.9 and made.direction_j[2] < -0.9 and run[0] > 0
    else:
        assert made.direction_i[0] > 0.85 and made.direction_j[1] > 0.85 and run[2] > 0


def test_flipped_and_turned_stacks_of_one_scene_give_the_same_image():
    plain = grid()
    expected = resample(ramp(plain), plain, reference_grid(plain, (8, 16, 16))).array_kji
    for axes in (FLIPPED, np.diag([1.0, -1.0, 1.0])):
        other = grid(axes)
        made = reference_grid(other, (8, 16, 16))
        assert np.allclose(resample(ramp(other), other, made).array_kji, expected, atol=0.05)


@pytest.mark.parametrize("source", GEOMETRIES)
def test_a_map_on_the_networks_grid_comes_back_to_the_place_of_what_it_found(source):
    spot = places(source)[6, 12, 10]
    made = reference_grid(source, (24, 48, 48))
    found = np.exp(-((places(made) - spot) ** 2).sum(-1) / (2 * 9.0**2)).astype(np.float32)
    back = resample(found, made, source).array_kji
    assert back.shape == source.shape_kji
    assert np.linalg.norm(places(source)[np.unravel_index(back.argmax(), back.shape)] - spot) < 7.0


def test_thin_slices_are_averaged_over_a_thick_one():
    thin, thick = grid(shape=(48, 24, 20), spacing=(3.0, 3.5, 1.5)), grid(shape=(10, 24, 20), spacing=(3.0, 3.5, 6.0))
    stripes = np.zeros(thin.shape_kji, np.float32)
    stripes[::2] = 2.0
    middle = resample(stripes, thin, thick).array_kji[3:-3, 6:-6, 6:-6]
    assert np.abs(middle - 1.0).max() < 0.3


def test_what_a_series_does_not_show_is_zero_and_marked():
    source = grid()
    far = SliceGrid.from_affine(source.shape_kji, np.diag([3.0, 3.5, 6.0, 1.0]) + np.eye(4, k=3) * 900)
    found = resample(ramp(source), source, far)
    assert not found.covered_kji.any() and not found.array_kji.any()


def test_a_single_slice_stands_for_its_thickness():
    one = SliceGrid.from_affine((1, 24, 20), np.diag([3.0, 3.5, 6.0, 1.0]), 6.0)
    same = resample(np.full((1, 24, 20), 7.0), one, one)
    assert np.allclose(same.array_kji, 7.0)
