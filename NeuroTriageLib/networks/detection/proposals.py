"""Region proposals: which anchors may hold blood, and the boxes that they become (Ren 2015, Faster R-CNN)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .anchors import grid_anchors
from .boxes import clip, decode
from .region_heads import LEAK
from .suppression import keep_best, suppress


@dataclass(frozen=True)
class AnchorSettings:
    """The anchors of every level.

    Args:
        strides: pixels per cell of the levels that anchors lie on.
        sizes: square root of the anchors' area in pixels, one per level.
        ratios: height / width.
    """

    strides: tuple[int, ...]
    sizes: tuple[float, ...]
    ratios: tuple[float, ...]


class AnchorScores(NamedTuple):
    """What the network says of the A anchors of all levels together.

    Args:
        anchors: (A, 4).
        objectness: (b, A) logits.
        offsets: (b, A, 4), see boxes.decode.
    """

    anchors: Tensor
    objectness: Tensor
    offsets: Tensor


class ProposalHead(nn.Module):
    """A 3x3 convolution and two 1x1 ones, the same on every level.

    Args:
        channels: of the feature maps.
        settings: the anchors.
    """

    def __init__(self, channels: int, settings: AnchorSettings) -> None:
        super().__init__()
        self.settings = settings
        count = len(settings.ratios)
        self.shared = nn.Conv2d(channels, channels, 3, padding=1)
        self.objectness = nn.Conv2d(channels, count, 1)
        self.offsets = nn.Conv2d(channels, 4 * count, 1)

    def forward(self, maps: Sequence[Tensor]) -> AnchorScores:
        """maps: (b, c, h, w) of each level in the order of the settings."""
        anchors, objectness, offsets = [], [], []
        levels = zip(maps, self.settings.strides, self.settings.sizes, strict=True)
        for features, stride, size in levels:
            h, w = features.shape[-2:]
            hidden = F.leaky_relu(self.shared(features), LEAK)
            score = self.objectness(hidden)  # (b, ratios, h, w)
            offset = self.offsets(hidden).unflatten(1, (-1, 4))  # (b, ratios, 4, h, w)
            anchors.append(grid_anchors(h, w, stride, size, self.settings.ratios).to(features.device))
            objectness.append(score.permute(0, 2, 3, 1).flatten(1))  # (b, h x w x ratios)
            offsets.append(offset.permute(0, 3, 4, 1, 2).flatten(1, 3))  # (b, h x w x ratios, 4)
        return AnchorScores(torch.cat(anchors), torch.cat(objectness, 1).float(), torch.cat(offsets, 1).float())


class Proposals(NamedTuple):
    """Boxes worth a second look, best first.

    Args:
        boxes: (b, r, 4).
        score: (b, r) 0-1.
        valid: (b, r) bool; the rest is padding.
    """

    boxes: Tensor
    score: Tensor
    valid: Tensor


@torch.no_grad()
def propose(
    scores: AnchorScores, height: int, width: int, *, candidates: int, count: int, threshold: float
) -> Proposals:
    """The anchors with the highest scores, moved, cut off at the image and pruned by non-maximum suppression.

    Args:
        scores: of the anchors.
        height, width: of the image in pixels.
        candidates: so many anchors per slab enter the suppression.
        count: so many boxes per slab leave it.
        threshold: of the suppression.
    """
    best, index = scores.objectness.topk(min(candidates, scores.objectness.shape[1]), dim=1)
    offsets = scores.offsets.gather(1, index[..., None].expand(-1, -1, 4))
    boxes = clip(decode(offsets, scores.anchors[index]), height, width)
    score = best.sigmoid()
    valid = ((boxes[..., 2:] - boxes[..., :2]) >= 1.0).all(dim=-1)  # less than a pixel shows nothing
    kept = suppress(boxes, score, valid, threshold)
    (boxes, score), real = keep_best((boxes, score), score, kept, count)
    return Proposals(boxes, score, real)
