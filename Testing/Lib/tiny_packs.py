"""A very small kuo2019 pack with random weights: the real layout, quick to make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from NeuroTriageLib.io.model_packs import Calibration, PackManifest, save_model_pack
from NeuroTriageLib.systems.kuo2019 import build_network
from NeuroTriageLib.systems.kuo2019_config import Kuo2019Config

CONFIG = Kuo2019Config(width=0.0625, pixel_spacing_mm=3.6, image_size=64, patch_size=24)
CODES = ("any", *CONFIG.codes)


def manifest(**changes: Any) -> PackManifest:
    """The pack's manifest; `changes` replace its values."""
    values: dict[str, Any] = {"name": "tiny", "version": "1.2", "system": "kuo2019", "config": CONFIG.to_json()}
    values |= {"codes": CONFIG.codes, "operating_points": dict.fromkeys(CODES, 0.5)}
    values |= {"calibration": {code: Calibration(1.5, -0.25) for code in CODES}, "training": {"exams": 3}}
    values |= {"metrics": {"auc": 0.9}, "licence": "Apache-2.0", "intended_use": "tests"}
    return PackManifest(**(values | changes))


def weights(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of the pack's network."""
    torch.manual_seed(seed)
    return build_network(CONFIG).state_dict()


def save(folder: Path, **changes: Any) -> Path:
    """Write the pack; `changes` go into its manifest."""
    save_model_pack(folder, manifest(**changes), weights())
    return folder
