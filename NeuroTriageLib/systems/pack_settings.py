"""A model pack's settings, checked against the system that wants to use them."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from ..core.errors import ConfigError, ModelError
from ..io.model_packs import ModelPack


class SystemSettings(Protocol):
    """What is needed of a system's config."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Types in label order."""

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Any:
        """The config of plain values; raises ConfigError."""


Settings = TypeVar("Settings", bound=SystemSettings)


def settings_of(pack: ModelPack, system: str, kind: type[Settings]) -> Settings:
    """The pack's settings as the system's config class. Raises ModelError when the pack was made for something else."""
    manifest = pack.manifest
    if manifest.system != system:
        raise ModelError(
            f"The model pack was made for {manifest.system}, not for {system}.",
            where=str(pack.path),
            next_step="Choose a pack of this system.",
        )
    try:
        config: Settings = kind.from_json(manifest.config)
    except ConfigError as error:
        raise ModelError(f"The model pack's settings are wrong. {error.what}", where=str(pack.path)) from error
    if config.codes != manifest.codes:
        raise ModelError("The model pack's codes and its settings disagree.", where=str(pack.path))
    return config
