"""Regions of Chang 2018: which are accepted, which make one bleed, and where their boxes lie on the source."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from NeuroTriageLib.inference.chang2018_predictor import SlabRegion
from NeuroTriageLib.preprocessing.network_grid import prepare
from NeuroTriageLib.systems.chang2018_config import COMPACT
from NeuroTriageLib.systems.chang2018_regions import accepted, box_on_source, instances, painted, told_regions
from Testing.Lib.systems.head_phantom import head, stack

CONFIG = dataclasses.replace(COMPACT, pixel_spacing_mm=1.8, image_size=128, rejected_regions=2)


def region(slab: int, code: str, confidence: float, box: tuple[int, int, int, int] = (10, 10, 20, 20)) -> SlabRegion:
    """A region whose mask fills its box."""
    top, left, bottom, right = box
    mask = np.ones((bottom - top, right - left), np.float16)
    return SlabRegion(slab, code, confidence, tuple(map(float, box)), (top, left), mask)


def test_confident_regions_of_present_types_and_ventricular_blood_are_accepted():
    regions = [region(0, "IPH", 0.9), region(0, "IPH", 0.4), region(0, "SAH", 0.8), region(1, "IVH", 0.7)]
    kept = accepted(regions, ("IPH",), present=True, untyped=False, threshold=0.5)
    assert kept == [True, False, False, True]


def test_the_region_that_made_a_type_present_is_accepted_however_faint():
    regions = [region(0, "IPH", 0.2), region(1, "IPH", 0.3), region(2, "SAH", 0.9)]
    kept = accepted(regions, ("IPH", "SAH"), present=True, untyped=False, threshold=0.5)
    assert kept == [False, True, True]


def test_nothing_is_accepted_in_an_exam_without_hemorrhage():
    assert accepted([region(0, "IPH", 0.99)], (), present=False, untyped=False, threshold=0.5) == [False]


@pytest.mark.parametrize(("faint", "expected"), [(0.6, [True, True, False]), (0.3, [False, True, False])])
def test_without_a_type_every_type_counts_and_one_region_at_least(faint: float, expected: list[bool]):
    regions = [region(0, "IVH", faint), region(0, "SAH", faint + 0.1), region(1, "IPH", 0.1)]
    threshold = 0.5
    assert accepted(regions, ("IPH",), present=True, untyped=True, threshold=threshold) == expected


def test_regions_of_one_type_that_touch_on_neighbouring_slabs_are_one_bleed():
    regions = [
        region(3, "IPH", 0.9, (10, 10, 20, 20)),
        region(4, "IPH", 0.9, (15, 15, 30, 30)),
        region(5, "IPH", 0.9, (29, 29, 40, 40)),  # touches the second, not the first
        region(4, "SAH", 0.9, (10, 10, 20, 20)),  # another type
        region(7, "IPH", 0.9, (29, 29, 40, 40)),  # a slab is missing between
        region(4, "IPH", 0.9, (60, 60, 70, 70)),  # elsewhere
        region(4, "IPH", 0.9, (12, 12, 18, 18)),  # rejected
    ]
    assert instances(regions, [True] * 6 + [False], 0.5) == [1, 1, 1, 2, 3, 4, 0]


def test_boxes_that_overlap_without_a_shared_pixel_of_blood_are_two_bleeds():
    left, right = region(0, "SDH+EDH", 0.9, (0, 0, 20, 20)), region(1, "SDH+EDH", 0.9, (0, 0, 20, 20))
    left.mask_hw[:, 8:] = 0
    right.mask_hw[:, :12] = 0
    assert instances([left, right], [True, True], 0.5) == [1, 2]


def test_a_picture_holds_the_highest_weighted_mask():
    regions = [region(1, "IPH", 0.5, (2, 2, 6, 6)), region(1, "IPH", 0.25, (4, 4, 8, 8))]
    picture = painted(regions, [0.5, 0.25], [0, 0], (1, 3, 10, 10))
    assert picture[0, 1, 5, 5] == 0.5 and picture[0, 1, 7, 7] == 0.25 and picture[0, 1, 0, 0] == 0
    assert not picture[0, 0].any() and not picture[0, 2].any()
    assert not painted(regions, [1, 1], [-1, -1], (1, 3, 10, 10)).any()


GRIDS = {
    "axial": stack(),
    "stacked downwards": stack(feet_last=True),
    "gantry tilted": stack(tilt_deg=18.0),
    "turned in plane": stack(turn_deg=25.0),
    "rows and columns exchanged": stack(turn_deg=90.0),
    "mirrored rows": stack(mirrored=True),
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_box_on_the_source_holds_what_the_box_held_on_the_networks_grid(name: str):
    grid = GRIDS[name]
    prepared = prepare(head(grid), CONFIG)
    blob = np.zeros(prepared.image_shw.shape, np.float16)
    slab, box = len(blob) // 2, (40, 70, 52, 90)
    blob[slab, box[0] : box[2], box[1] : box[3]] = 1
    on_source = prepared.to_source(blob[None])[0] >= 0.5
    (k,) = prepared.grid.slabs[slab]
    rows, columns = np.nonzero(on_source[k])
    expected = (rows.min(), columns.min(), rows.max(), columns.max())
    found = box_on_source(tuple(map(float, box)), prepared.grid)
    assert found is not None and np.abs(np.array(found) - expected).max() <= 1


def test_boxes_end_at_the_source_and_those_outside_are_left_out():
    prepared = prepare(head(GRIDS["axial"]), dataclasses.replace(CONFIG, image_size=256))
    _, rows, columns = GRIDS["axial"].shape_kji
    assert box_on_source((0.0, 0.0, 256.0, 256.0), prepared.grid) == (0, 0, rows - 1, columns - 1)
    assert box_on_source((0.0, 0.0, 10.0, 10.0), prepared.grid) is None


def test_all_accepted_and_the_most_confident_rejected_regions_are_told():
    prepared = prepare(head(GRIDS["axial"]), CONFIG)
    confidences = [0.9, 0.1, 0.4, 0.2, 0.6]
    regions = [region(10 + n, "IPH", c, (50, 50, 70, 70)) for n, c in enumerate(confidences)]
    told = told_regions(regions, [True, False, False, False, True], prepared.grid, CONFIG)
    assert [(r.slice_index, r.confidence, r.accepted, r.instance) for r in told] == [
        (10, 0.9, True, 1),
        (12, 0.4, False, 0),
        (13, 0.2, False, 0),
        (14, 0.6, True, 2),
    ]
