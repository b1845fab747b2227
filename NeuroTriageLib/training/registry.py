"""Which systems can be trained from label maps alone, and by which function; torch only when one is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

TrainFunction = Callable[[Any, Callable[[str], None]], Path]
"""(TrainOptions, report of one line) -> the pack's folder."""


def _kuo2019() -> TrainFunction:
    from .kuo2019_training import train_kuo2019

    return train_kuo2019


def _chang2018() -> TrainFunction:
    from .chang2018_training import train_chang2018

    return train_chang2018


def _ye2019() -> TrainFunction:
    from .ye2019_training import train_ye2019

    return train_ye2019


def _nael2021() -> TrainFunction:
    from .nael2021_training import train_nael2021

    return train_nael2021


MR_SYSTEMS = frozenset({"nael2021"})
"""Those that learn from brain MRI; the others from head CT."""

TRAINED_SYSTEMS: dict[str, Callable[[], TrainFunction]] = {
    "kuo2019": _kuo2019,
    "chang2018": _chang2018,
    "ye2019": _ye2019,
    "nael2021": _nael2021,
}
"""Catalog key -> what loads the function that trains the system."""
