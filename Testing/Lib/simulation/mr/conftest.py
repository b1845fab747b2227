"""A small phantom head's MRI studies, made once for all tests of the MRI simulator."""

import dataclasses

import pytest

from NeuroTriageLib.simulation.mr.infarcts import add_acute_infarct
from NeuroTriageLib.simulation.mr.settings import BrainMrSettings
from NeuroTriageLib.simulation.mr.study import simulate_brain_mr

# Nothing but what a test asks for, in images of 64 pixels.
NOTHING = {
    field.name: 0.0
    for field in dataclasses.fields(BrainMrSettings)
    if field.name.endswith("_probability") and field.name != "small_infarct_probability"
}
QUIET = NOTHING | {"matrix": 64, "warp_mm": (0.0, 0.0), "scale": (1.0, 1.0), "noise_gain": (0.05, 0.05)}


def paint_large_infarct(canvas):
    """One infarct of more than 3 mL, half a day to three days old."""
    add_acute_infarct(canvas, BrainMrSettings(small_infarct_probability=0.0), None, "acute")


@pytest.fixture(scope="session")
def large_infarct():
    """Paints it."""
    return paint_large_infarct


@pytest.fixture(scope="session")
def simulate_mr(anatomy):
    def make(seed, paint=None, **changes):
        return simulate_brain_mr(anatomy, seed, BrainMrSettings(**(QUIET | changes)), paint=paint)

    return make


@pytest.fixture(scope="session")
def infarct_study(simulate_mr):
    """A large acute infarct, in diffusion, FLAIR and sagittal T1."""
    return simulate_mr(3, paint=paint_large_infarct, roles=("FLAIR", "ADC", "TRACE", "T1_sagittal"))


@pytest.fixture(scope="session")
def normal_study(simulate_mr):
    """A whole protocol of a head without any finding."""
    return simulate_mr(5, normal_probability=1.0)
