"""A very small nael2021 pack with random weights, and MR images of the phantom head on grids of any orientation."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.mr_images import CONTRASTS, MrImage
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.io.model_packs import Calibration, PackManifest, save_model_pack
from NeuroTriageLib.networks.lfe_classifier import LfeClassifier, build_networks
from NeuroTriageLib.systems.nael2021_config import COMPACT, Nael2021Config
from Testing.Lib.mr_phantom import SHAPE, TISSUES, grid, head

CONFIG = dataclasses.replace(COMPACT, in_plane=32, depth=16, width=0.25)
PHANTOM_OF = {"T2star": "T2", "SWI": "T2", "T1_sagittal": "T1", "T1post_sagittal": "T1"}
"""Which of the phantom's contrasts stands for one that it does not have."""


def manifest(config: Nael2021Config = CONFIG, **changes: Any) -> PackManifest:
    """Without calibration, thresholds of one half."""
    values: dict[str, Any] = {
        "name": "tiny-nael2021", "version": "1", "system": "nael2021", "config": config.to_json(),
        "codes": config.codes, "operating_points": dict.fromkeys(config.codes, 0.5),
        "calibration": dict.fromkeys(config.codes, Calibration()), "training": {"data": "none"}, "metrics": {},
        "licence": "Apache-2.0", "intended_use": "tests",
    }  # fmt: skip
    return PackManifest(**(values | changes))


def save(folder: Path, config: Nael2021Config = CONFIG, **changes: Any) -> Path:
    """Write the pack; `changes` go into its manifest."""
    torch.manual_seed(0)
    networks = build_networks(config.layers)
    for network in networks.values():
        _settle(network)
    save_model_pack(folder, manifest(config, **changes), torch.nn.ModuleDict(networks).state_dict())
    return folder


@torch.no_grad()
def _settle(network: LfeClassifier) -> None:
    """Give the batch norms the statistics of noise, so that random weights answer differently from place to place."""
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm3d)]
    for norm in norms:
        norm.momentum = 1.0
    contrasts = network.settings.axial
    network.localization.train()(torch.rand(2, contrasts, 8, 32, 32), torch.ones(2, contrasts, dtype=torch.bool))


def image(contrast: str, where: SliceGrid | None = None, array: np.ndarray | None = None) -> MrImage:
    """The phantom head in one contrast; ADC in 1e-3 mm2/s."""
    drawn = head(PHANTOM_OF.get(contrast, contrast)) if array is None else array
    own = grid(drawn.shape) if where is None else where
    return MrImage(contrast, Volume(drawn, own, modality="MR"), 1e-3 if contrast == "ADC" else None)


def sagittal_image(contrast: str) -> MrImage:
    """The phantom head in sagittal slices of the same voxels."""
    axial = head(PHANTOM_OF.get(contrast, contrast))  # (k up, j back, i left)
    turned = axial.transpose(2, 0, 1)  # (i left, k up, j back): slices, rows, columns
    spacing = grid(SHAPE)
    affine = np.eye(4)
    lengths = np.array([spacing.spacing_j_mm, float(spacing.slice_spacings_mm[0]), spacing.spacing_i_mm])
    affine[:3, :3] = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]) * lengths
    return image(contrast, SliceGrid.from_affine(turned.shape, affine), np.ascontiguousarray(turned))


def study(contrasts: tuple[str, ...] = CONTRASTS) -> dict[str, MrImage]:
    """A whole study of the phantom."""
    return {
        name: sagittal_image(name) if name.endswith("_sagittal") else image(name)
        for name in contrasts
    }  # fmt: skip


assert set(PHANTOM_OF.values()) <= TISSUES.keys()
