"""Settings of Chang 2018: what travels in a pack, what is refused, and which label is which type."""

import dataclasses
import json

import numpy as np
import pytest

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.systems import kuo2019_config
from NeuroTriageLib.systems.chang2018_config import (
    CODES,
    COMPACT,
    PUBLISHED,
    REGION_CODES,
    TYPE_OF_LABEL,
    Chang2018Config,
    slab_span,
    slices_of,
)


@pytest.mark.parametrize("config", [PUBLISHED, COMPACT])
def test_settings_come_back_from_json(config: Chang2018Config):
    assert Chang2018Config.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    "change",
    [
        {"colour": 1},
        {"width": "wide"},
        {"blocks": [1, 2, 2]},
        {"codes": ["IPH"]},
        {"anchor_sizes_mm": [9.0]},
        {"image_size": 250},
        {"slices": 3},
        {"region_threshold": 1.5},
        {"window_hu": [80, 0]},
        {"proposals": 0},
        {"anchor_ratios": "121"},
    ],
)
def test_wrong_settings_are_refused(change: dict):
    with pytest.raises(ConfigError):
        Chang2018Config.from_json(COMPACT.to_json() | change)


def test_a_missing_setting_is_refused():
    values = COMPACT.to_json()
    del values["hidden"]
    with pytest.raises(ConfigError, match="hidden"):
        Chang2018Config.from_json(values)


def test_every_label_has_its_type():
    named = {code: REGION_CODES[TYPE_OF_LABEL[n] - 1] for n, code in enumerate(CT_HEMORRHAGE_CODES, start=1)}
    assert named == {"IPH": "IPH", "IVH": "IVH", "SDH": "SDH+EDH", "EDH": "SDH+EDH", "SAH": "SAH"}
    assert TYPE_OF_LABEL[0] == 0 and CODES == ("IPH", "SDH+EDH", "SAH")


def test_the_compact_variant_sees_the_grid_of_kuo2019_so_that_one_preparation_serves_both():
    names = ("pixel_spacing_mm", "image_size", "slab_mm")
    assert [getattr(COMPACT, n) for n in names] == [getattr(kuo2019_config.COMPACT, n) for n in names]


def test_anchors_are_of_one_size_in_millimetres_whatever_the_pixel():
    fine = dataclasses.replace(COMPACT, pixel_spacing_mm=0.45)
    assert fine.anchor_sizes == tuple(2 * size for size in COMPACT.anchor_sizes)


def test_the_outermost_slice_stands_in_beyond_the_ends():
    span = slab_span(np.array([False, True, True, False, True, False]))
    assert span == range(1, 5)
    assert slices_of(span, 6, 5).tolist() == [0, 0, 1, 2, 3, 4, 5, 5]


def test_the_published_settings_are_those_of_figure_2_and_of_the_detectors_that_the_paper_cites():
    config = PUBLISHED
    assert config.codes == ("IPH", "SDH+EDH", "SAH")
    assert (config.pyramid_channels, config.slices, config.image_size, config.width) == (128, 5, 512, 1.0)  # figure 2
    assert config.bottleneck_ratio == 4.0  # He 2016
    assert config.anchor_ratios == (0.5, 1.0, 2.0) and len(config.anchor_sizes_mm) == 4  # "various shapes and sizes"
    assert (config.candidates, config.proposal_overlap) == (1000, 0.7)  # Lin 2017, Ren 2015
    assert (config.region_size, config.hidden, config.mask_size, config.mask_layers) == (7, 1024, 14, 4)  # He 2017
    assert (config.detection_overlap, config.pixel_threshold, config.heat_floor) == (0.5, 0.5, 0.05)  # He 2017
