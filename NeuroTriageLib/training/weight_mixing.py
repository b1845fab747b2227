"""Half-way between the weights that a model had and those that it has learned: what it knew stays known.

Wortsman et al., CVPR 2022 (WiSE-FT): on a straight line between a model and its fine-tuned self most of what was gained
is kept and most of what was lost comes back.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

NEW_SHARE = 0.5
"""Of the learned weights in the mixture (Wortsman 2022 recommends 0.5 where nothing better is known)."""


def half_way(old: Mapping[str, Tensor], new: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name -> mixture of both; what is no floating value (counters) is the new one's.

    Args:
        old, new: weights and statistics of networks of the same shape, by the same names.
    """
    mixed = {}
    for name, value in new.items():
        if value.is_floating_point():
            mixed[name] = torch.lerp(old[name].to(value), value, NEW_SHARE)
        else:
            mixed[name] = value
    return mixed
