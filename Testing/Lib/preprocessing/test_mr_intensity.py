"""MR intensities do not depend on the scanner's scale, the fat or the unit."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.preprocessing.mr_intensity import HIGHEST_ADC_MM2_PER_S, scale_adc, scale_weighted
from Testing.Lib.mr_phantom import grid, head


@pytest.mark.parametrize("contrast", ["T1", "T2", "FLAIR", "TRACE"])
def test_the_scanners_own_scale_does_not_matter(contrast):
    values = head(contrast)
    assert np.allclose(scale_weighted(values, grid()), scale_weighted(values * 37.5, grid()), atol=1e-5)


def test_a_bright_spot_or_eye_does_not_darken_the_brain():
    values = head("FLAIR")
    spoilt = values.copy()
    spoilt[2, 20:24, 10:14] = 50_000
    brain = (slice(10, 14), slice(25, 30), slice(20, 28))
    assert np.allclose(scale_weighted(values, grid())[brain], scale_weighted(spoilt, grid())[brain], rtol=0.02)


def test_values_lie_between_0_and_1_and_the_brain_in_the_lower_third():
    scaled = scale_weighted(head("T2"), grid())
    assert scaled.dtype == np.float32 and scaled.min() == 0 and scaled.max() <= 1
    assert 0.2 < np.median(scaled[11, 20:36, 30:34]) < 0.35


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 1.0])
def test_an_adc_map_means_the_same_in_every_unit(unit):
    mm2_per_s = head("ADC", noise=0.0) * 1e-3
    scaled = scale_adc(mm2_per_s / unit, unit)
    assert np.allclose(scaled, np.clip(mm2_per_s / HIGHEST_ADC_MM2_PER_S, 0, 1), atol=1e-4)


def test_an_empty_image_is_refused_and_values_that_are_none_are_zero():
    with pytest.raises(InputError):
        scale_weighted(np.zeros((4, 20, 20)), grid((4, 20, 20)))
    broken = head("T1")
    broken[0, 0, :3] = np.nan, np.inf, -np.inf
    scaled = scale_weighted(broken, grid())
    assert np.isfinite(scaled).all() and (scaled[0, 0, 0], scaled[0, 0, 2]) == (0, 0)
