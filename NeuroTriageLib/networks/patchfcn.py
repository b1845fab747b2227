"""PatchFCN (Kuo 2019): a dilated residual backbone with a pixel branch and a patch-classification branch."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .backbones.drn import OUTPUT_STRIDE, Drn38, scaled


class PatchFcnOutput(NamedTuple):
    """Logits of one pass.

    Args:
        pixel: (b, 1 + N, h, w) background and N mutually exclusive types (Kuo 2019, Multiclass architecture).
        patch: (b, N + 1, 2, h / 8, w / 8) the patch branch before pooling; index 0 is the combined class, then the N
            types; the pair is (absent, present). Pooled over a window of the map it is the patch logit of that
            window, which is what lets one dense pass score every patch.
    """

    pixel: Tensor
    patch: Tensor


class PatchFcn(nn.Module):
    """DRN-38 with the two branches of Kuo 2019, figure 6.

    Args:
        types: N, number of hemorrhage types.
        width: factor on all channels; 1.0 is the published network.
        slices: neighbouring slices given as channels (Kuo 2019: 3).
        patch_sharpness: how the patch branch is pooled, see window_logits (Kuo 2019: 0, the mean).
    """

    def __init__(self, types: int = 5, width: float = 1.0, slices: int = 3, patch_sharpness: float = 0.0) -> None:
        super().__init__()
        self.types = types
        self.patch_sharpness = patch_sharpness
        self.backbone = Drn38(slices, width)
        c = self.backbone.out_channels
        self.pixel_score = nn.Conv2d(c, 1 + types, 1)
        # "1 up-convolution layer" (Kuo 2019, Implementation details): stride 8, initialised to bilinear
        # interpolation as in the DRN code that the authors built on.
        self.pixel_up = nn.ConvTranspose2d(
            1 + types, 1 + types, 2 * OUTPUT_STRIDE, OUTPUT_STRIDE, OUTPUT_STRIDE // 2, groups=1 + types, bias=False
        )
        with torch.no_grad():
            self.pixel_up.weight.copy_(_bilinear_kernel(2 * OUTPUT_STRIDE).expand_as(self.pixel_up.weight))
        # conv + batch norm + ReLU + conv (Kuo 2019); 3x3 then 1x1 and the middle width are not stated; ours.
        c_mid = scaled(256, width)
        self.patch_branch = nn.Sequential(
            nn.Conv2d(c, c_mid, 3, padding=1, bias=False),
            nn.BatchNorm2d(c_mid),
            nn.ReLU(inplace=True),
            nn.Conv2d(c_mid, 2 * (1 + types), 1),
        )

    def forward(self, x: Tensor) -> PatchFcnOutput:
        """x: (b, slices, h, w) with h and w multiples of 8."""
        features = self.backbone(x)  # (b, c, h/8, w/8)
        pixel = self.pixel_up(self.pixel_score(features))  # (b, 1 + N, h, w)
        patch = self.patch_branch(features)  # (b, 2 (N + 1), h/8, w/8)
        return PatchFcnOutput(pixel, patch.unflatten(1, (1 + self.types, 2)))


def patch_logits(patch: Tensor, sharpness: float = 0.0) -> Tensor:
    """Global pooling of a patch's own map: (b, N + 1, 2, h, w) -> (b, N + 1, 2)."""
    whole = (patch.shape[-2], patch.shape[-1])
    return window_logits(patch, whole, 1, sharpness)[..., 0, 0]


def window_logits(patch: Tensor, window: int | tuple[int, int], stride: int, sharpness: float = 0.0) -> Tensor:
    """Patch logits of every window of a dense map: (b, N + 1, 2, h, w) -> (b, N + 1, 2, windows_j, windows_i).

    Args:
        patch: the patch branch's map.
        window, stride: in pixels of the map.
        sharpness: 0 averages the logits (Kuo 2019, global average pooling). Above 0 the windows average
            exp(sharpness x (present - absent)) and take its logarithm, a mean that leans to the maximum: a bleed of a
            few millimetres is not outvoted by the rest of the patch (log-sum-exp pooling, Pinheiro 2015).
    """
    if sharpness == 0:
        return F.avg_pool2d(patch.flatten(1, 2), window, stride).unflatten(1, patch.shape[1:3])
    evidence = sharpness * (patch[:, :, 1] - patch[:, :, 0])  # (b, N + 1, h, w)
    highest = evidence.amax(dim=(-2, -1), keepdim=True).detach()
    mean = F.avg_pool2d((evidence - highest).exp(), window, stride)
    present = (mean.clamp_min(1e-30).log() + highest) / sharpness
    return torch.stack([torch.zeros_like(present), present], dim=2)


def _bilinear_kernel(size: int) -> Tensor:
    """(size, size) weights of bilinear interpolation by size / 2, as a transposed convolution."""
    center = (size - 1) / 2
    ramp = 1 - (torch.arange(size) - center).abs() / (size / 2)
    return ramp[:, None] * ramp[None, :]
