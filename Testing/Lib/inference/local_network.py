"""A network without context: what it says of a pixel depends on that pixel alone, so every expected value is exact."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from NeuroTriageLib.networks.patchfcn import PatchFcnOutput


class LocalNetwork(nn.Module):
    """Blood where the middle channel is brighter than a level; what it was given is kept.

    Args:
        types: number of types; all of the blood is given to type `type_index` (from 0).
        level: brightness at which blood and background are equally likely.
        gain: steepness of the pixel logit.
        half_width: blood within this distance of the level instead of above it.
        patch_sharpness: pooling of the patch map.
    """

    def __init__(
        self,
        types: int = 5,
        type_index: int = 0,
        level: float = 0.5,
        gain: float = 50.0,
        half_width: float | None = None,
        patch_sharpness: float = 0.0,
    ) -> None:
        super().__init__()
        self.half_width, self.patch_sharpness = half_width, patch_sharpness
        self.types, self.type_index, self.level, self.gain = types, type_index, level, gain
        self.inputs: list[Tensor] = []

    def forward(self, x: Tensor) -> PatchFcnOutput:
        self.inputs.append(x.detach().clone())
        middle = x[:, x.shape[1] // 2]  # (b, h, w)
        logit = self.gain * (middle - self.level)
        if self.half_width is not None:
            logit = self.gain * (self.half_width - (middle - self.level).abs())
        pixel = torch.full((len(x), 1 + self.types, *x.shape[-2:]), -30.0)
        pixel[:, 0] = 0.0
        pixel[:, 1 + self.type_index] = logit
        cell = nn.functional.avg_pool2d(logit[:, None], 8)[:, 0]  # (b, h/8, w/8)
        patch = torch.zeros(len(x), 1 + self.types, 2, *cell.shape[-2:])
        patch[:, 0, 1] = cell
        patch[:, 1:, 1] = -30.0
        patch[:, 1 + self.type_index, 1] = cell
        return PatchFcnOutput(pixel, patch)
