"""A very small ye2019 pack with random weights, and networks without context whose answers are known beforehand."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from NeuroTriageLib.io.model_packs import save_model_pack
from NeuroTriageLib.networks.cnn_rnn import CnnRnn, CnnRnnOutput
from NeuroTriageLib.networks.cnn_rnn_cascade import CnnRnnCascade
from NeuroTriageLib.systems.ye2019 import build_networks
from NeuroTriageLib.systems.ye2019_config import COMPACT, Ye2019Config
from Testing.Lib import tiny_packs

CONFIG = dataclasses.replace(COMPACT, width=0.0625, image_size=128, pixel_spacing_mm=1.8)


def save(folder: Path, settings: Ye2019Config = CONFIG, **changes: Any) -> Path:
    """Write the pack; `changes` go into its manifest."""
    torch.manual_seed(0)
    values = {"system": "ye2019", "config": settings.to_json()} | changes
    save_model_pack(folder, tiny_packs.manifest(**values), build_networks(settings).weights())
    return folder


class DarkCells(nn.Module):
    """Convolutions' stand-in: one map, the share of each 16 x 16 cell that is water-like (0 HU in the first window)."""

    out_channels = 1

    def forward(self, x: Tensor) -> Tensor:
        dark = ((x[:, :1] - 0.25).abs() < 0.05).float()
        return nn.functional.avg_pool2d(dark, 16)


class LocalCnnRnn(CnnRnn):
    """Says of each slice by itself that it bleeds when a cell is dark enough; the subject has its highest slice."""

    def __init__(self, outputs: int) -> None:
        super().__init__(outputs)
        self.pooling = "global"
        self.cnn = DarkCells()  # type: ignore[assignment]

    def classify(self, pooled: Tensor, counts: Any) -> CnnRnnOutput:
        logit = 40.0 * (pooled[:, :1] - 0.1)  # (n, 1)
        signs = torch.tensor([[-1.0, 1.0, *([-1.0] * (self.outputs - 2))]])
        return CnnRnnOutput(logit * signs, logit.amax(0, keepdim=True) * signs)


def local_cascade() -> CnnRnnCascade:
    """Both networks by that rule; of the five types the second one bleeds."""
    cascade = build_networks(dataclasses.replace(CONFIG, shared_cnn=False))
    cascade.two_type, cascade.five_type = LocalCnnRnn(2), LocalCnnRnn(5)
    return cascade
