"""What is said of a pooled region: its type or none, a better box, and a mask per type (He 2017, figure 4)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAK = 0.1
"""Slope of the heads' units below 0 (He 2017: 0); ours: units that were silent for all blood never came back."""


class RegionScores(NamedTuple):
    """What the classifier says.

    Args:
        types: (..., 1 + N) logits, index 0 is no hemorrhage.
        offsets: (..., 4), see boxes.decode; one box for all types.
    """

    types: Tensor
    offsets: Tensor


class TypeClassifier(nn.Module):
    """Two fully connected layers, then type and box (Lin 2017, Feature Pyramid Networks, section 4.2).

    Args:
        channels: of the pooled regions.
        size: bins of the pooled regions.
        hidden: width of the fully connected layers.
        types: N, number of types.
    """

    def __init__(self, channels: int, size: int, hidden: int, types: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(channels * size * size, hidden), nn.LeakyReLU(LEAK), nn.Linear(hidden, hidden), nn.LeakyReLU(LEAK)
        )
        self.types = nn.Linear(hidden, 1 + types)
        self.offsets = nn.Linear(hidden, 4)

    def forward(self, regions: Tensor) -> RegionScores:
        """regions: (n, c, size, size)."""
        hidden = self.layers(regions.flatten(1))  # (n, hidden)
        return RegionScores(self.types(hidden).float(), self.offsets(hidden).float())


class MaskBranch(nn.Module):
    """3x3 convolutions, an up-convolution, and one mask per type.

    Args:
        channels: of the pooled regions and of the layers.
        layers: number of 3x3 convolutions (He 2017: 4).
        types: N, number of types.
    """

    def __init__(self, channels: int, layers: int, types: int) -> None:
        super().__init__()
        convolutions = [
            nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.LeakyReLU(LEAK)) for _ in range(layers)
        ]
        self.layers = nn.Sequential(*convolutions)
        self.up = nn.ConvTranspose2d(channels, channels, 2, 2)
        self.masks = nn.Conv2d(channels, types, 1)

    def forward(self, regions: Tensor, kind: Tensor) -> Tensor:
        """(n, c, m, m) regions and their types (n,) from 1 -> (n, 2 m, 2 m) logits of the own type's mask."""
        masks = self.masks(F.leaky_relu(self.up(self.layers(regions)), LEAK))  # (n, types, 2 m, 2 m)
        return masks[torch.arange(len(masks), device=masks.device), kind - 1].float()
