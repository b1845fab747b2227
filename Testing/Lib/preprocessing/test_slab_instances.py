"""Boxes of a slab's bleeds, from label maps whose bleeds are known."""

import numpy as np

from NeuroTriageLib.preprocessing.slab_instances import instance_boxes


def slab(*bleeds: tuple[int, slice, slice]) -> np.ndarray:
    types = np.zeros((60, 60), np.uint8)
    for kind, rows, columns in bleeds:
        types[rows, columns] = kind
    return types


def found(types: np.ndarray) -> list[tuple[int, list[float]]]:
    boxes, kinds = instance_boxes(types)
    return sorted((int(kind), box.tolist()) for kind, box in zip(kinds, boxes, strict=True))


def test_every_part_of_every_type_has_its_box_at_pixel_edges():
    types = slab((1, slice(5, 15), slice(20, 26)), (1, slice(40, 50), slice(20, 26)), (3, slice(5, 9), slice(40, 55)))
    assert found(types) == [(1, [5, 20, 15, 26]), (1, [40, 20, 50, 26]), (3, [5, 40, 9, 55])]


def test_blood_in_neighbouring_sulci_is_one_bleed():
    near = slab((3, slice(10, 30), slice(10, 13)), (3, slice(10, 30), slice(16, 19)))
    assert found(near) == [(3, [10, 10, 30, 19])]
    far = slab((3, slice(10, 30), slice(10, 14)), (3, slice(10, 30), slice(20, 24)))
    assert len(found(far)) == 2


def test_types_that_touch_are_two_bleeds():
    assert len(found(slab((1, slice(10, 20), slice(10, 20)), (4, slice(20, 30), slice(10, 20))))) == 2


def test_tiny_bleeds_are_widened_around_their_middle_and_specks_left_out():
    assert found(slab((2, slice(10, 13), slice(30, 31)))) == [(2, [9.5, 28.5, 13.5, 32.5])]
    assert found(slab((2, slice(10, 12), slice(30, 31)))) == []


def test_a_slab_without_blood_has_no_boxes():
    boxes, kinds = instance_boxes(slab())
    assert boxes.shape == (0, 4) and kinds.shape == (0,)
