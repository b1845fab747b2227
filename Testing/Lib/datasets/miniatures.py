"""What makes the miniature of each data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from NeuroTriageLib.datasets.registry import DATASETS
from Testing.Lib.datasets import ct_miniatures, mr_miniatures

MAKERS: dict[str, Callable[[Path], Path]] = {
    **{name: getattr(ct_miniatures, name.replace("-", "_")) for name in DATASETS[:5]},
    **{name: getattr(mr_miniatures, name.replace("-", "_")) for name in DATASETS[5:]},
}
"""Name -> makes it in a folder, and returns the folder."""
