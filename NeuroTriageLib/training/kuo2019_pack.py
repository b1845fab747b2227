"""From a checkpoint of Kuo 2019 to a model pack."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from ..networks.patchfcn import PatchFcn
from ..systems.kuo2019_config import Kuo2019Config
from .dense_validation import validate
from .exam_bank import BankExam
from .kuo2019_card import KUO_2019
from .pack_export import AssessedModel, PackExport, as_stored, kept_tensors
from .windowed_exam import WindowedExam


def view_of(config: Kuo2019Config) -> Callable[[BankExam], WindowedExam]:
    """What PatchFCN keeps of a bank's exam."""
    return partial(WindowedExam.of, window_hu=config.window_hu)


def kept_network(state: dict[str, Any], config: Kuo2019Config) -> PatchFcn:
    """The best validated weights of a checkpoint, or the latest ones; rounded as a pack stores them."""
    weights = kept_tensors(state, "average")
    network = PatchFcn(len(config.codes), config.width, config.slices, config.patch_sharpness)
    network.load_state_dict({name: as_stored(name, value) for name, value in weights.items()})
    return network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def assess(state: dict[str, Any], config: Kuo2019Config, exams: Sequence[WindowedExam]) -> AssessedModel:
    """The kept network on the validation exams; the pixel threshold is fitted when the recipe says so."""
    network = kept_network(state, config)
    validation = validate(network, exams, config, bfloat16=False)
    if state["training"].get("recipe", {}).get("fit_pixel_threshold"):
        threshold = validation.best_pixel_threshold()
        config = dataclasses.replace(config, pixel_threshold=threshold)
        validation = dataclasses.replace(validation, pixel_threshold=threshold)
    return AssessedModel(config, network.state_dict(), validation)


export_pack = PackExport("kuo2019", Kuo2019Config, view_of, assess, KUO_2019)
"""See PackExport."""
