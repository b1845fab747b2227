"""The running mean of a network's weights, which is steadier than the last ones."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def update_running_mean(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the network's weights and statistics; counters are copied.

    Parts that a network holds under two names are moved once.

    Args:
        average, network: of the same kind; the average is changed in place.
        decay: share of the average that stays at each step, less during the first ones; 0 or below changes nothing.
        step: number of the step.
    """
    if decay <= 0:
        return
    decay = min(decay, (1 + step) / (10 + step))
    for ours, theirs in zip(_tensors(average), _tensors(network), strict=True):
        if ours.is_floating_point():
            ours.lerp_(theirs, 1 - decay)
        else:
            ours.copy_(theirs)


def _tensors(network: nn.Module) -> list[torch.Tensor]:
    return [*network.parameters(), *network.buffers()]
