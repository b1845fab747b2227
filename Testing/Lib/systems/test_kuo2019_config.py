"""The published settings of Kuo 2019 are the paper's numbers."""

from __future__ import annotations

import pytest

from NeuroTriageLib.systems.kuo2019_config import PUBLISHED


def test_the_published_settings_see_three_slices_whole_and_in_patches_that_overlap_by_two_thirds():
    config = PUBLISHED
    assert (config.slices, config.image_size, config.width) == (3, 512, 1.0)  # Methods
    assert (config.patch_overlap, config.patch_stride) == (pytest.approx(2 / 3), 80)  # of patches of 240
    assert config.pixel_threshold == 0.5  # figure 5
    assert config.patch_sharpness == 0.0  # global average pooling
