"""The convolutions of VGG16 (Simonyan, Zisserman 2014, configuration D), width-scalable, with or without batch norm."""

from __future__ import annotations

from torch import Tensor, nn

from .drn import scaled

# Channels of the 3x3 convolutions of the five blocks (Simonyan 2014, table 1, D); 2x2 max pooling between them.
VGG16_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
OUTPUT_STRIDE = 16
"""The last convolution sees a sixteenth: the block's own pooling comes after it."""


class Vgg16(nn.Sequential):
    """VGG16 up to its last convolution: (b, c_in, h, w) -> (b, out_channels, h / 16, w / 16).

    Args:
        c_in: input channels.
        width: factor on every channel count; 1.0 is the published network.
        batch_norm: normalise after each convolution, which then has no bias (not in the paper).
    """

    def __init__(self, c_in: int = 3, width: float = 1.0, *, batch_norm: bool = False) -> None:
        layers: list[nn.Module] = []
        channels = c_in
        for number, block in enumerate(VGG16_BLOCKS):
            if number:
                layers.append(nn.MaxPool2d(2))
            for full in block:
                c_out = scaled(full, width)
                layers.append(nn.Conv2d(channels, c_out, 3, padding=1, bias=not batch_norm))
                layers += [nn.BatchNorm2d(c_out)] if batch_norm else []
                layers.append(nn.ReLU(inplace=True))
                channels = c_out
        super().__init__(*layers)
        self.out_channels = channels
        for module in self:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c_in, h, w) with h and w multiples of 16 -> (b, out_channels, h / 16, w / 16)."""
        return super().forward(x)
