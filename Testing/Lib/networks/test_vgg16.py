"""VGG16's convolutions against Simonyan 2014, table 1, configuration D."""

from __future__ import annotations

import torch
from torch import nn

from NeuroTriageLib.networks.backbones.vgg16 import Vgg16


def test_the_published_convolutions_have_14_714_688_parameters():
    assert sum(p.numel() for p in Vgg16().parameters()) == 14_714_688


def test_thirteen_convolutions_in_five_blocks_halve_the_image_four_times():
    network = Vgg16(width=0.125).eval()
    x, sizes = torch.zeros(1, 3, 256, 256), []
    with torch.inference_mode():
        for module in network:
            x = module(x)
            if isinstance(module, nn.Conv2d):
                sizes.append((x.shape[1], x.shape[2]))
    assert sizes == [(8, 256)] * 2 + [(16, 128)] * 2 + [(32, 64)] * 3 + [(64, 32)] * 3 + [(64, 16)] * 3


def test_the_full_width_ends_in_512_maps_of_16_by_16():
    network = Vgg16().eval()
    assert network.out_channels == 512
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 256, 256)).shape == (1, 512, 16, 16)  # Ye 2019, supplement 6


def test_batch_norms_replace_the_biases():
    network = Vgg16(width=0.125, batch_norm=True)
    convolutions = [module for module in network if isinstance(module, nn.Conv2d)]
    norms = [module for module in network if isinstance(module, nn.BatchNorm2d)]
    assert len(convolutions) == len(norms) == 13
    assert all(module.bias is None for module in convolutions)
