"""The losses of the hybrid mask R-CNN: anchors, regions, masks, and blood on every cell."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..networks.detection.boxes import encode
from ..networks.detection.proposals import AnchorScores
from ..networks.detection.region_heads import RegionScores
from .chang2018_targets import AnchorTargets, Draw, Regions
from .processes import Total, alone

SMOOTH_L1 = 1 / 9  # offsets below this count squared; Ren 2015's implementation
PIXEL_WEIGHT = 3.0  # of cells with blood; ours, after Kuo 2019


def objectness_loss(
    scores: AnchorScores,
    targets: AnchorTargets,
    count: int,
    hard_share: float,
    total: Total = alone,
    draw: Draw = torch.rand,
) -> Tensor:
    """Cross-entropy of `count` anchors per slab, at most half of them positive (Ren 2015, section 3.1.3).

    Args:
        scores: of the anchors.
        targets: what they should be.
        count: anchors per slab.
        hard_share: of the negative ones those with the highest scores (Shrivastava 2016, online hard example mining);
            the rest and the positive ones are drawn at random (Ren 2015: all).
        total: sums over the processes that share the batch: every loss here is this one's share of theirs.
        draw: shape of this process's slabs -> values 0-1.
    """
    chance = draw(targets.label.shape).to(targets.label.device)
    positive = _first(targets.label == 1, chance, torch.full((len(chance), 1), count // 2, device=chance.device))
    rest = count - positive.sum(dim=1, keepdim=True)
    hard_count = (rest * hard_share).round().long()
    hard = _first(targets.label == 0, 1 - scores.objectness.detach().sigmoid(), hard_count)
    chosen = positive | hard | _first((targets.label == 0) & ~hard, chance, rest - hard_count)
    wanted = (targets.label == 1).float()
    each = F.binary_cross_entropy_with_logits(scores.objectness[chosen], wanted[chosen], reduction="sum")
    return each / total(chosen.sum()).clamp_min(1)


def _first(among: Tensor, chance: Tensor, count: Tensor) -> Tensor:
    """(s, a) bool: the `count` (s, 1) members of `among` with the lowest chance (s, a), which is 0-1."""
    rank = torch.where(among, chance, 2.0).argsort(dim=1).argsort(dim=1)
    return among & (rank < count)


def proposal_box_loss(scores: AnchorScores, targets: AnchorTargets, total: Total = alone) -> Tensor:
    """Smooth L1 of the positive anchors' offsets, per positive anchor."""
    positive = targets.label == 1
    anchors = scores.anchors.expand_as(targets.boxes)[positive]
    return _offset_loss(scores.offsets[positive], encode(targets.boxes[positive], anchors), total)


def type_loss(scores: RegionScores, regions: Regions, positive_weight: float, total: Total = alone) -> Tensor:
    """Cross-entropy of type or none over the sampled regions; positive ones weigh positive_weight each, others 1."""
    counts = regions.kind >= 0
    weight = torch.full((scores.types.shape[-1],), positive_weight, device=scores.types.device)
    weight[0] = 1.0
    kind = regions.kind[counts]
    return _weighted(F.cross_entropy(scores.types[counts], kind, weight=weight, reduction="sum"), weight[kind], total)


def region_box_loss(scores: RegionScores, regions: Regions, total: Total = alone) -> Tensor:
    """Smooth L1 of the positive regions' offsets, per positive region."""
    positive = regions.kind > 0
    return _offset_loss(scores.offsets[positive], encode(regions.wanted[positive], regions.boxes[positive]), total)


def mask_losses(logits: Tensor, wanted: Tensor, total: Total = alone) -> tuple[Tensor, Tensor]:
    """Cross-entropy and 1 - Dice of (n, m, m) masks; Dice of each mask with one pixel added to both sides."""
    masks = total(logits.new_tensor(len(logits))).clamp_min(1)
    probability = logits.sigmoid()
    shared = 2 * (probability * wanted).sum(dim=(1, 2)) + 1
    dice = shared / (probability.sum(dim=(1, 2)) + wanted.sum(dim=(1, 2)) + 1)
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum") / wanted.shape[1:].numel()
    return entropy / masks, (1 - dice).sum() / masks


def pixel_loss(logits: Tensor, types: Tensor, total: Total = alone) -> Tensor:
    """Cross-entropy of (s, 1 + N, h / 2, w / 2) logits; a cell is of the type that its (s, h, w) types hold most of."""
    n = logits.shape[1]
    shares = F.avg_pool2d(F.one_hot(types, n).permute(0, 3, 1, 2).to(logits.dtype), 2)
    wanted = torch.where(shares[:, 0] > 0.5, 0, shares[:, 1:].argmax(dim=1) + 1)
    weight = torch.full((n,), PIXEL_WEIGHT, device=logits.device)
    weight[0] = 1.0
    return _weighted(F.cross_entropy(logits, wanted, weight=weight, reduction="sum"), weight[wanted], total)


def _weighted(summed: Tensor, weights: Tensor, total: Total) -> Tensor:
    """A weighted sum divided by all weights; zero where nothing counts."""
    all_weights = total(weights.sum())
    return summed / torch.where(all_weights > 0, all_weights, 1.0)


def _offset_loss(offsets: Tensor, wanted: Tensor, total: Total) -> Tensor:
    counted = total(offsets.new_tensor(len(offsets))).clamp_min(1)
    return F.smooth_l1_loss(offsets, wanted, beta=SMOOTH_L1, reduction="sum") / counted
