"""Where cases come from: a public data set in a folder, or a review store with the images that it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ConfigError
from .dataset import LabelKind
from .labelled_case import Case
from .registry import open_dataset


@dataclass(frozen=True)
class CaseSource:
    """A set of cases under one name.

    Args:
        name: of the data set; "labels" for a review store.
        modality: "CT" or "MR".
        labels: kinds of labels that its cases may have.
        licence: whose terms bind a model that learned from it.
        cases: opens it; see dataset.Dataset.cases.
        about: lines that are shown before use.
    """

    name: str
    modality: str
    labels: tuple[LabelKind, ...]
    licence: str
    cases: Callable[[], Iterator[Case]]
    about: tuple[str, ...] = ()


def public_source(name: str, path: Path) -> CaseSource:
    """A public data set in a folder. Raises ConfigError for an unknown name."""
    dataset = open_dataset(name)
    card = dataset.card
    return CaseSource(
        card.name, card.modality, card.labels, card.licence, lambda: dataset.cases(path), tuple(card.lines())
    )


def public_sources(named: list[list[str]]) -> tuple[CaseSource, ...]:
    """The data sets that were named as NAME PATH pairs. Raises ConfigError when one is named twice."""
    names = [name for name, _ in named]
    if len(set(names)) < len(names):
        raise ConfigError("A data set was named twice.", where=", ".join(names))
    return tuple(public_source(name, Path(path)) for name, path in named)
