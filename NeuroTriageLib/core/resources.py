"""Where the files that ship beside the code lie: model packs, sample data.

There are two layouts and this is the only place that knows them. Installed with pip, Resources lies inside the library
(pyproject.toml maps the package NeuroTriageLib.Resources from it). In the source tree and in an installed Slicer
extension it lies beside the library.
"""

from __future__ import annotations

from pathlib import Path

_LIBRARY = Path(__file__).resolve().parent.parent


def resources_folder() -> Path:
    """The folder Resources; it is not checked that it exists."""
    inside = _LIBRARY / "Resources"
    return inside if inside.is_dir() else _LIBRARY.parent / "Resources"


def models_folder() -> Path:
    """The model packs that ship, one folder each."""
    return resources_folder() / "Models"


def protocols_folder() -> Path:
    """One protocol file per paper, to be copied (docs/experiments.md)."""
    return resources_folder() / "Protocols"


def sample_data_folder() -> Path:
    """The sample studies that ship, one folder each."""
    return resources_folder() / "SampleData"
