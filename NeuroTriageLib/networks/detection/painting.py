"""Many masks in one picture."""

from __future__ import annotations

import torch
from torch import Tensor


def highest_per_layer(masks: Tensor, layer: Tensor, layers: int) -> Tensor:
    """(r, h, w) masks and the layer (r,) of each, from 0 -> (layers, h, w) highest value, 0 where there is no mask."""
    out = masks.new_zeros((layers, *masks.shape[1:]))
    for number in range(layers):
        mine = masks[layer == number]
        if len(mine):
            torch.amax(mine, dim=0, out=out[number])
    return out
