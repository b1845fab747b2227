"""Which public data sets are known; each adapter is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from ..core.errors import ConfigError
from .dataset import Dataset

_ADAPTERS = {
    "bhsd": "Bhsd",
    "ct-ich": "CtIch",
    "instance2022": "Instance2022",
    "rsna2019": "Rsna2019",
    "cq500": "Cq500",
    "isles2022": "Isles2022",
    "soop": "Soop",
    "atlas2": "Atlas2",
    "brats": "Brats",
    "fastmri-plus": "FastMriPlus",
}

DATASETS = tuple(_ADAPTERS)
"""Names of the data sets: head CT first, then brain MRI."""


def open_dataset(name: str) -> Dataset:
    """The data set of a name. Raises ConfigError for an unknown one."""
    if name not in _ADAPTERS:
        raise ConfigError("There is no such data set.", where=name, next_step=f"Choose one of: {', '.join(DATASETS)}.")
    module = import_module(f".{name.replace('-', '_')}", __package__)
    adapter: Callable[[], Dataset] = getattr(module, _ADAPTERS[name])
    return adapter()
