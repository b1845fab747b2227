"""The scripted module as Slicer has loaded it."""

from __future__ import annotations

from pathlib import Path

import slicer


def load_module(path: Path):
    """Open the module. Returns its widget class's instance and the widget that Slicer shows in its module panel."""
    slicer.util.selectModule(path.stem)
    representation = getattr(slicer.modules, path.stem.lower()).widgetRepresentation()
    return representation.self(), representation
