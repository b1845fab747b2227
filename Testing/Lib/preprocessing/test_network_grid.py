"""The same head on ten grids: orientation, place and slabs of the network's image, and the way back."""

import dataclasses
from functools import cache

import numpy as np
import pytest

from NeuroTriageLib.preprocessing.network_grid import prepare
from NeuroTriageLib.preprocessing.slab_layout import DisplayAxes
from NeuroTriageLib.systems.kuo2019_config import COMPACT
from Testing.Lib.preprocessing import oval_head
from Testing.Lib.preprocessing.oval_head import CENTER_LPS_MM, axial_grid, head_on, voxel_points

CONFIG = dataclasses.replace(COMPACT, image_size=224)
BLOOD_LPS_MM = CENTER_LPS_MM + np.array([30.0, -25.0, 12.0])  # left, anterior and above the middle

GRIDS = {
    "plain": axial_grid(),
    "upside down": axial_grid(direction_i=(1.0, 0.0, 0.0), direction_j=(0.0, -1.0, 0.0)),
    "mirrored": axial_grid(direction_i=(-1.0, 0.0, 0.0), direction_j=(0.0, 1.0, 0.0)),
    "turned by 90": axial_grid(direction_i=(0.0, 1.0, 0.0), direction_j=(1.0, 0.0, 0.0)),
    "turned by 270": axial_grid(direction_i=(0.0, -1.0, 0.0), direction_j=(1.0, 0.0, 0.0)),
    "tilted": axial_grid(shear_j=np.tan(np.radians(20))),
    "oblique": axial_grid(direction_i=(0.96, 0.28, 0.0), direction_j=(-0.28, 0.96, 0.0)),
    "thin slices": axial_grid(count=100, spacing_k_mm=1.25, pixel_mm=1.5, size=130),
    "small pixels": axial_grid(count=22, pixel_mm=0.6, size=310),
    "uneven": axial_grid(heights_mm=np.concatenate([np.arange(-64, 0, 4.0), [1.5], np.arange(8.0, 62, 6.0)])),
}


def with_blood(grid):
    """The head with a ball of blood of 11 mm radius, and its label map (type 3)."""
    inside = np.linalg.norm(voxel_points(grid) - BLOOD_LPS_MM, axis=-1) < 11
    return head_on(grid, inside), np.where(inside, 3, 0).astype(np.uint8)


@cache
def prepared_on(name):
    """The prepared head on one of the grids, and its label map on the source."""
    volume, label = with_blood(GRIDS[name])
    return prepare(volume, CONFIG), label


@pytest.mark.parametrize("name", GRIDS)
def test_labels_come_back_to_their_own_voxels(name):
    prepared, label = prepared_on(name)
    there = prepared.labels_from_source(label)
    assert set(np.unique(there)) == {0, 3}
    back = prepared.to_source((there == 3)[None].astype(np.float32))[0] >= 0.5
    original, returned = (np.argwhere(mask).mean(axis=0) for mask in (label == 3, back))
    assert np.abs(original - returned)[1:].max() < 0.5
    assert abs(original - returned)[0] < (2 if name == "thin slices" else 0.5)  # slices; a slab there has four
    overlap = 2 * (back & (label == 3)).sum() / (back.sum() + (label == 3).sum())
    assert overlap > 0.9


@pytest.mark.parametrize("name", GRIDS)
def test_the_network_always_sees_the_same_orientation(name):
    prepared, label = prepared_on(name)
    slab, row, column = np.argwhere(prepared.labels_from_source(label) > 0).mean(axis=0)
    brain = np.argwhere(prepared.brain_shw).mean(axis=0)
    assert slab > brain[0] + 0.5  # upwards
    assert row < brain[1] - 10  # anterior is up
    assert column > brain[2] + 10  # the patient's left is on the right


@pytest.mark.parametrize("name", GRIDS)
def test_skull_and_scalp_are_removed_and_the_brain_is_centred(name):
    prepared, _ = prepared_on(name)
    assert prepared.image_shw.shape[1:] == (224, 224) and prepared.image_shw.dtype == np.float32
    assert not prepared.image_shw[~prepared.brain_shw].any()
    expected = np.pi * np.prod(oval_head.BRAIN_RADII_MM[:2]) / 0.9**2
    assert abs(prepared.brain_shw.sum(axis=(1, 2)).max() / expected - 1) < 0.05
    rows, columns = (np.flatnonzero(prepared.brain_shw.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    assert abs(rows[[0, -1]].mean() - 111.5) < 4 and abs(columns[[0, -1]].mean() - 111.5) < 4


@pytest.mark.parametrize(
    "spacing_mm, slices", [(0.625, 8), (1.0, 5), (1.25, 4), (2.0, 2), (2.5, 2), (3.0, 1), (5.0, 1), (8.0, 1)]
)
def test_thin_slices_are_averaged_in_whole_groups(spacing_mm, slices):
    grid = axial_grid(count=24, spacing_k_mm=spacing_mm, size=32, pixel_mm=6.0)
    prepared = prepare(head_on(grid), CONFIG)
    groups = prepared.grid.slabs
    assert {len(group) for group in groups[:-1]} == {slices}
    assert sorted(k for group in groups for k in group) == list(range(24))
    assert all(prepared.slab_of_slice[k] == s for s, group in enumerate(groups) for k in group)


def test_a_map_is_unchanged_between_slices_when_slabs_are_slices():
    prepared = prepare(head_on(GRIDS["plain"]), CONFIG)
    assert np.array_equal(prepared.grid.slice_from_slab, np.eye(26, dtype=np.float32))


def test_a_map_falls_to_zero_outside_the_networks_field():
    small = dataclasses.replace(CONFIG, image_size=64, patch_size=48)
    prepared = prepare(head_on(GRIDS["plain"]), small)
    source = prepared.to_source(np.ones((2, *prepared.image_shw.shape), np.float32))
    assert source.shape == (2, 26, 200, 200)
    assert set(np.unique(source.round(4))) == {0.0, 1.0}
    assert source[0, 13].sum() == pytest.approx((63 * 0.9) ** 2, rel=0.05)


def test_an_image_without_a_head_has_nothing_to_look_at():
    grid = axial_grid(count=6, size=64)
    prepared = prepare(dataclasses.replace(head_on(grid), array_kji=np.full(grid.shape_kji, -1000, np.int16)), CONFIG)
    assert not prepared.has_brain_s.any() and not prepared.brain_shw.any() and not prepared.image_shw.any()


def test_slabs_above_and_below_the_brain_are_marked_empty():
    prepared = prepare(head_on(axial_grid(count=34)), CONFIG)
    assert not prepared.has_brain_s[[0, -1]].any() and prepared.has_brain_s[17]


def test_one_slice_is_enough():
    prepared = prepare(head_on(axial_grid(count=1)), CONFIG)
    assert prepared.image_shw.shape == (1, 224, 224)
    assert prepared.to_source(prepared.image_shw[None]).shape == (1, 1, 200, 200)


def test_display_axes_of_a_stack_from_above_are_flipped():
    down = axial_grid(direction_j=(0.0, -1.0, 0.0))
    assert DisplayAxes.of(down) == DisplayAxes(transposed=False, flip_k=True, flip_j=True, flip_i=False)
