"""What anchors and regions should become: each is compared with the boxes of the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..networks.detection.boxes import clip, overlap
from ..networks.detection.proposals import Proposals
from ..preprocessing.slab_instances import instance_boxes

Draw = Callable[[torch.Size], Tensor]
"""Shape (slabs first) -> values 0-1, drawn at random."""
JITTER = 0.15  # a shaken box moves by so much of its sides, and grows or shrinks by it; ours


class TrueBoxes(NamedTuple):
    """The bleeds of every slab.

    Args:
        boxes: (s, g, 4) in pixels at pixel edges.
        kind: (s, g) int64 types from 1; 0 is padding.
    """

    boxes: Tensor
    kind: Tensor


def true_boxes(types: Tensor) -> TrueBoxes:
    """Boxes of (s, h, w) int64 types; there is always room for one, real or not."""
    found = [instance_boxes(slab) for slab in types.cpu().numpy().astype(np.uint8)]
    most = max(1, *(len(kind) for _, kind in found)) if len(found) > 1 else max(1, len(found[0][1]))
    boxes, kinds = np.zeros((len(found), most, 4), np.float32), np.zeros((len(found), most), np.int64)
    for number, (box, kind) in enumerate(found):
        boxes[number, : len(kind)], kinds[number, : len(kind)] = box, kind
    return TrueBoxes(torch.from_numpy(boxes).to(types.device), torch.from_numpy(kinds).to(types.device))


class AnchorTargets(NamedTuple):
    """What the anchors should say.

    Args:
        label: (s, a) int64: 1 holds blood, 0 does not, -1 counts for nothing.
        boxes: (s, a, 4) the box of the truth that each overlaps most.
    """

    label: Tensor
    boxes: Tensor


def anchor_targets(anchors: Tensor, truth: TrueBoxes, negative: float, positive: float) -> AnchorTargets:
    """Positive from an overlap of `positive` on, and the best anchors of every box; negative below `negative`.

    Ren 2015, section 3.1.2.
    """
    shared = overlap(anchors, truth.boxes) * (truth.kind > 0)[:, None]  # (s, a, g)
    best, which = shared.max(dim=2)
    label = torch.where(best >= positive, 1, torch.where(best < negative, 0, -1))
    highest = shared.amax(dim=1, keepdim=True)  # (s, 1, g) of every box
    is_best = (shared >= highest - 1e-6) & (highest > 0.05)
    label = torch.where(is_best.any(dim=2), 1, label)
    which = torch.where(is_best.any(dim=2) & (best < positive), is_best.long().argmax(dim=2), which)
    return AnchorTargets(label, truth.boxes.gather(1, which[..., None].expand(-1, -1, 4)))


class Regions(NamedTuple):
    """Regions for the classifier.

    Args:
        boxes: (s, r, 4).
        kind: (s, r) int64 wanted type, 0 none, -1 padding.
        wanted: (s, r, 4) the box of the truth that each overlaps most.
    """

    boxes: Tensor
    kind: Tensor
    wanted: Tensor


@torch.no_grad()
def sample_regions(
    proposals: Proposals,
    truth: TrueBoxes,
    image_hw: tuple[int, int],
    *,
    count: int,
    positive_share: float,
    positive: float,
    jittered: int,
    draw: Draw = torch.rand,
) -> Regions:
    """So many regions of each slab at random, positive ones up to their share, out of proposals and boxes of the truth.

    Args:
        proposals: of the network.
        truth: the slabs' boxes; they and shaken copies of them are candidates too.
        image_hw: rows and columns that boxes are cut off at.
        count, positive_share: see Chang2018Training.
        positive: overlap from which a region is positive.
        jittered: shaken copies of each box.
        draw: what chance is drawn by.
    """
    real = truth.kind > 0
    candidates = [proposals.boxes, truth.boxes, *(shaken(truth.boxes, draw) for _ in range(jittered))]
    boxes = clip(torch.cat(candidates, dim=1), *image_hw)
    valid = torch.cat([proposals.valid, *[real] * (1 + jittered)], dim=1)
    valid &= ((boxes[..., 2:] - boxes[..., :2]) >= 1.0).all(dim=-1)
    best, which = (overlap(boxes, truth.boxes) * real[:, None]).max(dim=2)
    kind = torch.where(best >= positive, truth.kind.gather(1, which), 0)
    kind = torch.where(valid, kind, -1)
    chance = draw(kind.shape).to(kind.device)
    most = round(positive_share * count)
    rank = torch.where(kind > 0, chance, 2.0).argsort(dim=1).argsort(dim=1)  # of a positive one among them
    surplus = (kind > 0) & (rank >= most)
    order = torch.where((kind < 0) | surplus, 4.0, torch.where(kind > 0, chance, 2.0 + chance)).argsort(dim=1)[
        :, :count
    ]
    kind = torch.where(surplus, -1, kind).gather(1, order)
    corners = order[..., None].expand(-1, -1, 4)
    return Regions(
        boxes.gather(1, corners), kind, truth.boxes.gather(1, which.gather(1, order)[..., None].expand(-1, -1, 4))
    )


def shaken(boxes: Tensor, draw: Draw = torch.rand) -> Tensor:
    """Boxes moved, widened or narrowed at random by a share of their sides."""
    side = (boxes[..., 2:] - boxes[..., :2]).repeat_interleave(2, dim=-1).unflatten(-1, (2, 2)).transpose(-1, -2)
    return boxes + (2 * draw(boxes.shape).to(boxes.device) - 1) * JITTER * side.flatten(-2)
