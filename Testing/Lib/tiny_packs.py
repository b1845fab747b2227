"""Very small packs, the real layout, quick to make: kuo2019 with random weights, and a consensus of it alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from NeuroTriageLib.io.model_packs import Calibration, PackManifest, load_model_pack, save_model_pack
from NeuroTriageLib.preprocessing.exam_features import EXAM_FEATURES
from NeuroTriageLib.preprocessing.familiarity import FamiliarityModel
from NeuroTriageLib.systems.consensus_config import ConsensusConfig, ConsensusMember
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


def save_consensus(folder: Path, member: Path, *, familiarity_threshold: float = 1e6, **changes: Any) -> Path:
    """Write a consensus of one kuo2019 pack that finds every exam familiar, unless told otherwise."""
    config = ConsensusConfig(
        codes=CONFIG.codes,
        members=(ConsensusMember("kuo2019", member.name, load_model_pack(member).identity.sha256),),
        weights={key: {"kuo2019": 1.0} for key in CODES},
        mask_weights={"kuo2019": 1.0},
        pixel_threshold=0.5,
        familiarity_threshold=familiarity_threshold,
        pixel_spacing_mm=CONFIG.pixel_spacing_mm,
        image_size=CONFIG.image_size,
        slab_mm=CONFIG.slab_mm,
    )
    count = len(EXAM_FEATURES)
    zero = np.zeros(count, np.float32)
    model = FamiliarityModel(zero, zero + 1, np.eye(count, dtype=np.float32), zero - 1, zero + 1)
    values: dict[str, Any] = {"name": "consensus", "system": "consensus", "config": config.to_json()}
    save_model_pack(folder, manifest(**(values | changes)), model.arrays())
    return folder
