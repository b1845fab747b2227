"""What the panel remembers on this computer between sessions, in Slicer's own settings."""

from __future__ import annotations

import json

import slicer

_GROUP = "NeuroTriage"


def read(name: str, default: str = "") -> str:
    """A setting as text."""
    value = slicer.app.userSettings().value(f"{_GROUP}/{name}", default)
    return default if value is None else str(value)


def write(name: str, value: str) -> None:
    """Keep a setting."""
    slicer.app.userSettings().setValue(f"{_GROUP}/{name}", value)


def measured_seconds() -> dict[str, float]:
    """System and device -> seconds per slice of the runs so far (run_estimate.py)."""
    try:
        stored = json.loads(read("SecondsPerSlice", "{}"))
        return {str(key): float(value) for key, value in stored.items()}
    except (ValueError, AttributeError):
        return {}  # settings are a file that anybody can edit; what cannot be read counts as not measured


def keep_measured_seconds(measured: dict[str, float]) -> None:
    """Remember them."""
    write("SecondsPerSlice", json.dumps(measured))
