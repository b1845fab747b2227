"""The losses of the hybrid mask R-CNN: anchors, regions, masks, and blood on every cell."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..networks.detection.boxes import encode
from ..networks.detection.proposals import AnchorScores
from ..networks.detection.region_heads import RegionScores
from .chang2018_targets import AnchorTargets, Regions

SMOOTH_L1 = 1 / 9  # offsets below this count squared; Ren 2015's implementation
PIXEL_WEIGHT = 3.0  # of cells with blood; ours, after Kuo 2019


def objectness_loss(scores: AnchorScores, targets: AnchorTargets, count: int, hard_share: float) -> Tensor:
    """Cross-entropy of `count` anchors per slab, at most half of them positive (Ren 2015, section 3.1.3).

    Args:
        scores: of the anchors.
        targets: what they should be.
        count: anchors per slab.
        hard_share: of the negative ones those with the highest scores (Shrivastava 2016, online hard example mining);
            the rest and the positive ones are drawn at random (Ren 2015: all).
    """
    chance = torch.rand(targets.label.shape, device=targets.label.device)
    positive = _first(targets.label == 1, chance, torch.full((len(chance), 1), count // 2, device=chance.device))
    rest = count - positive.sum(dim=1, keepdim=True)
    hard_count = (rest * hard_share).round().long()
    hard = _first(targets.label == 0, 1 - scores.objectness.detach().sigmoid(), hard_count)
    chosen = positive | hard | _first((targets.label == 0) & ~hard, chance, rest - hard_count)
    wanted = (targets.label == 1).float()
    return F.binary_cross_entropy_with_logits(scores.objectness[chosen], wanted[chosen])


def _first(among: Tensor, chance: Tensor, count: Tensor) -> Tensor:
    """(s, a) bool: the `count` (s, 1) members of `among` with the lowest chance (s, a), which is 0-1."""
    rank = torch.where(among, chance, 2.0).argsort(dim=1).argsort(dim=1)
    return among & (rank < count)


def proposal_box_loss(scores: AnchorScores, targets: AnchorTargets) -> Tensor:
    """Smooth L1 of the positive anchors' offsets, per positive anchor."""
    positive = targets.label == 1
    anchors = scores.anchors.expand_as(targets.boxes)[positive]
    return _offset_loss(scores.offsets[positive], encode(targets.boxes[positive], anchors))


def type_loss(scores: RegionScores, regions: Regions, positive_weight: float) -> Tensor:
    """Cross-entropy of type or none over the sampled regions; positive ones weigh positive_weight each, others 1."""
    counts = regions.kind >= 0
    if not counts.any():
        return scores.types.sum() * 0
    weight = torch.full((scores.types.shape[-1],), positive_weight, device=scores.types.device)
    weight[0] = 1.0
    return F.cross_entropy(scores.types[counts], regions.kind[counts], weight=weight)


def region_box_loss(scores: RegionScores, regions: Regions) -> Tensor:
    """Smooth L1 of the positive regions' offsets, per positive region."""
    positive = regions.kind > 0
    return _offset_loss(scores.offsets[positive], encode(regions.wanted[positive], regions.boxes[positive]))


def mask_losses(logits: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and 1 - Dice of (n, m, m) masks; Dice of each mask with one pixel added to both sides."""
    if not len(logits):
        return logits.sum() * 0, logits.sum() * 0
    probability = logits.sigmoid()
    shared = 2 * (probability * wanted).sum(dim=(1, 2)) + 1
    dice = shared / (probability.sum(dim=(1, 2)) + wanted.sum(dim=(1, 2)) + 1)
    return F.binary_cross_entropy_with_logits(logits, wanted), 1 - dice.mean()


def pixel_loss(logits: Tensor, types: Tensor) -> Tensor:
    """Cross-entropy of (s, 1 + N, h / 2, w / 2) logits; a cell is of the type that its (s, h, w) types hold most of."""
    n = logits.shape[1]
    shares = F.avg_pool2d(F.one_hot(types, n).permute(0, 3, 1, 2).to(logits.dtype), 2)
    wanted = torch.where(shares[:, 0] > 0.5, 0, shares[:, 1:].argmax(dim=1) + 1)
    weight = torch.full((n,), PIXEL_WEIGHT, device=logits.device)
    weight[0] = 1.0
    return F.cross_entropy(logits, wanted, weight=weight)


def _offset_loss(offsets: Tensor, wanted: Tensor) -> Tensor:
    return F.smooth_l1_loss(offsets, wanted, beta=SMOOTH_L1, reduction="sum") / max(1, len(offsets))
