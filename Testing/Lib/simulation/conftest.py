"""A small phantom head and its exams, made once for all tests of the simulator."""

import pytest

from NeuroTriageLib.simulation.head_ct import simulate_head_ct
from NeuroTriageLib.simulation.phantom import phantom_anatomy
from NeuroTriageLib.simulation.settings import HeadCtSettings

# Exams in a small head, so that the tests stay fast.
SMALL = {"matrix": 96, "slice_spacings_mm": (4.0,), "mixed_stack_probability": 0.0, "gap_probability": 0.0}


@pytest.fixture(scope="session")
def anatomy():
    return phantom_anatomy(0.6)


@pytest.fixture(scope="session")
def simulate(anatomy):
    def make(seed, **changes):
        return simulate_head_ct(anatomy, seed, HeadCtSettings(**(SMALL | changes)))

    return make
