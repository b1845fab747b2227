"""PatchFCN against Kuo 2019: outputs of both branches, up-convolution, pooling of the patch branch."""

from __future__ import annotations

import math

import pytest
import torch

from NeuroTriageLib.networks.patchfcn import PatchFcn, patch_logits, window_logits


def test_the_published_network_has_27_million_parameters():
    assert sum(p.numel() for p in PatchFcn(types=5).parameters()) == pytest.approx(27.2e6, rel=0.005)


@pytest.mark.parametrize("types", [1, 4, 5])
def test_n_types_give_n_plus_1_pixel_outputs_and_2_times_n_plus_1_patch_outputs(types: int):
    with torch.inference_mode():
        out = PatchFcn(types, width=0.0625).eval()(torch.zeros(2, 3, 48, 64))
    assert out.pixel.shape == (2, 1 + types, 48, 64)
    assert out.patch.shape == (2, types + 1, 2, 6, 8)


def test_other_numbers_of_slices_are_possible():
    with torch.inference_mode():
        assert PatchFcn(width=0.0625, slices=5).eval()(torch.zeros(1, 5, 16, 16)).pixel.shape == (1, 6, 16, 16)


def test_the_up_convolution_starts_as_bilinear_interpolation():
    network = PatchFcn(types=1, width=0.0625)
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    plane = (2.0 * rows - 3.0 * columns + 1.0).expand(1, 2, 6, 7)
    with torch.inference_mode():
        fine = network.pixel_up(plane)
    assert fine.shape[-2:] == (48, 56)
    # Centre of fine pixel y lies at (y + 0.5) / 8 - 0.5 of the coarse rows; the outer cell has no neighbour.
    y = (torch.arange(8, 40) + 0.5) / 8 - 0.5
    x = (torch.arange(8, 48) + 0.5) / 8 - 0.5
    expected = 2.0 * y[:, None] - 3.0 * x[None, :] + 1.0
    torch.testing.assert_close(fine[0, 0, 8:40, 8:48], expected, atol=1e-4, rtol=0)


def test_each_output_is_upsampled_by_itself():
    network = PatchFcn(types=2, width=0.0625)
    plane = torch.zeros(1, 3, 4, 4)
    plane[:, 1] = 1.0
    with torch.inference_mode():
        fine = network.pixel_up(plane)
    assert fine[:, 0].abs().max() == 0 and fine[:, 2].abs().max() == 0 and fine[:, 1].max() > 0


@pytest.mark.parametrize("sharpness", [0.0, 1.0, 4.0])
def test_a_window_of_the_dense_map_gives_the_pooled_logits_of_its_crop(sharpness):
    torch.manual_seed(0)
    dense = torch.randn(2, 6, 2, 9, 12)
    windows = window_logits(dense, 3, 2, sharpness)
    assert windows.shape == (2, 6, 2, 4, 5)
    for j in range(4):
        for i in range(5):
            crop = dense[..., 2 * j : 2 * j + 3, 2 * i : 2 * i + 3]
            torch.testing.assert_close(windows[..., j, i], patch_logits(crop, sharpness))


def test_mean_pooling_outvotes_one_cell_of_blood_and_sharp_pooling_does_not():
    patch = torch.zeros(1, 1, 2, 15, 15)
    patch[:, :, 0] = 3.0  # every cell says absent
    patch[:, :, :, 7, 7] = torch.tensor([0.0, 20.0])  # but one
    absent, present = patch_logits(patch)[0, 0]
    assert present < absent
    absent, present = patch_logits(patch, sharpness=1.0)[0, 0]
    assert absent == 0 and present == pytest.approx(20 - math.log(225), abs=1e-4)
