"""Splits of a known list of patients: folds of a cross-validation, or exact shares; every patient is in one part."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import ConfigError, InputError
from .split import Part, place_of


@dataclass(frozen=True)
class ListedSplit:
    """Parts of listed patients.

    Unlike datasets.split.Split it needs the list, and so gives parts of the sizes that were asked for, also of few.

    Args:
        parts: patient -> part.
        rule: what decided it, for the pack.
    """

    parts: Mapping[str, Part]
    rule: Mapping[str, Any]

    def part_of(self, patient: str) -> Part:
        """The part of a patient. Raises ConfigError for one who was not listed."""
        if patient not in self.parts:
            raise ConfigError("The data set holds a patient whom the split does not know.", next_step="Start anew.")
        return self.parts[patient]

    def to_json(self) -> dict[str, Any]:
        """The rule and the number of patients of each part."""
        parts = list(self.parts.values())
        return {**self.rule, "patients": {part: parts.count(part) for part in ("train", "validation", "test")}}


def fold_split(patients: Collection[str], folds: int, fold: int, validation: float, seed: int) -> ListedSplit:
    """One fold of a cross-validation: it is tested, and of the other patients a share validates.

    The best weights, the calibration and the thresholds are chosen by those who validate, never by those who are
    tested.

    Args:
        patients: pseudonyms.
        folds, fold: how many, and which one is tested, from 1.
        validation: share 0-1 of the patients of the other folds who validate; one of them at least.
        seed: another one gives other folds.

    Raises:
        ConfigError: numbers that cannot be. InputError: too few patients.
    """
    if not (folds >= 2 and 1 <= fold <= folds and 0 < validation < 1):
        raise ConfigError(f"Fold {fold} of {folds} with a share of {validation:g} for validation cannot be.")
    order = _in_order(patients, seed)
    _need(len(order), folds + 1)
    others = [patient for n, patient in enumerate(order) if n % folds != fold - 1]
    # The same patients first in every fold would validate nearly always: each fold begins at another place.
    start = (fold - 1) * len(others) // folds
    turned = others[start:] + others[:start]
    validating = set(turned[: max(1, round(validation * len(others)))])
    parts: dict[str, Part] = {p: "validation" if p in validating else "train" for p in others}
    parts |= dict.fromkeys(order[fold - 1 :: folds], "test")
    return ListedSplit(parts, {"folds": folds, "fold": fold, "validation": validation, "seed": seed})


def share_split(patients: Collection[str], train: float, validation: float, seed: int) -> ListedSplit:
    """Shares 0-1 of the patients that train and validate; the others are tested. One at least is in every part.

    Raises:
        ConfigError: shares that cannot be. InputError: too few patients.
    """
    if not (train > 0 and validation > 0 and train + validation < 1):
        raise ConfigError(f"Shares of {train:g} and {validation:g} leave no part for one of training and test.")
    order = _in_order(patients, seed)
    _need(len(order), 3)
    validating = max(1, round(validation * len(order)))
    training = min(max(1, round(train * len(order))), len(order) - validating - 1)
    parts: dict[str, Part] = dict.fromkeys(order[:training], "train")
    parts |= dict.fromkeys(order[training : training + validating], "validation")
    parts |= dict.fromkeys(order[training + validating :], "test")
    return ListedSplit(parts, {"train": train, "validation": validation, "seed": seed})


def _in_order(patients: Collection[str], seed: int) -> list[str]:
    """By a hash of pseudonym and seed: at random, and the same everywhere."""
    return sorted(set(patients), key=lambda patient: (place_of(patient, seed), patient))


def _need(patients: int, wanted: int) -> None:
    if patients < wanted:
        raise InputError(
            f"There are {patients} patients; the protocol needs {wanted} or more.",
            next_step="Add data, or fewer folds.",
        )
