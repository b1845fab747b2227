"""DRN-D-38 against the published network (Yu 2017; Kuo 2019)."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from NeuroTriageLib.networks.backbones.drn import Drn38, scaled

# (stage, channels, subsampling so far) as published; stage 0 is the 7x7 stem.
PUBLISHED = [
    (0, 16, 1), (1, 16, 1), (2, 32, 2), (3, 64, 4), (4, 128, 8), (5, 256, 8), (6, 512, 8), (7, 512, 8), (8, 512, 8),
]  # fmt: skip


@pytest.fixture(scope="module")
def published() -> Drn38:
    return Drn38().eval()


def test_every_stage_has_the_published_channels_and_size(published: Drn38):
    x = torch.zeros(1, 3, 64, 80)
    with torch.inference_mode():
        for (_, channels, subsampling), stage in zip(PUBLISHED, published.stages, strict=True):
            x = stage(x)
            assert x.shape == (1, channels, 64 // subsampling, 80 // subsampling)


def test_38_weighted_layers_with_the_classifier(published: Drn38):
    convolutions = [m for m in published.modules() if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)]
    assert len(convolutions) + 1 == 38  # the shortcuts' 1x1 convolutions are not counted, the pixel classifier is


def test_the_published_width_has_the_published_number_of_parameters(published: Drn38):
    imagenet_classifier = 512 * 1000 + 1000
    assert sum(p.numel() for p in published.parameters()) + imagenet_classifier == pytest.approx(26.5e6, rel=0.005)


def test_dilations_are_the_published_ones(published: Drn38):
    def dilations(stage: int) -> set[int]:
        stage_modules = published.stages[stage].modules()
        return {m.dilation[0] for m in stage_modules if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)}

    assert [dilations(stage) for stage in range(9)] == [{1}, {1}, {1}, {1}, {1}, {2}, {4}, {2}, {1}]


def test_the_last_two_stages_have_no_shortcut(published: Drn38):
    for stage in (7, 8):
        assert [type(m).__name__ for m in published.stages[stage][0]] == ["Conv2d", "BatchNorm2d", "ReLU"]


def test_the_width_factor_scales_channels_in_steps_of_eight():
    assert scaled(512, 0.3125) == 160
    assert scaled(16, 0.3125) == 8
    assert Drn38(width=0.3125).out_channels == 160
