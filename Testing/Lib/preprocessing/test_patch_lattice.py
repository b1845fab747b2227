"""The lattice of windows covers the brain with the stated overlap, and cutting and pasting undo each other."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.preprocessing.patch_lattice import MARGIN, lattice_over
from NeuroTriageLib.systems.kuo2019_config import COMPACT, PUBLISHED


def brain_box(j: tuple[int, int], i: tuple[int, int], size: int = 256) -> np.ndarray:
    brain = np.zeros((3, size, size), dtype=bool)
    brain[1, j[0] : j[1], i[0] : i[1]] = True
    return brain


@pytest.mark.parametrize(
    ("j", "i"), [((30, 230), (60, 200)), ((0, 256), (0, 256)), ((100, 101), (3, 5)), ((0, 40), (216, 256))]
)
def test_windows_cover_the_brain_and_its_margin_and_no_row_of_windows_too_many(j, i):
    lattice = lattice_over(brain_box(j, i), size=120, stride=40)
    for (first, last), start, length in ((j, lattice.top, lattice.height), (i, lattice.left, lattice.width)):
        assert start <= first - MARGIN
        assert start + length >= last + MARGIN
        needed = last - first + 2 * MARGIN
        assert length == 120 or length - 40 < needed
        assert (length - 120) % 40 == 0


def test_neighbouring_patches_overlap_by_two_thirds():
    for config in (PUBLISHED, COMPACT):
        assert 1 - config.patch_stride / config.patch_size == pytest.approx(2 / 3)


def test_windows_lie_one_stride_apart():
    lattice = lattice_over(brain_box((30, 230), (60, 200)), size=120, stride=40)
    box = np.arange(lattice.height)[:, None] * 1000 + np.arange(lattice.width)
    windows = lattice.windows(box)
    assert windows.shape == (lattice.count_j, lattice.count_i, 120, 120)
    for j in range(lattice.count_j):
        for i in range(lattice.count_i):
            assert windows[j, i, 0, 0] == 40 * j * 1000 + 40 * i
            assert windows[j, i, -1, -1] == (40 * j + 119) * 1000 + 40 * i + 119


def test_what_is_cut_goes_back_to_its_place_and_beyond_the_image_there_is_nothing():
    image = np.random.default_rng(0).random((2, 256, 256)).astype(np.float32) + 1
    lattice = lattice_over(brain_box((0, 40), (216, 256)), size=120, stride=40)
    box = lattice.cut(image)
    assert lattice.top < 0 and lattice.left + lattice.width > 256
    assert not box[:, : -lattice.top].any() and not box[:, :, 256 - lattice.left :].any()
    back = np.zeros_like(image)
    lattice.paste(box, back)
    inside = (slice(None), slice(0, lattice.top + lattice.height), slice(lattice.left, 256))
    np.testing.assert_array_equal(back[inside], image[inside])
    back[inside] = 0
    assert not back.any()
