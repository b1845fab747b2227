"""The running mean of a network's weights, which is steadier than the last ones."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def update_running_mean(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the network's weights and statistics; counters are copied.

    Args:
        average, network: of the same kind; the average is changed in place.
        decay: share of the average that stays at each step, less during the first ones; 0 or below changes nothing.
        step: number of the step, from 1.
    """
    if decay <= 0:
        return
    decay = min(decay, (1 + step) / (10 + step))
    theirs = network.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(theirs[name], 1 - decay)
        else:
            value.copy_(theirs[name])
