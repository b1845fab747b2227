"""Systems that say what a test wants them to say, and a consensus pack made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from NeuroTriageLib.core.codes import ANY, CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.errors import ModelError
from NeuroTriageLib.core.findings import ModelIdentity, Reading
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.io.model_packs import Calibration, ModelPack, PackManifest
from NeuroTriageLib.preprocessing.exam_features import EXAM_FEATURES
from NeuroTriageLib.preprocessing.familiarity import FamiliarityModel
from NeuroTriageLib.preprocessing.network_grid import PreparedExam
from NeuroTriageLib.systems.consensus import ConsensusSystem
from NeuroTriageLib.systems.consensus_config import ConsensusConfig, ConsensusMember, GridSettings

GRID = GridSettings(pixel_spacing_mm=1.8, image_size=128, slab_mm=5.0)
ALL = (ANY, *CT_HEMORRHAGE_CODES)
CHANG_CODES = ("IPH", "SDH+EDH", "SAH")
TOLERANT = 1e6  # a limit of familiarity that nothing exceeds


def reading(
    system: str,
    probability: Mapping[str, float],
    *,
    codes: tuple[str, ...] = CT_HEMORRHAGE_CODES,
    label: np.ndarray | None = None,
    heat: np.ndarray | None = None,
    segments: bool = True,
    shape: tuple[int, int, int] = (3, 4, 5),
) -> Reading:
    """A Reading with thresholds of one half; codes that are not named are at 0.05."""
    said = dict.fromkeys((ANY, *codes), 0.05) | dict(probability)
    label = np.zeros(shape, np.uint8) if label is None else label.astype(np.uint8)
    heat = (label > 0) * 0.9 if heat is None else heat
    return Reading(
        system=system,
        codes=codes,
        probability=said,
        threshold=dict.fromkeys(said, 0.5),
        slice_probability={code: np.full(len(label), value) for code, value in said.items()},
        label_kji=label,
        heatmap_kji=heat.astype(np.float16),
        model=ModelIdentity(system, "1", "ab" * 32),
        timings_s={"network": 0.5},
        segments=segments,
    )


class StandIn:
    """A system with a fixed opinion; it keeps the prepared exams that it was given."""

    device_name = "cpu"

    def __init__(self, name: str, probability: Mapping[str, float], *, grid: GridSettings = GRID, **values: Any):
        self.name, self.config = name, grid
        self.given: list[PreparedExam | None] = []
        self._probability, self._values = probability, values

    @property
    def pack(self) -> ModelPack:
        return member_pack(self.name)

    def read(self, volume: Volume, *, progress: Any = None, prepared: PreparedExam | None = None) -> Reading:
        self.given.append(prepared)
        for stage in ("prepare", "network", "decode") if progress else ():
            progress(stage, 0.0)
            progress(stage, 1.0)
        return reading(self.name, self._probability, **({"shape": volume.grid.shape_kji} | self._values))


class Failing(StandIn):
    """A system that cannot read."""

    def read(self, volume: Volume, *, progress: Any = None, prepared: PreparedExam | None = None) -> Reading:
        raise ModelError("The GPU ran out of memory.", next_step="Use --device cpu.")


def member_pack(system: str) -> ModelPack:
    """A pack that says no more than who it is."""
    files = {"weights.safetensors": "cd" * 32}
    manifest = PackManifest(
        f"{system}-tiny", "1", system, {}, CT_HEMORRHAGE_CODES, dict.fromkeys(ALL, 0.5),
        dict.fromkeys(ALL, Calibration()), {}, {}, "Apache-2.0", "tests", files,
    )  # fmt: skip
    return ModelPack(Path(f"/packs/{system}-tiny"), manifest, b"")


def familiarity_of_anything() -> FamiliarityModel:
    """A model around zero; only the threshold decides."""
    count = len(EXAM_FEATURES)
    zero = np.zeros(count)
    return FamiliarityModel(zero, np.ones(count), np.eye(count), zero - 1, zero + 1)


def consensus_config(systems: tuple[str, ...], **changes: Any) -> ConsensusConfig:
    """Equal weights for all, unless changed."""
    equal = dict.fromkeys(systems, 1 / len(systems))
    values: dict[str, Any] = {
        "codes": CT_HEMORRHAGE_CODES,
        "members": tuple(ConsensusMember(system, f"{system}-tiny", "cd" * 32) for system in systems),
        "weights": dict.fromkeys(ALL, equal),
        "mask_weights": equal,
        "pixel_threshold": 0.5,
        "familiarity_threshold": TOLERANT,
        "pixel_spacing_mm": GRID.pixel_spacing_mm,
        "image_size": GRID.image_size,
        "slab_mm": GRID.slab_mm,
    }
    return ConsensusConfig(**(values | changes))


def consensus_manifest(config: ConsensusConfig, **changes: Any) -> PackManifest:
    """A manifest without calibration of its own and thresholds of one half."""
    codes = (ANY, *config.codes)
    values: dict[str, Any] = {"name": "consensus-tiny", "version": "1", "system": "consensus"}
    values |= {"config": config.to_json(), "codes": config.codes, "operating_points": dict.fromkeys(codes, 0.5)}
    values |= {"calibration": dict.fromkeys(codes, Calibration()), "training": {}, "metrics": {}}
    values |= {"licence": "Apache-2.0", "intended_use": "tests", "files": {"weights.safetensors": "ef" * 32}}
    return PackManifest(**(values | changes))


def consensus(*members: StandIn, **changes: Any) -> ConsensusSystem:
    """A consensus of stand-ins; `changes` go into its settings."""
    config = consensus_config(tuple(member.name for member in members), **changes)
    pack = ModelPack(Path("/packs/consensus-tiny"), consensus_manifest(config), b"")
    return ConsensusSystem(pack, config, familiarity_of_anything(), members)
