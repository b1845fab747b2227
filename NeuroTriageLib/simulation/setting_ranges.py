"""What the settings of every simulator must keep: probabilities from 0 to 1, ranges with their smaller end first."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..core.errors import ConfigError

Range = tuple[float, float]
"""Smallest and largest value."""


def check_ranges(settings: Any) -> None:
    """Raise ConfigError for a field of a dataclass that holds no probability or no range, as its name or type says."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.name.endswith("_probability") and not 0.0 <= value <= 1.0:
            raise ConfigError("A probability lies between 0 and 1.", where=field.name)
        if field.type == "Range" and not value[0] <= value[1]:
            raise ConfigError("A range starts with its smaller end.", where=field.name)
