"""One optimizer step that survives rare spikes: gradients are clipped, and left out when they are not numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..core.errors import InputError
from .processes import ALONE, Processes

LARGEST_GRADIENT = 5.0  # largest norm; ours, against rare spikes
MOST_SKIPPED = 20  # steps in a row; ours


class GuardedStep:
    """Backward pass and step; counts the steps that were left out in a row.

    Args:
        processes: that share the minibatch; gradients are summed over them, so that all decide alike.
    """

    def __init__(self, processes: Processes = ALONE) -> None:
        self.processes = processes
        self.skipped = 0

    def __call__(self, loss: Tensor, optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter]) -> None:
        """Change the parameters by a loss, or this process's share of it.

        Raises InputError when too many steps in a row had to be left out.
        """
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.processes.add_gradients(parameters)
        if torch.isfinite(nn.utils.clip_grad_norm_(parameters, LARGEST_GRADIENT)):
            optimizer.step()
            self.skipped = 0
            return
        self.skipped += 1
        if self.skipped >= MOST_SKIPPED:
            raise InputError(
                f"The gradients of {MOST_SKIPPED} steps in a row are not numbers.",
                next_step="Start again from the checkpoint, with a smaller learning rate or without bfloat16.",
            )
