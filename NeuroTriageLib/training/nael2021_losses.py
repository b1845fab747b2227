"""The losses of Nael 2021: pixel-wise cross-entropy of the localization, cross-entropy of the study."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .processes import Total, alone


def lfe_loss(logits: Tensor, share: Tensor, known: Tensor, positive_weight: float, total: Total = alone) -> Tensor:
    """Mean pixel-wise cross-entropy of every map by itself.

    Args:
        logits: (b, m, d, h, w).
        share: the same shape, 0-1: how much of the voxel the finding fills (a contour drawn on finer voxels, ours).
        known: (b, m) bool; a map of a finding about which nothing is known does not count.
        positive_weight: of a voxel that it fills; 1 is the plain mean (Nael 2021).
        total: sums over the processes that share the batch: the loss is this one's share of theirs.
    """
    weight = (1 + (positive_weight - 1) * share) * known[:, :, None, None, None]
    loss = F.binary_cross_entropy_with_logits(logits, share, weight, reduction="sum")
    return loss / total(weight.sum()).clamp_min(1.0)


def study_loss(logits: Tensor, label: Tensor, total: Total = alone) -> Tensor:
    """Cross-entropy of (b, 2) absent and present against (b,) labels (Nael 2021, Training); total: see lfe_loss."""
    return F.cross_entropy(logits, label, reduction="sum") / total(logits.new_tensor(len(label)))
