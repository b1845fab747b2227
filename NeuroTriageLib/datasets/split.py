"""Which patient trains, which validates, which is kept for the test: by a hash of the patient, the same everywhere."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Literal, Protocol

from ..core.errors import ConfigError

Part = Literal["train", "validation", "test"]


class PatientSplit(Protocol):
    """Which part a patient belongs to."""

    def part_of(self, patient: str) -> Part:
        """The part of a patient. Raises ConfigError without a pseudonym: nothing could keep the parts apart."""

    def to_json(self) -> dict[str, float]:
        """What decides it, for the pack."""


@dataclass(frozen=True)
class Split:
    """Shares of the patients; what is left is kept for the test.

    No list of patients is needed: a patient's part follows from the pseudonym and the seed alone, so that it is the
    same on every machine, in every data set that holds the patient, and when further cases come.

    Args:
        train, validation: shares 0-1 (80/10/10 unless said otherwise; ours).
        seed: another one gives another split.

    Raises:
        ConfigError: shares that cannot be.
    """

    train: float = 0.8
    validation: float = 0.1
    seed: int = 1

    def __post_init__(self) -> None:
        if not (0 < self.train <= 1 and self.validation >= 0 and self.train + self.validation <= 1 + 1e-9):
            raise ConfigError(
                f"The shares of training and validation cannot be {self.train:g} and {self.validation:g}.",
                next_step="Give two numbers from 0 to 1 whose sum is at most 1.",
            )

    def part_of(self, patient: str) -> Part:
        """The part of a patient. Raises ConfigError without a pseudonym: nothing could keep the parts apart."""
        place = place_of(patient, self.seed)
        if place < self.train:
            return "train"
        return "validation" if place < self.train + self.validation else "test"

    def to_json(self) -> dict[str, float]:
        """The shares and the seed."""
        return dataclasses.asdict(self)


def place_of(patient: str, seed: int) -> float:
    """0-1, the same for a patient and a seed everywhere. Raises ConfigError without a pseudonym."""
    if not patient:
        raise ConfigError("A case without a patient cannot be put into a part of a split.")
    digest = hashlib.blake2b(f"{seed}\n{patient}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
