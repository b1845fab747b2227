"""Anchors: preconfigured boxes of several shapes and sizes that are tested everywhere (Chang 2018, figure 1)."""

from __future__ import annotations

import torch
from torch import Tensor


def cell_anchors(size: float, ratios: tuple[float, ...]) -> Tensor:
    """(len(ratios), 4) boxes around (0, 0), each of size x size square pixels and of height / width = ratio."""
    ratio = torch.tensor(ratios)
    height, width = size * ratio.sqrt(), size / ratio.sqrt()
    return torch.stack([-height, -width, height, width], dim=1) / 2


def grid_anchors(height: int, width: int, stride: int, size: float, ratios: tuple[float, ...]) -> Tensor:
    """(height x width x len(ratios), 4): the cell anchors around the middle of every cell of a feature map.

    Args:
        height, width: cells of the feature map.
        stride: pixels of the image per cell.
        size: square root of an anchor's area in pixels.
        ratios: height / width of the anchors.

    Order: rows, columns, ratios; as (b, ratios, h, w) maps become when their ratios are moved last.
    """
    row = (torch.arange(height) + 0.5) * stride
    column = (torch.arange(width) + 0.5) * stride
    centers = torch.stack(torch.meshgrid(row, column, indexing="ij"), dim=-1)  # (h, w, 2)
    anchors = centers.repeat(1, 1, 2)[:, :, None] + cell_anchors(size, ratios)  # (h, w, ratios, 4)
    return anchors.reshape(-1, 4)
