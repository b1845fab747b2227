"""Which models and options an answer comes from, as one hash: an exam is read once for each."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from ..catalog import MR_SYSTEM, default_system, find_pack
from ..core.errors import ModelError
from ..io.model_packs import read_manifest
from ..triage_options import thresholds_of


def model_identity(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """The hash (SHA-256 in hex) and what it stands for; torch is not imported and no weights are read.

    A pack's manifest holds the SHA-256 of its weights, and a consensus's those of its members.

    Args:
        options: as triage_options.add_reading_arguments makes them.

    Raises:
        ConfigError, ModelError: the system or pack that is named is not there; without a name, neither is installed.
    """
    models: dict[str, Any] = {}
    missing: list[ModelError] = []
    if options.system is not None or options.model is not None:
        models |= _model(options.system, options.model)
    else:
        for system in (default_system(), MR_SYSTEM):
            try:
                models |= _model(system, None)
            except ModelError as error:
                missing.append(error)
    if not models:
        raise missing[0]
    description = {
        "models": models,
        "thresholds": thresholds_of(options),
        "contrasts": options.contrasts,
        "heatmap": options.heatmap,
        "accept_unfamiliar": options.accept_unfamiliar,
    }
    text = json.dumps(description, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest(), description


def _model(system: str | None, pack: Path | None) -> dict[str, Any]:
    """System -> its pack's whole manifest."""
    manifest = read_manifest(find_pack(system or default_system(), pack))
    return {system or manifest.system: manifest.to_json()}
