"""The two losses of PatchFCN: weighted pixel cross-entropy and one two-way cross-entropy per patch class."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..networks.patchfcn import window_logits
from .processes import Total, alone
from .windowed_exam import OUTSIDE, UNTYPED

NOT_KNOWN = -1
"""Target of a class of which it is not known whether a window shows it."""


def pixel_loss(logits: Tensor, target: Tensor, positive_weight: float, total: Total = alone) -> Tensor:
    """Cross-entropy over background and types, blood pixels weighted (Kuo 2019: 3), in float32.

    Args:
        logits: (b, 1 + N, h, w).
        target: (b, h, w) labels; OUTSIDE (beyond the brain) counts as background. UNTYPED asks for any of the types:
            minus the logarithm of their probabilities' sum (ours).
        positive_weight: weight of pixels with a label; background has 1.
        total: sums over the processes that share the batch.

    Returns:
        (b,) each image's weighted sum, divided by the weights of an image of the batch on average: the mean of the
        result is the mean over all weights.
    """
    untyped = target == UNTYPED
    label = target.masked_fill((target == OUTSIDE) | untyped, 0)
    each = F.cross_entropy(logits.float(), label, reduction="none")
    if untyped.any():
        of_any_type = -logits.float().log_softmax(dim=1)[:, 1:].logsumexp(dim=1)
        each = torch.where(untyped, of_any_type, each)
    weight = torch.where((label > 0) | untyped, positive_weight, 1.0)
    weights, images = total(torch.stack([weight.sum(), weight.new_tensor(len(weight))]))
    return (each * weight).sum(dim=(1, 2)) / (weights / images)


def patch_targets(target: Tensor, types: int, minimum_pixels: int, window: int, stride: int) -> Tensor:
    """(b, 1 + N, windows_j, windows_i) int64: 1 where a window shows any blood, then each type.

    A window with UNTYPED blood does not know of the types that it does not show: NOT_KNOWN.

    Args:
        target: (b, h, w) labels or OUTSIDE.
        types: N.
        minimum_pixels: a window shows a type from this many pixels on.
        window, stride: in pixels; a patch passed alone is one window of its own size.
    """
    values = torch.arange(1, types + 1, device=target.device).view(1, -1, 1, 1)
    shown = (target[:, None] == values).float()  # (b, N, h, w)
    untyped = (target[:, None] == UNTYPED).float()
    shown = torch.cat([shown.sum(dim=1, keepdim=True) + untyped, shown, untyped], dim=1)
    counts = F.avg_pool2d(shown, window, stride) * window**2
    there = (counts[:, :-1] > minimum_pixels - 0.5).long()
    unknown = (counts[:, -1:] > 0.5) & (there == 0)
    unknown[:, 0] = False
    return there.masked_fill(unknown, NOT_KNOWN)


def patch_loss(patch: Tensor, targets: Tensor, window: int, stride: int, sharpness: float = 0.0) -> Tensor:
    """(b,) mean over windows and classes of the two-way cross-entropy (Kuo 2019: independent classes), in float32.

    Args:
        patch: (b, 1 + N, 2, h, w), the branch's map before pooling.
        targets: (b, 1 + N, windows_j, windows_i) from patch_targets; what is NOT_KNOWN costs nothing.
        window, stride: in pixels of the map.
        sharpness: of the pooling, see window_logits.
    """
    logits = window_logits(patch.float(), window, stride, sharpness)  # (b, 1 + N, 2, windows_j, windows_i)
    each = F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=NOT_KNOWN, reduction="none")
    return each.mean(dim=(1, 2, 3))
