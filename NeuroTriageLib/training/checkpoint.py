"""Checkpoints: the whole state of a run in one file, replaced in one step, so that a kill never leaves half of one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.errors import InputError, OutputError

CHECKPOINT_FILE = "checkpoint.pt"


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values. Raises OutputError when the disk does not take them."""
    beside = path.with_name(f".{path.name}.new")  # one name: what a kill leaves is overwritten by the next one
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except (OSError, RuntimeError) as error:
        beside.unlink(missing_ok=True)
        raise OutputError(f"The checkpoint cannot be written: {error}.", where=str(path)) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what save_checkpoint wrote; only tensors and plain values are accepted. Raises InputError."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file; all mean the same to the user
        raise InputError(
            f"The checkpoint cannot be read: {type(error).__name__}.", where=str(path), next_step="Start a new run."
        ) from error
    return state


def generator_state(rng: np.random.Generator) -> str:
    """A numpy generator's state as text (its integers are too large for tensors)."""
    return repr(rng.bit_generator.state)


def restore_generator(rng: np.random.Generator, text: str) -> None:
    """Set a generator to the state that generator_state gave."""
    import ast

    rng.bit_generator.state = ast.literal_eval(text)
