"""Non-maximum suppression of many slabs at once."""

from __future__ import annotations

import torch
from torch import Tensor

from .boxes import overlap


def suppress(boxes: Tensor, score: Tensor, valid: Tensor, threshold: float) -> Tensor:
    """Which boxes stay: in the order of falling score, each one that overlaps no box kept before it by more.

    Args:
        boxes: (b, n, 4); only boxes of the same b are compared.
        score: (b, n); ties are settled by position.
        valid: (b, n) bool; other boxes neither stay nor suppress.
        threshold: largest intersection over union with a kept box.

    Returns:
        (b, n) bool.
    """
    order = score.masked_fill(~valid, -torch.inf).argsort(dim=1, descending=True, stable=True)
    ranked = boxes.gather(1, order[..., None].expand(-1, -1, 4))
    alive = valid.gather(1, order)
    clashes = (overlap(ranked, ranked) > threshold).triu(diagonal=1)  # (b, n, n): row suppresses column
    for rank in range(int(valid.sum(dim=1).max()) if valid.numel() else 0):
        alive &= ~(clashes[:, rank] & alive[:, rank, None])
    return torch.zeros_like(valid).scatter(1, order, alive)


def suppress_by_type(boxes: Tensor, score: Tensor, kind: Tensor, valid: Tensor, threshold: float) -> Tensor:
    """The same among boxes of one type only; kind: (b, n) int64."""
    reach = boxes.amax() - boxes.amin() + 1 if boxes.numel() else 1.0
    apart = kind[..., None] * reach  # boxes of different types are moved so far apart that they never overlap
    return suppress(boxes + apart, score, valid, threshold)


def keep_best(values: tuple[Tensor, ...], score: Tensor, kept: Tensor, count: int) -> tuple[tuple[Tensor, ...], Tensor]:
    """The kept entries of each slab in the order of falling score, the first `count` of them.

    Args:
        values: (b, n, ...) tensors.
        score: (b, n).
        kept: (b, n) bool.

    Returns:
        (b, count, ...) tensors and (b, count) bool, which of them are real; count is at most n.
    """
    count = min(count, score.shape[1])
    order = score.masked_fill(~kept, -torch.inf).argsort(dim=1, descending=True, stable=True)[:, :count]
    chosen = tuple(value[torch.arange(len(value), device=value.device)[:, None], order] for value in values)
    return chosen, kept.gather(1, order)
