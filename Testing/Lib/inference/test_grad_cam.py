"""Grad-CAM against finite differences and against a case worked out by hand."""

from __future__ import annotations

import pytest
import torch

from NeuroTriageLib.inference.grad_cam import grad_cam, slice_gradients
from NeuroTriageLib.networks.cnn_rnn import CnnRnn, CnnRnnShape, Pooling


def network(pooling: Pooling) -> CnnRnn:
    torch.manual_seed(0)
    return CnnRnn(2, CnnRnnShape(width=0.0625, pooling=pooling, image_size=64)).eval().double()


@pytest.mark.parametrize("pooling", ["flatten", "global"])
def test_gradients_agree_with_finite_differences(pooling: Pooling):
    net = network(pooling)
    maps = torch.rand(4, 32, 4, 4, dtype=torch.float64)
    gradients = slice_gradients(net, maps, 1, [0, 2])

    def logit(changed: torch.Tensor, t: int) -> float:
        with torch.no_grad():
            return float(net.classify(net.pooled(changed), [4]).slices[t, 1])

    step, random = 1e-6, torch.Generator().manual_seed(1)
    for row, t in enumerate((0, 2)):
        assert gradients[row].abs().max() > 1e-6
        for _ in range(60):
            at = tuple(int(torch.randint(n, (), generator=random)) for n in maps.shape[1:])
            up, down = maps.clone(), maps.clone()
            up[(t, *at)] += step
            down[(t, *at)] -= step
            expected = (logit(up, t) - logit(down, t)) / (2 * step)
            assert float(gradients[(row, *at)]) == pytest.approx(expected, abs=1e-8, rel=1e-5)


def test_the_heatmap_is_the_rectified_sum_of_maps_weighted_by_their_mean_gradient():
    net = network("global")
    maps = torch.rand(3, 32, 4, 4, dtype=torch.float64)
    sums = []
    for output in (0, 1):
        heat = grad_cam(net, maps, output, [1])[0]
        weight = slice_gradients(net, maps, output, [1])[0].mean((1, 2))
        expected = torch.einsum("c,chw->hw", weight, maps[1]).clamp_min(0)
        torch.testing.assert_close(heat * expected.sum(), expected)
        sums.append(float(heat.sum()))
    assert max(sums) == pytest.approx(1.0)


def test_nothing_that_speaks_for_bleeding_gives_an_empty_heatmap():
    net = network("global")
    assert not grad_cam(net, torch.zeros(2, 32, 4, 4, dtype=torch.float64), 1, [0, 1]).any()
    assert grad_cam(net, torch.rand(2, 32, 4, 4, dtype=torch.float64), 1, []).shape == (0, 4, 4)


def test_explaining_a_network_leaves_no_gradients_in_it():
    net = network("flatten")
    grad_cam(net, torch.rand(2, 32, 4, 4, dtype=torch.float64), 1, [0])
    assert all(parameter.grad is None for parameter in net.parameters())
