"""The unit of an ADC map is known from its values, and from its header only where the values do not contradict."""

from __future__ import annotations

import pytest

from NeuroTriageLib.series_selection.adc_unit import adc_unit, unit_said
from Testing.Lib.mr_phantom import grid, head


@pytest.mark.parametrize(("scale", "name"), [(1000.0, "1e-6 mm2/s"), (1.0, "1e-3 mm2/s"), (1e-3, "mm2/s")])
def test_each_unit_is_recognised_from_the_values(scale, name):
    assert adc_unit({}, head("ADC") * scale, grid()).name == name


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ({"RealWorldUnit": "um2/s"}, 1e-6), ({"RealWorldUnit": "mm2/s"}, 1.0), ({"RescaleType": "10^-6 mm^2/s"}, 1e-6),
        ({"RescaleType": "1E-3 mm2/s"}, 1e-3), ({"RescaleType": "10-6mm2/s"}, 1e-6), ({"RescaleType": "US"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_a_stated_unit_is_read(header, unit):
    assert unit_said(header) == unit


def test_values_decide_over_a_header_that_cannot_be():
    found = adc_unit({"RealWorldUnit": "mm2/s"}, head("ADC") * 1000.0, grid())
    assert found.name == "1e-6 mm2/s" and "cannot" in found.reason


def test_a_description_is_no_unit_and_odd_values_are_unknown():
    assert adc_unit({"SeriesDescription": "Apparent Diffusion Coefficient (mm2/s)"}).mm2_per_s is None
    assert adc_unit({}, head("ADC") * 50.0, grid()).name == "unknown"


def test_without_pixels_the_header_is_believed():
    assert adc_unit({"RealWorldUnit": "um2/s"}).name == "1e-6 mm2/s"
