"""The hybrid backbone of Chang 2018, figure 2: a contracting arm in 3D, an expanding arm in 2D.

Every filter is either in plane (1x3x3, 1x2x2, 1x1x1) or along z (2x1x1, N x 1x1), so the arm runs on slices as 2D
convolutions. Nothing is padded along z: n slabs in a row with their context are n + 4 slices and give n results, and
each slice is looked at once. That is the same as n slabs of 5 slices one by one, for a fifth of the work.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .drn import ConvNormRelu, scaled

SLICES = 5  # 5 > 4 > 3 > 2 > 1 along z; the slab's size is not in the text of Chang 2018; ours, it fits figure 2
CHANNELS = (
    64,
    128,
    256,
    512,
    512,
)  # of the levels; not stated; the first four are those of He 2016's bottlenecks / 1-2
BLOCKS = (1, 2, 2, 2, 2)  # bottlenecks per level; not stated; ours
STRIDES = (2, 4, 8, 16, 32)  # pixels per cell of the levels


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 around a shortcut (He 2016), in plane.

    Args:
        channels: in and out.
        ratio: channels per channel of the 3x3 convolution (He 2016: 4).
    """

    def __init__(self, channels: int, ratio: float) -> None:
        super().__init__()
        middle = scaled(channels, 1 / ratio)
        self.reduce = ConvNormRelu(channels, middle, 1)
        self.filter = ConvNormRelu(middle, middle, 3)
        self.expand = nn.Sequential(nn.Conv2d(middle, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(b, channels, h, w) -> the same shape."""
        return torch.relu(x + self.expand(self.filter(self.reduce(x))))


class Subsample(nn.Module):
    """A strided 1x2x2 convolution in plane, then a 2x1x1 convolution with valid padding along z."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.in_plane = nn.Sequential(
            nn.Conv2d(c_in, c_out, 2, 2, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)
        )
        self.along_z = ConvNormRelu(2 * c_out, c_out, 1)

    def forward(self, x: Tensor, slices: int) -> Tensor:
        """(b x slices, c_in, h, w) -> (b x (slices - 1), c_out, h / 2, w / 2)."""
        return self.along_z(join_slices(self.in_plane(x), slices, 2))


class HybridPyramid(nn.Module):
    """Feature pyramid of n neighbouring slabs.

    Args:
        width: factor on the contracting arm's channels; 1.0 is the published network.
        blocks: bottlenecks per level.
        channels: of the expanding arm (Chang 2018: 128).
        bottleneck_ratio: see Bottleneck.
    """

    context = SLICES // 2
    """Slices needed on each side of a slab."""

    def __init__(
        self,
        width: float = 1.0,
        blocks: tuple[int, ...] = BLOCKS,
        channels: int = 128,
        bottleneck_ratio: float = 4.0,
    ) -> None:
        super().__init__()
        self.channels = channels
        sizes = [scaled(c, width) for c in CHANNELS]
        self.stem = ConvNormRelu(1, sizes[0], 3, stride=2)
        self.subsample = nn.ModuleList(Subsample(a, b) for a, b in pairwise(sizes))
        self.blocks = nn.ModuleList(
            nn.Sequential(*(Bottleneck(c, bottleneck_ratio) for _ in range(count)))
            for c, count in zip(sizes, blocks, strict=True)
        )
        # "matches z = N to 1 and C to 128 channels": an N x 1x1 convolution with valid padding.
        self.project = nn.ModuleList(nn.Conv2d((SLICES - n) * c, channels, 1) for n, c in enumerate(sizes))
        # Not in Chang 2018; ours: without it the heads' units died within a hundred steps at a high learning rate.
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in sizes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # He 2015 (Chang 2018, reference 17)
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for module in self.project:  # no ReLU follows, and five of them are added up
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> list[Tensor]:
        """(b, n + 4, h, w) slices with h and w multiples of 32 -> per level (b x n, channels, h / stride, w / stride).

        Result m of the n belongs to the slice m + 2 of the n + 4.
        """
        b, slices = x.shape[:2]
        level = self.blocks[0](self.stem(x.reshape(b * slices, 1, *x.shape[2:])))  # (b x (n + 4), c, h/2, w/2)
        lateral = []
        for number, project in enumerate(self.project):
            if number > 0:
                level = self.blocks[number](self.subsample[number - 1](level, slices))
                slices -= 1
            lateral.append(project(join_slices(level, slices, SLICES - number)))  # (b x n, channels, h/s, w/s)
        pyramid = [lateral[-1]]
        for side in reversed(lateral[:-1]):
            pyramid.append(side + F.interpolate(pyramid[-1], scale_factor=2.0, mode="nearest"))
        return [norm(level) for norm, level in zip(self.norms, reversed(pyramid), strict=True)]


def join_slices(x: Tensor, slices: int, count: int) -> Tensor:
    """(b x slices, c, h, w) -> (b x (slices - count + 1), count x c, h, w): each run of slices as channels of one."""
    if count == 1:
        return x
    stack = x.unflatten(0, (-1, slices))  # (b, slices, c, h, w)
    runs = [stack[:, first : slices - count + 1 + first] for first in range(count)]
    return torch.cat(runs, dim=2).flatten(0, 1)
