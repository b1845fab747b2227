"""RoIAlign (He 2017, Mask R-CNN, section 3) by grid_sample, and the way back: masks of boxes pasted into an image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def pool_regions(
    maps: Sequence[Tensor], strides: Sequence[int], boxes: Tensor, level: Tensor, size: int, samples: int
) -> Tensor:
    """Bilinear samples of the wanted boxes, averaged in a regular grid of bins: (wanted, c, size, size) float32.

    Args:
        maps: feature maps (b, c, h, w), one per level; h and w times the stride is the image.
        strides: pixels of the image per cell of each map.
        boxes: (b, r, 4) in pixels of the image; box (b, .) is cut from the maps' b-th member.
        level: (b, r) int64, which map each box is cut from; boxes with -1 are not wanted.
        size: bins along rows and along columns.
        samples: points per bin along rows and along columns (He 2017: 2).

    Returns:
        In the order of boxes[level >= 0].
    """
    place = torch.arange(level.numel(), device=level.device).view_as(level)
    parts, places = [maps[0].new_zeros((0, maps[0].shape[1], size, size), dtype=torch.float32)], [place[:0].flatten()]
    for number, (features, stride) in enumerate(zip(maps, strides, strict=True)):
        chosen = level == number
        most = int(chosen.sum(dim=1).max()) if chosen.numel() else 0
        if most == 0:
            continue
        # Every member gives as many boxes as the one with most of them; the surplus is dropped again.
        slot = (~chosen).long().argsort(dim=1, stable=True)[:, :most]  # (b, most)
        real = chosen.gather(1, slot)
        points = _points(boxes.gather(1, slot[..., None].expand(-1, -1, 4)), size * samples)
        sampled = _sample(features.float(), stride, points).transpose(1, 2)[real]  # (real, c, size x samples, ...)
        parts.append(F.avg_pool2d(sampled, samples) if samples > 1 else sampled)
        places.append(place.gather(1, slot)[real])
    return torch.cat(parts)[torch.cat(places).argsort()]


def level_of(boxes: Tensor, levels: int, finest: float) -> Tensor:
    """(..., 4) -> (...) int64, the map for a box: 0 up to a size of twice `finest`, one more for every doubling.

    The size is the square root of the area (Lin 2017, Feature Pyramid Networks, equation 1).
    """
    side = (boxes[..., 2:] - boxes[..., :2]).clamp_min(1e-3).prod(dim=-1).sqrt()
    return (side / finest).log2().floor().clamp(0, levels - 1).long()


def paste_masks(masks: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    """(r, m, m) masks of boxes (r, 4) -> (r, height, width): in the image's pixels, bilinear, 0 outside the boxes."""
    side = (boxes[:, 2:] - boxes[:, :2]).clamp_min(1e-3)
    row = (torch.arange(height, device=boxes.device) + 0.5 - boxes[:, :1]) / side[:, :1]  # (r, height), 0-1 in the box
    column = (torch.arange(width, device=boxes.device) + 0.5 - boxes[:, 1:2]) / side[:, 1:]
    grid = torch.stack(
        [column[:, None].expand(-1, height, -1), row[:, :, None].expand(-1, -1, width)], dim=-1
    )  # (r, h, w, 2) as x, y
    pasted = F.grid_sample(masks[:, None], grid * 2 - 1, padding_mode="border", align_corners=False)[:, 0]
    inside = ((grid >= 0) & (grid <= 1)).all(dim=-1)
    return pasted * inside


def crop_targets(target: Tensor, boxes: Tensor, kind: Tensor, size: int) -> Tensor:
    """(b, r, size, size) 0-1: where the boxes' own type is in the labels, nearest pixel of every bin's middle.

    Args:
        target: (b, h, w) int64 labels.
        boxes: (b, r, 4); kind: (b, r) the label wanted in each box.
    """
    b, h, w = target.shape
    points = _points(boxes, size).floor().long()  # (b, r, size, size, 2)
    row, column = points[..., 0].clamp(0, h - 1), points[..., 1].clamp(0, w - 1)
    member = torch.arange(b, device=boxes.device)[:, None, None, None]
    return (target[member, row, column] == kind[..., None, None]).float()


def _points(boxes: Tensor, count: int) -> Tensor:
    """(b, r, 4) -> (b, r, count, count, 2): row and column of the middles of count x count equal parts."""
    share = (torch.arange(count, device=boxes.device) + 0.5) / count
    row = boxes[..., 0:1] + share * (boxes[..., 2:3] - boxes[..., 0:1])  # (b, r, count)
    column = boxes[..., 1:2] + share * (boxes[..., 3:4] - boxes[..., 1:2])
    shape = (*row.shape, count)
    return torch.stack([row[..., None].expand(shape), column[..., None, :].expand(shape)], dim=-1)


def _sample(features: Tensor, stride: int, points: Tensor) -> Tensor:
    """(b, c, h, w) at points (b, r, n, n, 2) of the image -> (b, c, r, n, n)."""
    b, r, n = points.shape[:3]
    h, w = features.shape[-2:]
    extent = points.new_tensor([h * stride, w * stride])
    grid = (points / extent * 2 - 1).flip(-1)  # x, y in -1...1 from edge to edge
    sampled = F.grid_sample(features, grid.reshape(b, r * n, n, 2), padding_mode="border", align_corners=False)
    return sampled.unflatten(2, (r, n))
