"""Signals of materials where the equations can be solved by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from NeuroTriageLib.simulation.mr.image_formation import adc_map
from NeuroTriageLib.simulation.mr.materials import Material
from NeuroTriageLib.simulation.mr.signal_equations import PulseSequence, signals
from NeuroTriageLib.simulation.mr.tissue_materials import TISSUE_RANGES
from NeuroTriageLib.simulation.tissue import Tissue

WATER = Material(t1_ms=1000.0, t2_ms=100.0, r2prime_per_s=10.0, density=0.8, adc=1.0, uptake_per_s=2.0)


def _one(sequence, material=WATER):
    return float(signals([material], sequence)[0])


def test_a_long_repetition_and_no_echo_time_give_the_proton_density():
    assert _one(PulseSequence("spin echo", tr_ms=1e6, te_ms=0.0)) == pytest.approx(0.8)


def test_one_t2_of_echo_time_leaves_a_share_of_one_over_e():
    assert _one(PulseSequence("spin echo", 1e6, 100.0)) == pytest.approx(0.8 / np.e)


def test_an_inversion_time_of_ln_2_times_t1_nulls_the_signal():
    assert _one(PulseSequence("inversion recovery", 1e6, 0.0, ti_ms=1000.0 * np.log(2.0))) == pytest.approx(
        0.0, abs=1e-6
    )


def test_the_ernst_angle_gives_the_gradient_echo_its_most_signal():
    best = np.degrees(np.arccos(np.exp(-50.0 / 1000.0)))
    at = [_one(PulseSequence("gradient echo", 50.0, 0.0, flip_deg=best + off)) for off in (-4.0, 0.0, 4.0)]
    assert at[1] > max(at[0], at[2])


def test_static_dephasing_acts_on_gradient_echoes_and_not_on_spin_echoes():
    dephased = replace(WATER, r2prime_per_s=60.0)
    spin, gradient = (
        PulseSequence("spin echo", 2000.0, 20.0),
        PulseSequence("gradient echo", 2000.0, 20.0, flip_deg=20.0),
    )
    assert _one(spin, dephased) == _one(spin)
    assert _one(gradient, dephased) / _one(gradient) == pytest.approx(np.exp(-0.02 * 50.0))


def test_contrast_medium_brightens_t1_weighted_images_where_it_is_taken_up():
    plain, enhanced = (PulseSequence("spin echo", 500.0, 10.0, contrast_medium=on) for on in (False, True))
    assert _one(enhanced) > 1.3 * _one(plain)
    assert _one(enhanced, replace(WATER, uptake_per_s=0.0)) == _one(plain)


def test_the_adc_map_gives_the_materials_own_diffusion_back():
    trace = PulseSequence("diffusion", 5000.0, 80.0, b_s_per_mm2=1000.0)
    b0, b1000 = (torch.tensor(signals([WATER], s)) for s in (replace(trace, b_s_per_mm2=0.0), trace))
    assert float(adc_map(b0, b1000, 1000.0, background=0.0)) == pytest.approx(1.0e-3, rel=1e-4)
    assert float(adc_map(b0, b1000, 1000.0, background=1.0)) == 0.0


@pytest.mark.parametrize("field_tesla", [1.5, 3.0])
def test_tissues_stand_in_their_usual_order_in_every_contrast(field_tesla):
    rng = np.random.default_rng(0)
    tissue = [TISSUE_RANGES[t].draw(rng, field_tesla) for t in (Tissue.CSF, Tissue.CORTEX, Tissue.WHITE, Tissue.FAT)]
    csf, grey, white, fat = signals(tissue, PulseSequence("spin echo", 4500.0, 95.0))
    assert csf > grey > white
    csf, grey, white, fat = signals(tissue, PulseSequence("spin echo", 550.0, 10.0))
    assert fat > white > grey > csf
    csf, grey, white, fat = signals(tissue, PulseSequence("inversion recovery", 9000.0, 120.0, ti_ms=2500.0))
    assert grey > white > 2.0 * csf
    csf, grey, white, fat = signals(tissue, PulseSequence("diffusion", 6000.0, 90.0, b_s_per_mm2=1000.0, fat_left=0.1))
    assert grey > white > csf > 0.0
