"""The networks of Nael 2021: shapes of every stage, and contrasts that may be missing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from NeuroTriageLib.networks.lfe_classifier import LfeClassifier, LfeClassifierSettings, latent_gradient, map_peaks

DEPTH, SIDE = 8, 64
HERE = torch.tensor([[True, True, True]])


def network(**changes) -> LfeClassifier:
    torch.manual_seed(0)
    return LfeClassifier(LfeClassifierSettings(**({"axial": 3, "width": 0.25} | changes))).eval()


def volumes(count: int = 3, seed: int = 1) -> torch.Tensor:
    return torch.rand((1, count, DEPTH, SIDE, SIDE), generator=torch.Generator().manual_seed(seed))


def test_a_map_per_finding_on_the_input_grid_and_two_study_logits_from_isotropic_features():
    output = network(maps=3)(volumes(), HERE)
    assert output.maps.shape == (1, 3, DEPTH, SIDE, SIDE)
    assert output.latent.shape == (1, 16, DEPTH, SIDE // 8, SIDE // 8)
    assert output.study.shape == (1, 2)


def test_the_published_input_size_gives_isotropic_features():
    net = network()
    with torch.no_grad():
        x = net.axial.strided(torch.zeros(1, 4, 32, 256, 256))
    assert x.shape[2:] == (32, 32, 32)


def test_every_convolution_layer_has_dropout():
    net = network(dropout=0.3)
    normed = [m for m in net.modules() if isinstance(m, nn.Sequential) and any(isinstance(c, nn.Conv3d) for c in m)]
    assert normed and all(any(isinstance(c, nn.Dropout3d) and c.p == 0.3 for c in layer) for layer in normed)


@torch.no_grad()
def test_what_an_absent_contrast_holds_changes_nothing():
    net, x = network(), volumes()
    present = torch.tensor([[True, False, True]])
    other = x.clone()
    other[:, 1] = float("nan")
    first, second = net(x, present), net(other, present)
    assert torch.equal(first.study, second.study) and torch.equal(first.maps, second.maps)
    assert not torch.allclose(first.study, net(x, HERE).study)


@torch.no_grad()
def test_features_are_averaged_over_the_contrasts_that_are_there():
    combination = network().axial.combination
    x, maps = volumes(), torch.zeros(1, 1, DEPTH, SIDE, SIDE)
    alone = [combination(x, torch.eye(3, dtype=torch.bool)[n : n + 1], maps) for n in range(3)]
    both = combination(x, torch.tensor([[True, False, True]]), maps)
    assert torch.allclose(both, (alone[0] + alone[2]) / 2, atol=1e-6)
    assert torch.allclose(combination(x, HERE, maps), sum(alone) / 3, atol=1e-6)


@torch.no_grad()
def test_the_localization_says_the_same_of_a_place_in_a_part_of_the_study_as_in_the_whole():
    localization = network().localization
    axial = torch.cat([volumes(), volumes(seed=1)], dim=4)  # so wide that a crop has an inside
    part = axial[..., 24:]
    seen = localization(axial, HERE)[..., 24:]
    inner = (..., slice(SIDE // 2, None))
    assert torch.allclose(localization(part, HERE)[inner], seen[inner], atol=1e-5)


@torch.no_grad()
def test_sagittal_images_are_averaged_in_when_they_are_there_and_cost_nothing_when_not():
    net = network(sagittal=2)
    axial, sagittal = volumes(), volumes(2, seed=3)
    alone = net(axial, HERE)
    absent = net(axial, HERE, sagittal, torch.tensor([[False, False]]))
    there = net(axial, HERE, sagittal, torch.tensor([[True, False]]))
    assert torch.equal(alone.study, absent.study)
    arm = net.sagittal(sagittal, torch.tensor([[True, False]])).permute(0, 1, 3, 4, 2)
    assert torch.allclose(there.latent, (alone.latent + arm) / 2, atol=1e-6)


@torch.no_grad()
def test_the_sagittal_arm_ends_on_the_axial_grid():
    net = network(sagittal=1)
    for module in net.sagittal.modules():
        if isinstance(module, nn.GroupNorm):
            module.eps = 1.0
    volume = torch.zeros(1, 1, DEPTH, SIDE, SIDE)  # slices along x, then z, then y
    volume[0, 0, 2, 5 * 8 : 6 * 8, 3 * 8 : 4 * 8] = 100.0
    quiet = net.sagittal(torch.zeros_like(volume), HERE[:, :1]).permute(0, 1, 3, 4, 2)
    marked = net.sagittal(volume, HERE[:, :1]).permute(0, 1, 3, 4, 2)
    z, y, x = (int(n) for n in torch.unravel_index((marked - quiet).abs().sum(dim=1)[0].argmax(), (8, 8, 8)))
    assert abs(z - 5) <= 1 and abs(y - 3) <= 1 and x == 2


def test_the_classifier_learns_through_the_localization_maps():
    net = network().train()
    net(volumes(), HERE).study.sum().backward()
    assert net.localization.score.weight.grad.abs().sum() > 0


def test_the_latent_gradient_is_that_of_finite_differences():
    net = network().double()
    with torch.no_grad():
        output = net(volumes().double(), HERE)
    latent, peaks = output.latent, output.peaks
    heat = latent_gradient(net, latent, peaks)
    place = tuple(int(n) for n in torch.unravel_index(heat[0].argmax(), heat.shape[1:]))
    step, total = 1e-6, 0.0
    with torch.no_grad():
        for c in range(latent.shape[1]):
            moved = []
            for sign in (1, -1):
                changed = latent.clone()
                changed[(0, c, *place)] += sign * step
                logits = net.classify(changed, peaks)[0]
                moved.append(float(logits[1] - logits[0]))
            total += (moved[0] - moved[1]) / (2 * step) * float(latent[(0, c, *place)])
    leaf = latent.clone().requires_grad_()
    logits = net.classify(leaf, peaks)
    (gradient,) = torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), leaf)
    assert total == pytest.approx(float((gradient * latent).sum(dim=1)[(0, *place)].detach()), rel=1e-3)
    assert float(heat.max()) == 1.0


def test_with_fewer_strides_smaller_images_give_isotropic_features_in_both_orientations():
    net = network(strides=2, sagittal=1)
    x = torch.zeros(1, 3, DEPTH, 4 * DEPTH, 4 * DEPTH)
    with torch.no_grad():
        output = net(x, HERE, x[:, :1], HERE[:, :1])
    assert output.latent.shape[2:] == (DEPTH, DEPTH, DEPTH)


def test_the_peak_of_a_small_spot_of_a_map_reaches_the_score_directly():
    logits = torch.full((1, 1, 4, 16, 16), -5.0)
    empty = map_peaks(logits)
    logits[0, 0, 2, 4:7, 4:7] = 5.0
    peak, mean = map_peaks(logits)[0].tolist()
    assert peak == pytest.approx(5.0 / 4) and float(empty[0, 0]) == pytest.approx(-5.0 / 4)
    share = (9 * torch.sigmoid(torch.tensor(5.0)) + (4 * 256 - 9) * torch.sigmoid(torch.tensor(-5.0))) / (4 * 256)
    assert mean == pytest.approx(float(torch.logit(share)) / 4, rel=1e-4)
    net = network(map_peaks=True)
    assert net.study.in_features == network().study.in_features + 2
    assert torch.isfinite(net(volumes(), HERE).study).all()
