"""Nael 2021: localization feature extraction, one in-plane convolution per contrast, and a classifier of the study.

The paper's supplement with depths and widths is not at hand: those are ours, everything else follows its Methods.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IN_PLANE = (1, 3, 3)
STRIDE = (1, 2, 2)
GROUPS = 4  # of the classifier's normalisation, which Nael 2021 does not name: studies come one or two at a time; ours
ARM_CHANNELS = (16, 32, 48, 64)  # after the combination and after each strided convolution; ours
RARE = 0.01  # what an untrained localization says of every pixel, as few belong to a finding (Lin 2017; the value ours)


@dataclass(frozen=True)
class LfeClassifierSettings:
    """The network's form.

    Args:
        axial, sagittal: number of contrasts in either orientation; sagittal may be 0 (Nael 2021, figure 3).
        maps: findings that the localization draws, one independent map each.
        strides: in-plane strided convolutions until voxels are isotropic: 3 for 32 x 256 x 256 (Nael 2021's grid).
        width: factor on all channels.
        dropout: share of channels dropped in each convolution layer (Nael 2021 names no share; ours).
        map_peaks: the score is also made of each map's peak and mean (not in Nael 2021): a finding of a few pixels need
            not pass the strided convolutions.
    """

    axial: int
    sagittal: int = 0
    maps: int = 1
    strides: int = 3
    width: float = 1.0
    dropout: float = 0.1
    map_peaks: bool = False

    def channels(self, count: int) -> int:
        """So many channels at this width, a multiple of the normalisation's groups."""
        return max(GROUPS, round(count * self.width / GROUPS) * GROUPS)


class LfeClassifierOutput(NamedTuple):
    """Logits of one pass.

    Args:
        maps: (b, m, d, h, w) of the localization, one per finding.
        study: (b, 2) absent, present; softmax makes the score.
        latent: (b, c, d, h / s, w / s) the combined isotropic features that the score is made of, s = 2^strides.
        peaks: (b, 2 m) what the score takes from the maps directly; (b, 0) without map_peaks.
    """

    maps: Tensor
    study: Tensor
    latent: Tensor
    peaks: Tensor


Norm = Callable[[int], nn.Module]
"""Channels -> normalisation."""


def group_norm(channels: int) -> nn.Module:
    """For whole studies, one or two at a time."""
    return nn.GroupNorm(GROUPS, channels)


class Layer(nn.Sequential):
    """Convolution, normalisation, ReLU, dropout."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: tuple[int, int, int],
        dropout: float,
        stride: tuple[int, int, int] = (1, 1, 1),
        norm: Norm = group_norm,
    ) -> None:
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        super().__init__(
            nn.Conv3d(c_in, c_out, kernel, stride, padding, bias=norm is nn.Identity),
            norm(c_out),
            nn.ReLU(inplace=True),
            nn.Dropout3d(dropout),
        )


class FeatureCombination(nn.Module):
    """One in-plane convolution per contrast, averaged over the contrasts that are there.

    Args:
        contrasts: how many.
        maps: localization maps that every contrast is looked at with; 0 for none.
        c_out: channels of the common space.
        dropout: see LfeClassifierSettings.
        norm: of each contrast's features; none where absent contrasts would count in a batch's statistics.
    """

    def __init__(self, contrasts: int, maps: int, c_out: int, dropout: float, norm: Norm = group_norm) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(1 + maps, c_out, IN_PLANE, dropout, norm=norm) for _ in range(contrasts))

    def forward(self, volumes: Tensor, present: Tensor, maps: Tensor | None = None) -> Tensor:
        """(b, contrasts, d, h, w) and (b, contrasts) bool -> (b, c_out, d, h, w); zeros where no contrast is there.

        What an absent contrast's voxels hold makes no difference.
        """
        share = present.to(volumes) / present.sum(dim=1, keepdim=True).clamp_min(1)  # (b, contrasts)
        total: Tensor | None = None
        for n, layer in enumerate(self.layers):
            volume = torch.where(present[:, n, None, None, None, None], volumes[:, n : n + 1], 0.0)
            seen = volume if maps is None else torch.cat([volume, maps], dim=1)
            part = layer(seen) * share[:, n, None, None, None, None]
            total = part if total is None else total + part
        assert total is not None, "at least one contrast"
        return total


class Localization(nn.Module):
    """Image to image: in-plane pooling down, up again with skips, one map of logits per finding.

    Normalised by batches, so that a place gets the same answer in a part of a study, which it may be trained on, as in
    the whole.
    """

    def __init__(self, settings: LfeClassifierSettings) -> None:
        super().__init__()
        batch = nn.BatchNorm3d
        c = [settings.channels(n) for n in (16, 32, 64, 96)]
        drop = settings.dropout
        self.combination = FeatureCombination(settings.axial, 0, c[0], drop, nn.Identity)
        # Neighbouring slices, 4-5 mm apart, meet only where pixels are about as large; ours.
        kernels = (IN_PLANE, IN_PLANE, (3, 3, 3), (3, 3, 3))
        self.down = nn.ModuleList(
            nn.Sequential(
                Layer(c[max(n - 1, 0)], c[n], kernels[n], drop, norm=batch),
                Layer(c[n], c[n], kernels[n], drop, norm=batch),
            )
            for n in range(4)
        )
        self.up = nn.ModuleList(Layer(c[n] + c[n + 1], c[n], kernels[n], drop, norm=batch) for n in (2, 1, 0))
        self.score = nn.Conv3d(c[0], settings.maps, 1)
        assert self.score.bias is not None
        nn.init.constant_(self.score.bias, math.log(RARE / (1 - RARE)))

    def forward(self, volumes: Tensor, present: Tensor) -> Tensor:
        """(b, contrasts, d, h, w) with h and w multiples of 8 -> (b, m, d, h, w)."""
        x = self.combination(volumes, present)
        skips = []
        for n, block in enumerate(self.down):
            x = block(F.max_pool3d(x, STRIDE) if n else x)  # (b, c_n, d, h / 2^n, w / 2^n)
            skips.append(x)
        skips.pop()
        for layer in self.up:
            skip = skips.pop()
            x = layer(torch.cat([F.interpolate(x, scale_factor=STRIDE, mode="nearest"), skip], dim=1))
        return self.score(x)  # type: ignore[no-any-return]


class Arm(nn.Module):
    """One orientation: combination, then in-plane strided convolutions until voxels are about isotropic."""

    def __init__(self, contrasts: int, maps: int, settings: LfeClassifierSettings) -> None:
        super().__init__()
        c = [settings.channels(n) for n in arm_channels(settings.strides)]
        self.combination = FeatureCombination(contrasts, maps, c[0], settings.dropout)
        self.strided = nn.Sequential(
            *(Layer(before, after, IN_PLANE, settings.dropout, STRIDE) for before, after in pairwise(c))
        )

    def forward(self, volumes: Tensor, present: Tensor, maps: Tensor | None = None) -> Tensor:
        """(b, contrasts, d, h, w) -> (b, c, d, h / s, w / s), s = 2^strides."""
        return self.strided(self.combination(volumes, present, maps))  # type: ignore[no-any-return]


class LfeClassifier(nn.Module):
    """A network for one finding (axial contrasts), or for any abnormality (axial and sagittal).

    Sagittal volumes are given with their axes turned to the axial order, so that both arms end on one grid.
    """

    def __init__(self, settings: LfeClassifierSettings) -> None:
        super().__init__()
        self.settings = settings
        self.localization = Localization(settings)
        self.axial = Arm(settings.axial, settings.maps, settings)
        self.sagittal = Arm(settings.sagittal, 0, settings) if settings.sagittal else None
        c = [settings.channels(n) for n in (arm_channels(settings.strides)[-1], 96, 128)]
        drop = settings.dropout
        self.final = nn.Sequential(
            Layer(c[0], c[1], (3, 3, 3), drop),
            nn.MaxPool3d(2),
            Layer(c[1], c[2], (3, 3, 3), drop),
            nn.MaxPool3d(2),
            Layer(c[2], c[2], (3, 3, 3), drop),
        )
        self.study = nn.Linear(2 * c[2] + (2 * settings.maps if settings.map_peaks else 0), 2)
        if settings.map_peaks:  # a trained localization's peak speaks from the first step on; ours
            peaks = self.study.weight.data[:, 2 * c[2] : 2 * c[2] + settings.maps]
            peaks[0], peaks[1] = -1.0, 1.0

    def forward(
        self,
        axial: Tensor,
        axial_present: Tensor,
        sagittal: Tensor | None = None,
        sagittal_present: Tensor | None = None,
    ) -> LfeClassifierOutput:
        """All logits of one pass.

        Args:
            axial: (b, axial contrasts, d, h, w) 0-1; d a multiple of 4, h and w of 8 and 4 s.
            axial_present: (b, axial contrasts) bool.
            sagittal: (b, sagittal contrasts, x, z, y): slices first; its isotropic maps are turned to (z, y, x), so
                x = d, z = h and y = w, of sizes d, s d and s d. None when the network has none or none is there.
            sagittal_present: (b, sagittal contrasts) bool.
        """
        maps = self.localization(axial, axial_present)
        latent = self.axial(axial, axial_present, maps.sigmoid())
        if self.sagittal is not None and sagittal is not None and sagittal_present is not None:
            there = sagittal_present.any(dim=1)[:, None, None, None, None]
            turned = self.sagittal(sagittal, sagittal_present).permute(0, 1, 3, 4, 2)  # (b, c, x, z, y) -> (z, y, x)
            latent = torch.where(there, (latent + turned) / 2, latent)
        peaks = map_peaks(maps) if self.settings.map_peaks else maps.new_zeros((len(maps), 0))
        return LfeClassifierOutput(maps, self.classify(latent, peaks), latent, peaks)

    def classify(self, latent: Tensor, peaks: Tensor) -> Tensor:
        """(b, c, d, h / s, w / s) and (b, 2 m or 0) -> (b, 2).

        Global pooling takes the mean and the maximum (Nael 2021 does not say which).
        """
        x = self.final(latent)
        pooled = torch.cat([x.mean(dim=(2, 3, 4)), x.amax(dim=(2, 3, 4)), peaks], dim=1)
        return self.study(pooled)  # type: ignore[no-any-return]


def build_networks(layers: Mapping[str, Mapping[str, Any]]) -> dict[str, LfeClassifier]:
    """Finding -> network with random weights, from the arguments of each one's LfeClassifierSettings."""
    return {code: LfeClassifier(LfeClassifierSettings(**values)) for code, values in layers.items()}


def arm_channels(strides: int) -> tuple[int, ...]:
    """Channels of an arm after its combination and each strided convolution; the last ones are repeated."""
    return tuple(ARM_CHANNELS[min(n, len(ARM_CHANNELS) - 1)] for n in range(strides + 1))


def map_peaks(maps: Tensor) -> Tensor:
    """(b, m, d, h, w) logits -> (b, 2 m): the highest mean of 3 x 3 pixels, and the log odds of the mean probability.

    A quarter of either, so that they begin in the range of the normalised features beside them (ours).
    """
    highest = F.avg_pool3d(maps, IN_PLANE, 1, (0, 1, 1), count_include_pad=False).amax(dim=(2, 3, 4))
    mean = maps.sigmoid().mean(dim=(2, 3, 4)).clamp(1e-6, 1 - 1e-6).logit()
    return torch.cat([highest, mean], dim=1) / 4


def latent_gradient(network: LfeClassifier, latent: Tensor, peaks: Tensor) -> Tensor:
    """(b, d, h / s, w / s) where in latent space the score comes from: gradient x feature, positive part, 0-1.

    Nael 2021, Network interpretability: a gradient of the output in latent feature space; how it becomes one map is
    not said (ours: as Grad-CAM's sum, without averaging the gradient, so that place is kept).
    """
    with torch.enable_grad():
        leaf = latent.detach().requires_grad_()
        logits = network.classify(leaf, peaks.detach())
        gradient = torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), leaf)[0]
    heat = (gradient * latent.detach()).sum(dim=1).relu()
    highest = heat.amax(dim=(1, 2, 3), keepdim=True)
    return heat / highest.clamp_min(torch.finfo(heat.dtype).tiny)
