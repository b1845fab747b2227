"""Settings of the consensus: its members, their weights, the rule for the mask, the limit of familiarity; no torch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from ..core.codes import ANY, CT_HEMORRHAGE_CODES
from ..core.errors import ConfigError


@dataclass(frozen=True)
class ConsensusMember:
    """One system with the pack whose opinions the weights were fitted on.

    Args:
        system: catalog key.
        pack: name of the model pack.
        sha256: of its weights file; other weights would need other figures.
    """

    system: str
    pack: str
    sha256: str


@dataclass(frozen=True)
class GridSettings:
    """The grid that an exam is prepared on; exams prepared alike serve several systems.

    Args:
        pixel_spacing_mm, image_size, slab_mm: as in every system's settings.
        window_hu: of image_shw, which nothing here looks at.
    """

    pixel_spacing_mm: float
    image_size: int
    slab_mm: float
    window_hu: tuple[float, float] = (-20.0, 120.0)

    @classmethod
    def of(cls, config: Any) -> GridSettings:
        """The grid of any system's settings."""
        return cls(config.pixel_spacing_mm, config.image_size, config.slab_mm)


@dataclass(frozen=True)
class ConsensusConfig:
    """Everything that fixes how several answers become one; fitted by training/consensus_training.py.

    Args:
        codes: hemorrhage types in label order.
        members: the systems, in the order in which they read.
        weights: code ("any" and each type) -> system -> weight of its log odds, 0 or positive, summing to 1.
        mask_weights: system that segments -> weight of its probability map, summing to 1; empty when none segments.
        pixel_threshold: mask where the weighted mean probability of any hemorrhage is at least this.
        familiarity_threshold: highest distance of an exam that is answered (preprocessing/familiarity.py).
        pixel_spacing_mm, image_size, slab_mm: grid on which familiarity is measured.
    """

    codes: tuple[str, ...]
    members: tuple[ConsensusMember, ...]
    weights: dict[str, dict[str, float]]
    mask_weights: dict[str, float]
    pixel_threshold: float
    familiarity_threshold: float
    pixel_spacing_mm: float
    image_size: int
    slab_mm: float

    def __post_init__(self) -> None:
        systems = [member.system for member in self.members]
        if not systems or len(set(systems)) != len(systems):
            raise ConfigError("A consensus needs at least one member, and each system once.")
        if not set(self.codes) <= set(CT_HEMORRHAGE_CODES) or set(self.weights) != {ANY, *self.codes}:
            raise ConfigError("weights must hold one entry for any and for each type.")
        for values in (*self.weights.values(), self.mask_weights):
            _check_weights(values, systems)
        if not 0 < self.pixel_threshold < 1:
            raise ConfigError("pixel_threshold must lie between 0 and 1.")
        if not all(value > 0 for value in (self.familiarity_threshold, self.pixel_spacing_mm, self.slab_mm)):
            raise ConfigError("familiarity_threshold, pixel_spacing_mm and slab_mm must be positive.")
        if self.image_size < 1:
            raise ConfigError("image_size must be positive.")

    @property
    def grid(self) -> GridSettings:
        """The grid on which familiarity is measured."""
        return GridSettings.of(self)

    def to_json(self) -> dict[str, Any]:
        """Plain values for pack.json."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ConsensusConfig:
        """The inverse of to_json. Raises ConfigError for an unknown or missing key or a value of the wrong kind."""
        names = {entry.name for entry in dataclasses.fields(cls)}
        if values.keys() != names:
            wrong = sorted(values.keys() ^ names)
            raise ConfigError(f"Settings of the consensus that are unknown or missing: {', '.join(wrong)}.")
        try:
            return cls(
                codes=tuple(map(str, values["codes"])),
                members=tuple(ConsensusMember(**{k: str(v) for k, v in item.items()}) for item in values["members"]),
                weights={code: _numbers(item) for code, item in values["weights"].items()},
                mask_weights=_numbers(values["mask_weights"]),
                pixel_threshold=float(values["pixel_threshold"]),
                familiarity_threshold=float(values["familiarity_threshold"]),
                pixel_spacing_mm=float(values["pixel_spacing_mm"]),
                image_size=int(values["image_size"]),
                slab_mm=float(values["slab_mm"]),
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"A setting of the consensus is of the wrong kind: {error}.") from error


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    return {str(system): float(value) for system, value in values.items()}


def _check_weights(values: dict[str, float], systems: list[str]) -> None:
    if not set(values) <= set(systems):
        raise ConfigError("A weight belongs to no member of the consensus.")
    if any(not math.isfinite(value) or value < 0 for value in values.values()):
        raise ConfigError("The weights must be 0 or positive.")
    if values and not math.isclose(sum(values.values()), 1.0, abs_tol=1e-3):
        raise ConfigError("The weights of each entry must sum to 1.")
