"""The settings of Nael 2021: the paper's figures, and what cannot be."""

from __future__ import annotations

import dataclasses
import json

import pytest

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.systems.nael2021_config import COMPACT, NETWORKS, PUBLISHED, REFERENCES, Nael2021Config


def test_the_published_settings_are_the_papers():
    assert PUBLISHED.shape_dhw == (32, 256, 256) and PUBLISHED.scaling == "min_max"
    assert PUBLISHED.strides == 3 and COMPACT.strides == 2
    required = {code: set(network.required) for code, network in NETWORKS.items()}
    assert required["abnormal"] == required["acute_hemorrhage"] == {"FLAIR", "ADC", "TRACE"}
    assert required["acute_infarct"] == {"ADC", "TRACE"} and required["mass_effect"] == {"FLAIR"}
    assert set(NETWORKS["mass_effect"].axial) == {"FLAIR", "T1", "T2"}
    assert [code for code, network in NETWORKS.items() if network.sagittal] == ["abnormal"]
    references = {code: network.reference for code, network in NETWORKS.items()}
    assert references == {
        "abnormal": "ADC", "acute_infarct": "ADC", "acute_hemorrhage": "FLAIR", "mass_effect": "FLAIR"
    }  # fmt: skip


def test_every_finding_is_shown_on_a_series_that_it_cannot_do_without():
    for network in NETWORKS.values():
        assert {network.shown_on, network.reference} <= set(network.required)
        assert network.reference in REFERENCES


def test_settings_survive_json():
    threshold = COMPACT.pixel_threshold | {"mass_effect": 0.3}
    config = dataclasses.replace(COMPACT, codes=("acute_infarct",), pixel_threshold=threshold)
    assert Nael2021Config.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    "change",
    [
        {"codes": ()}, {"codes": ("IPH",)}, {"in_plane": 100}, {"in_plane": 32}, {"depth": 30}, {"scaling": "z"},
        {"width": 0.0}, {"dropout": 1.0}, {"pixel_threshold": {}},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(change):
    with pytest.raises(ConfigError):
        dataclasses.replace(COMPACT, **change)


def test_unknown_keys_are_refused():
    with pytest.raises(ConfigError, match="wdith"):
        Nael2021Config.from_json(COMPACT.to_json() | {"wdith": 1})
    with pytest.raises(ConfigError):
        Nael2021Config.from_json(COMPACT.to_json() | {"map_peaks": "yes"})
