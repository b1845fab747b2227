"""The published settings of each system are its paper's numbers; what a paper leaves open is not held to it."""

from __future__ import annotations

import pytest

from NeuroTriageLib.systems import chang2018_config, kuo2019_config, ye2019_config


def test_kuo_2019_sees_three_slices_whole_and_in_patches_that_overlap_by_two_thirds():
    config = kuo2019_config.PUBLISHED
    assert (config.slices, config.image_size, config.width) == (3, 512, 1.0)  # Methods
    assert (config.patch_overlap, config.patch_stride) == (pytest.approx(2 / 3), 80)  # of patches of 240
    assert config.pixel_threshold == 0.5  # figure 5
    assert config.patch_sharpness == 0.0  # global average pooling


def test_ye_2019_halves_the_image_keeps_the_slices_and_asks_for_types_from_one_half_on():
    config = ye2019_config.PUBLISHED
    assert (config.image_size, config.pixel_spacing_mm) == (256, 2 * kuo2019_config.PUBLISHED.pixel_spacing_mm)
    assert config.slab_mm < 0.3, "no slices of a head CT are thin enough to be averaged"
    assert config.windows_hu == ((-50, 150), (100, 300), (250, 450))  # supplement 2
    assert (config.gate, config.field) == (0.5, "image")  # Statistical analysis; the skull stays


def test_chang_2018_has_a_pyramid_of_128_channels_over_five_slices_and_the_thresholds_of_the_papers_that_it_cites():
    config = chang2018_config.PUBLISHED
    assert config.codes == ("IPH", "SDH+EDH", "SAH")
    assert (config.pyramid_channels, config.slices, config.image_size, config.width) == (128, 5, 512, 1.0)  # figure 2
    assert config.bottleneck_ratio == 4.0  # He 2016
    assert config.anchor_ratios == (0.5, 1.0, 2.0) and len(config.anchor_sizes_mm) == 4  # "various shapes and sizes"
    assert (config.candidates, config.proposal_overlap) == (1000, 0.7)  # Lin 2017, Ren 2015
    assert (config.region_size, config.hidden, config.mask_size, config.mask_layers) == (7, 1024, 14, 4)  # He 2017
    assert (config.detection_overlap, config.pixel_threshold, config.heat_floor) == (0.5, 0.5, 0.05)  # He 2017
