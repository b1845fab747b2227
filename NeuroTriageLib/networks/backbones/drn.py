"""Dilated residual network DRN-D-38 (Yu, Koltun, Funkhouser 2017, "Dilated Residual Networks"), width-scalable."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# (channels, blocks, stride, dilation, residual) of the eight stages of DRN-D-38 (Yu 2017, figure 3 D and table 1).
# Stage 0 is the 7x7 stem. Output stride 8; the last two stages without residuals work against gridding.
DRN_D_38_STAGES = (
    (16, 1, 1, 1, False),
    (16, 1, 1, 1, False),
    (32, 1, 2, 1, False),
    (64, 3, 2, 1, True),
    (128, 4, 2, 1, True),
    (256, 6, 1, 2, True),
    (512, 3, 1, 4, True),
    (512, 1, 1, 2, False),
    (512, 1, 1, 1, False),
)
OUTPUT_STRIDE = 8


def scaled(channels: int, width: float) -> int:
    """Channels times the width factor, in steps of 8 (what CPU and GPU kernels like)."""
    return max(8, round(channels * width / 8) * 8)


class ConvNormRelu(nn.Sequential):
    """3x3 (or larger) convolution, batch normalisation, ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> None:
        super().__init__(
            nn.Conv2d(c_in, c_out, kernel, stride, dilation * (kernel // 2), dilation, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(inplace=True),
        )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; the first may be strided, both may be dilated (He 2016)."""

    def __init__(self, c_in: int, c_out: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = ConvNormRelu(c_in, c_out, 3, stride, dilation)
        self.conv2 = nn.Sequential(nn.Conv2d(c_out, c_out, 3, 1, dilation, dilation, bias=False), nn.BatchNorm2d(c_out))
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or c_in != c_out:
            self.shortcut = nn.Sequential(nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(b, c_in, h, w) -> (b, c_out, h / stride, w / stride)."""
        # Subsampling before the 1x1 convolution is the same as striding it, and avoids the strided 1x1 kernel whose
        # backward pass writes out of bounds on CPU in channels-last with 8 input channels (seen with torch 2.13).
        skip = x[..., :: self.stride, :: self.stride]
        return torch.relu(self.conv2(self.conv1(x)) + self.shortcut(skip))


class Drn38(nn.Module):
    """DRN-D-38 without its classifier: (b, c_in, h, w) -> (b, out_channels, h / 8, w / 8).

    Args:
        c_in: input channels.
        width: factor on every stage's channels; 1.0 is the published network.
    """

    def __init__(self, c_in: int = 3, width: float = 1.0) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        channels = c_in
        for number, (c_full, blocks, stride, dilation, residual) in enumerate(DRN_D_38_STAGES):
            c_out = scaled(c_full, width)
            layers: list[nn.Module] = []
            for block in range(blocks):
                step = stride if block == 0 else 1
                if residual:
                    layers.append(BasicBlock(channels, c_out, step, dilation))
                else:
                    layers.append(ConvNormRelu(channels, c_out, 7 if number == 0 else 3, step, dilation))
                channels = c_out
            stages.append(nn.Sequential(*layers))
        self.stages = nn.Sequential(*stages)
        self.out_channels = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(b, c_in, h, w) -> (b, out_channels, h / 8, w / 8)."""
        return self.stages(x)
