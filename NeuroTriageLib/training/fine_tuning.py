"""Going on from a model pack: its weights, a lower learning rate, and where they came from in the new pack."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from ..core.errors import ModelError
from ..io.model_packs import ModelPack
from .training_run import Trainer

RATE_SHARE = 0.1
"""Of the recipe's learning rates: weights that are good already must not be thrown far (ours)."""


def gentle(recipe: Any) -> Any:
    """The recipe at RATE_SHARE of its learning rates, whether they stand in its stages or once for all."""
    names = {field.name for field in dataclasses.fields(recipe)}
    if "learning_rate" in names:
        return dataclasses.replace(recipe, learning_rate=RATE_SHARE * recipe.learning_rate)
    stages = tuple(
        dataclasses.replace(stage, learning_rate=RATE_SHARE * stage.learning_rate) for stage in recipe.stages
    )
    return dataclasses.replace(recipe, stages=stages)


def suited(recipe: Any, config: Any) -> Any:
    """The recipe without the stages of findings that the settings have no network for (Nael 2021)."""
    stages = getattr(recipe, "stages", ())
    kept = [stage for stage in stages if getattr(stage, "code", None) in (None, *config.codes)]
    if len(kept) == len(stages):
        return recipe
    whole = sum(stage.share for stage in kept)
    return dataclasses.replace(recipe, stages=tuple(dataclasses.replace(s, share=s.share / whole) for s in kept))


def tuned_name(name: str) -> str:
    """The name of the pack that comes of one of this name: kuo2019-compact, kuo2019-compact-local-1, -local-2, ..."""
    stem, _, number = name.rpartition("-local-")
    return f"{stem}-local-{int(number) + 1}" if stem and number.isdigit() else f"{name}-local-1"


def settings_to_go_on(pack: ModelPack, system: str, settings: Any) -> Any:
    """The pack's own settings, as an object of the system's class. Raises ModelError for a pack of another system."""
    _need_system(pack, system)
    return settings.from_json(pack.manifest.config)


def start_from(trainer: Trainer, pack: ModelPack, system: str) -> dict[str, Any]:
    """Put a pack's weights into a trainer; returns what the new pack says about it.

    That is its identity and what it learned from in its turn: terms of use and splits of patients are inherited.

    Raises:
        ModelError: a pack of another system or of another variant.
    """
    _need_system(pack, system)
    try:
        trainer.start_from({name: torch.from_numpy(value.copy()) for name, value in pack.weights().items()})
    except RuntimeError as error:
        raise ModelError(
            "The pack's network has another shape than the variant that is trained.",
            where=str(pack.path),
            next_step="Choose the pack's own variant with --variant.",
        ) from error
    identity = pack.identity
    told = pack.manifest.training
    inherited = {name: told[name] for name in ("sources", "split", "started_from") if name in told}
    return {"name": identity.name, "version": identity.version, "sha256": identity.sha256} | inherited


def _need_system(pack: ModelPack, system: str) -> None:
    if pack.manifest.system != system:
        raise ModelError(
            f"The pack is one of {pack.manifest.system}; {system} cannot go on from it.", where=str(pack.path)
        )
