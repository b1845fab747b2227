"""From a checkpoint of Nael 2021 to a model pack."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..networks.lfe_classifier import LfeClassifier, build_networks
from ..systems.nael2021_config import Nael2021Config
from .nael2021_bank import StudyEntry
from .nael2021_card import NAEL_2021
from .nael2021_validation import validate
from .pack_export import AssessedModel, PackExport, as_stored, kept_tensors

INTENDED_USE = (
    "Research on triage of brain MRI of adults, for the findings that the pack has networks for. Not for diagnosis. "
    "Trained on simulated images only; its probabilities are calibrated for simulated studies."
)


def view_of(config: Nael2021Config) -> Callable[[StudyEntry], StudyEntry]:
    """What the training keeps of a bank's study: where it lies and what is in it."""
    return lambda entry: entry


def kept_networks(state: dict[str, Any], config: Nael2021Config) -> dict[str, LfeClassifier]:
    """The best validated weights of a checkpoint, or the latest ones; rounded as a pack stores them."""
    networks = build_networks(config.layers)
    weights = kept_tensors(state, "average" if state["training"]["recipe"]["average_decay"] > 0 else "network")
    torch.nn.ModuleDict(networks).load_state_dict({name: as_stored(name, value) for name, value in weights.items()})
    return networks


def assess(state: dict[str, Any], config: Nael2021Config, exams: Sequence[StudyEntry]) -> AssessedModel:
    """The kept networks on the validation studies; the pixel thresholds are those with the largest Dice there."""
    networks = kept_networks(state, config)
    validation = validate(networks, exams, config, config.codes)
    config = dataclasses.replace(config, pixel_threshold=validation.best_pixel_threshold())
    validation = dataclasses.replace(validation, pixel_threshold=config.pixel_threshold)
    return AssessedModel(config, torch.nn.ModuleDict(networks).state_dict(), validation)


export_pack = PackExport(
    "nael2021", Nael2021Config, view_of, assess, NAEL_2021, read=StudyEntry.read, intended_use=INTENDED_USE
)
"""See PackExport."""
