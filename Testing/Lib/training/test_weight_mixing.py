"""Half-way between two networks: every weight and statistic, and a pack that says nothing else."""

from __future__ import annotations

import pytest
import torch

from NeuroTriageLib.training.pack_export import kept_tensors
from NeuroTriageLib.training.weight_mixing import NEW_SHARE, half_way


def test_weights_lie_half_way_and_counters_are_the_new_ones():
    old = {"w": torch.zeros(3), "running_var": torch.full((2,), 4.0), "count": torch.tensor(7)}
    new = {"w": torch.ones(3), "running_var": torch.full((2,), 2.0), "count": torch.tensor(9)}
    mixed = half_way(old, new)
    assert torch.allclose(mixed["w"], torch.full((3,), NEW_SHARE)) and mixed["count"] == 9
    assert torch.allclose(mixed["running_var"], torch.full((2,), 3.0))
    assert torch.equal(new["w"], torch.ones(3)), "the networks themselves stay"


@pytest.mark.parametrize(("best", "kept"), [({}, 1.0), ({"w": torch.full((2,), 3.0)}, 3.0)])
def test_a_fine_tuned_model_ships_half_way_from_its_start_and_another_as_it_is(best, kept):
    state = {"trainer": {"average": {"net.w": torch.ones(2)}}, "best": {"weights": best}}
    assert torch.equal(kept_tensors(state, "average", "net.")["w"], torch.full((2,), kept))
    started = state | {"start_weights": {"w": torch.zeros(2)}}
    assert torch.equal(kept_tensors(started, "average", "net.")["w"], torch.full((2,), kept / 2))
