"""A model pack's weights, put into the networks that its settings describe."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..core.errors import ModelError
from ..io.model_packs import ModelPack


def load_weights(pack: ModelPack, into: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Hand the pack's weights over by name.

    Args:
        pack: whose weights.
        into: takes them, such as a module's load_state_dict.

    Raises:
        ModelError: they are the weights of other networks.
    """
    try:
        into({name: torch.from_numpy(value) for name, value in pack.weights().items()})
    except RuntimeError as error:
        raise ModelError("The weights do not fit the networks of the pack.", where=str(pack.path)) from error
