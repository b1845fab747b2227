"""Chang 2018: a mask R-CNN on a hybrid 3D/2D feature pyramid; slices in, boxes with type, confidence and mask out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .backbones.hybrid_pyramid import STRIDES, HybridPyramid
from .detection.boxes import clip, decode
from .detection.proposals import AnchorScores, AnchorSettings, ProposalHead, Proposals, propose
from .detection.region_heads import MaskBranch, RegionScores, TypeClassifier
from .detection.region_pooling import level_of, paste_masks, pool_regions
from .detection.suppression import keep_best, suppress_by_type


@dataclass(frozen=True)
class NetworkSettings:
    """Shape of the network and of its search; systems/chang2018_config.py says where each number comes from.

    Args:
        types: N, number of types that the classifier knows.
        width: factor on the contracting arm's channels.
        blocks: bottleneck blocks of the five levels.
        pyramid_channels: channels of the expanding arm.
        bottleneck_ratio: see backbones.hybrid_pyramid.Bottleneck.
        anchor_sizes: pixels, for the levels of stride 4, 8, 16 and 32.
        anchor_ratios: height / width.
        candidates, proposals: boxes per slab before and after the suppression of proposals.
        proposal_overlap, detection_overlap: thresholds of the two suppressions.
        region_size, region_samples: bins of the classifier's regions, points per bin.
        hidden: width of the classifier's layers.
        mask_size: bins of the mask branch's regions; masks have twice as many pixels along a side.
        mask_layers: convolutions of the mask branch.
        detections: boxes per slab at most.
    """

    types: int
    width: float
    blocks: tuple[int, ...]
    pyramid_channels: int
    bottleneck_ratio: float
    anchor_sizes: tuple[float, ...]
    anchor_ratios: tuple[float, ...]
    candidates: int
    proposals: int
    proposal_overlap: float
    detection_overlap: float
    region_size: int
    region_samples: int
    hidden: int
    mask_size: int
    mask_layers: int
    detections: int


class Detections(NamedTuple):
    """Boxes of each slab, best first.

    Args:
        boxes: (s, d, 4) in pixels of the network's image, at pixel edges: top, left, bottom, right.
        kind: (s, d) int64, the most probable type from 1.
        confidence: (s, d) 0-1, probability of that type.
        valid: (s, d) bool; the rest is padding.
        score: (s, 1 + N) highest probability over the slab's proposals: of any hemorrhage, then of each type.
    """

    boxes: Tensor
    kind: Tensor
    confidence: Tensor
    valid: Tensor
    score: Tensor


class SlabAnswer(NamedTuple):
    """Detections of some slabs, and the masks of those that are worth one.

    Args:
        found: boxes, types, confidences and scores.
        masked: (s, d) bool, which boxes have a mask.
        masks: (masked.sum(), m, m) 0-1, in the order of boxes[masked].
    """

    found: Detections
    masked: Tensor
    masks: Tensor


class HybridMaskRcnn(nn.Module):
    """The network in three steps, because training and inference put other boxes between them.

    pyramid -> search (region proposals) -> classify (regions' types and boxes); masks for the boxes that are wanted.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        channels = settings.pyramid_channels
        self.backbone = HybridPyramid(settings.width, settings.blocks, channels, settings.bottleneck_ratio)
        anchors = AnchorSettings(STRIDES[1:], settings.anchor_sizes, settings.anchor_ratios)
        self.proposal_head = ProposalHead(channels, anchors)
        self.classifier = TypeClassifier(channels, settings.region_size, settings.hidden, settings.types)
        self.mask_branch = MaskBranch(channels, settings.mask_layers, settings.types)

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """(b, n + 4, h, w) -> five maps (b x n, c, h / stride, w / stride), stride 2 to 32."""
        return self.backbone(x)

    def search(self, pyramid: list[Tensor]) -> AnchorScores:
        """What the network says of every anchor."""
        return self.proposal_head(pyramid[1:])

    def propose(self, scores: AnchorScores, pyramid: list[Tensor]) -> Proposals:
        """The boxes that the classifier looks at."""
        settings = self.settings
        height, width = image_size(pyramid)
        return propose(
            scores,
            height,
            width,
            candidates=settings.candidates,
            count=settings.proposals,
            threshold=settings.proposal_overlap,
        )

    def classify(self, pyramid: list[Tensor], boxes: Tensor) -> RegionScores:
        """Types and better boxes of (s, r, 4) boxes."""
        settings = self.settings
        # Every box from the level on which a bin is one to two cells wide (Lin 2017, equation 1: two to four; ours, so
        # that one point per bin misses nothing).
        level = level_of(boxes, len(pyramid) - 1, settings.region_size * STRIDES[1])
        regions = pool_regions(
            pyramid[1:], STRIDES[1:], boxes, level, settings.region_size, settings.region_samples
        )  # (s x r, c, size, size)
        scores = self.classifier(regions)
        return RegionScores(*(value.unflatten(0, boxes.shape[:2]) for value in scores))

    def masks(self, pyramid: list[Tensor], boxes: Tensor, kind: Tensor, chosen: Tensor) -> Tensor:
        """Mask logits of the chosen boxes, in their order: (chosen.sum(), 2 mask_size, 2 mask_size).

        All are cut from the finest level (Lin 2017 would take that of the box's size): thin blood is lost in others.

        Args:
            pyramid: as from pyramid().
            boxes: (s, r, 4); kind: (s, r) types from 1; chosen: (s, r) bool.
        """
        level = torch.where(chosen, 0, -1)
        regions = pool_regions(pyramid[:1], STRIDES[:1], boxes, level, self.settings.mask_size, 1)
        return self.mask_branch(regions, kind[chosen])

    @torch.no_grad()
    def detect(self, pyramid: list[Tensor]) -> Detections:
        """Boxes of each slab with type and confidence, whatever their confidence."""
        settings = self.settings
        proposals = self.propose(self.search(pyramid), pyramid)
        regions = self.classify(pyramid, proposals.boxes)
        probability = regions.types.softmax(dim=-1)  # (s, r, 1 + N)
        confidence, kind = probability[..., 1:].max(dim=-1)
        boxes = clip(decode(regions.offsets, proposals.boxes), *image_size(pyramid))
        valid = proposals.valid & ((boxes[..., 2:] - boxes[..., :2]) >= 1.0).all(dim=-1)
        kept = suppress_by_type(boxes, confidence, kind, valid, settings.detection_overlap)
        (boxes, kind, confidence), real = keep_best(
            (boxes, kind + 1, confidence), confidence, kept, settings.detections
        )
        present = torch.cat([1 - probability[..., :1], probability[..., 1:]], dim=-1)
        score = (present * proposals.valid[..., None]).amax(dim=1)  # (s, 1 + N)
        return Detections(boxes, kind, confidence, real, score)

    @torch.no_grad()
    def answer(self, x: Tensor, mask_floor: float) -> SlabAnswer:
        """(1, n + 4, h, w) slices -> what is seen on the n slabs; boxes from mask_floor confidence on have a mask."""
        pyramid = self.pyramid(x)
        found = self.detect(pyramid)
        masked = found.valid & (found.confidence >= mask_floor)
        return SlabAnswer(found, masked, self.masks(pyramid, found.boxes, found.kind, masked).sigmoid())

    def answers(self, stack: Tensor, mask_floor: float, slabs_at_once: int) -> Iterator[tuple[int, SlabAnswer]]:
        """(n + 4, h, w) -> (number of the first slab, answer) in turns of slabs_at_once slabs."""
        context = self.backbone.context
        for first in range(0, len(stack) - 2 * context, slabs_at_once):
            part = stack[first : first + slabs_at_once + 2 * context]
            yield first, self.answer(part[None], mask_floor)


def paint(answer: SlabAnswer, slab: int, height: int, width: int) -> Tensor:
    """(d', h, w) 0-1: the masks of one slab's boxes in the image's pixels, for boxes[slab, masked[slab]] in order."""
    before = int(answer.masked[:slab].sum())
    mine = answer.masked[slab]
    return paste_masks(answer.masks[before : before + int(mine.sum())], answer.found.boxes[slab, mine], height, width)


def image_size(pyramid: list[Tensor]) -> tuple[int, int]:
    """Rows and columns of the image that a pyramid was made of."""
    height, width = pyramid[0].shape[-2:]
    return height * STRIDES[0], width * STRIDES[0]
