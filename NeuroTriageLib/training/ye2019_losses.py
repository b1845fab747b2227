"""Ye 2019's losses under Sli-Lab and Sub-Lab (supplement 5), and the cell loss of the convolutions' own stage."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..networks.backbones.vgg16 import OUTPUT_STRIDE
from ..networks.cnn_rnn import CnnRnnOutput
from .processes import Total, alone


def two_type_targets(labels: Tensor) -> Tensor:
    """(n, 1 + N) labels, any first -> (n, 2) float: bleeding absent, bleeding present."""
    present = labels[:, :1].float()
    return torch.cat([1 - present, present], dim=1)


def five_type_targets(labels: Tensor) -> Tensor:
    """(n, 1 + N) labels, any first -> (n, N) float."""
    return labels[:, 1:].float()


def cnn_rnn_losses(output: CnnRnnOutput, slices: Tensor, subjects: Tensor, total: Total = alone) -> dict[str, Tensor]:
    """Slice and subject cross-entropy, each the mean over its sigmoid outputs, before they are weighted.

    total sums over the processes that share the batch: the losses are this one's shares of theirs.
    """
    counts = total(slices.new_tensor([slices.numel(), subjects.numel()]))
    return {
        "slice_loss": F.binary_cross_entropy_with_logits(output.slices, slices, reduction="sum") / counts[0],
        "subject_loss": F.binary_cross_entropy_with_logits(output.subjects, subjects, reduction="sum") / counts[1],
    }


def weighted(losses: dict[str, Tensor], weights: tuple[float, float]) -> Tensor:
    """weights[0] x slice loss + weights[1] x subject loss (Ye 2019, supplement 5)."""
    return weights[0] * losses["slice_loss"] + weights[1] * losses["subject_loss"]


def cell_targets(label: Tensor, types: int, minimum_pixels: int) -> tuple[Tensor, Tensor]:
    """(n, h, w) labels -> (n, 1 + N, h / 16, w / 16) targets 0 or 1, any first, and where they are known.

    A cell with blood but less than minimum_pixels of it is not known.
    """
    shown = torch.stack([label > 0, *(label == value for value in range(1, 1 + types))], dim=1)
    pixels = F.avg_pool2d(shown.float(), OUTPUT_STRIDE) * OUTPUT_STRIDE**2
    return (pixels >= minimum_pixels - 0.5).float(), (pixels < 0.5) | (pixels >= minimum_pixels - 0.5)


def cell_loss(logits: Tensor, target: Tensor, known: Tensor, positive_weight: float, total: Total = alone) -> Tensor:
    """Cross-entropy over the known cells, those with blood weighted; total: see cnn_rnn_losses."""
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    weight = known * (1 + (positive_weight - 1) * target)
    return (each * weight).sum() / total(known.sum()).clamp_min(1)
