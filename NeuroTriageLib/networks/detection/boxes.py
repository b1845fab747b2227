"""Boxes: overlap, and the four numbers that move one box onto another."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# A box is (top, left, bottom, right) in pixels of the network's image, at pixel edges: the box of pixel (j, i) alone is
# (j, i, j + 1, i + 1). Everything here takes (..., 4) float tensors.

LARGEST_LOG_SCALE = math.log(1000 / 16)
"""Larger growth of a box is cut off before exp, as in Faster R-CNN's public implementations: 16 pixels become 1000."""
SMALLEST_SIDE = 1e-3  # pixels; keeps logarithms finite for boxes that were clipped away; ours


def area(boxes: Tensor) -> Tensor:
    """(..., 4) -> (...) square pixels, 0 for a box turned inside out."""
    return (boxes[..., 2] - boxes[..., 0]).clamp_min(0) * (boxes[..., 3] - boxes[..., 1]).clamp_min(0)


def overlap(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of every pair: (..., N, 4) and (..., M, 4) -> (..., N, M), 0 where both are empty."""
    a, b = first[..., :, None, :], second[..., None, :, :]
    shared = torch.cat([torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])], dim=-1)
    intersection = area(shared)
    return intersection / (area(a) + area(b) - intersection).clamp_min(1e-9)


def encode(boxes: Tensor, reference: Tensor) -> Tensor:
    """Offsets that decode turns back into the boxes: shift of the centre in sides of the reference, log of the growth.

    Girshick 2014 (R-CNN), appendix C; without the variances that some implementations divide by.
    """
    center, side = _center_and_side(boxes)
    from_center, from_side = _center_and_side(reference)
    return torch.cat([(center - from_center) / from_side, (side / from_side).log()], dim=-1)


def decode(offsets: Tensor, reference: Tensor) -> Tensor:
    """The inverse of encode."""
    from_center, from_side = _center_and_side(reference)
    center = from_center + offsets[..., :2] * from_side
    half = from_side * offsets[..., 2:].clamp(max=LARGEST_LOG_SCALE).exp() / 2
    return torch.cat([center - half, center + half], dim=-1)


def clip(boxes: Tensor, height: int, width: int) -> Tensor:
    """Boxes cut off at the image's edges."""
    limit = torch.tensor([height, width, height, width], dtype=boxes.dtype, device=boxes.device)
    return torch.minimum(boxes.clamp_min(0), limit)


def _center_and_side(boxes: Tensor) -> tuple[Tensor, Tensor]:
    side = (boxes[..., 2:] - boxes[..., :2]).clamp_min(SMALLEST_SIDE)
    return (boxes[..., 2:] + boxes[..., :2]) / 2, side
