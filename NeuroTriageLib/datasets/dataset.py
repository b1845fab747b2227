"""What every data set offers: its card (licence and citation come first), a check of the folder, and its cases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from .labelled_case import Case

LabelKind = Literal["masks", "masks without types", "slice labels", "exam labels", "boxes"]
NAMES_SHOWN = 3  # in a message about many files; ours


@dataclass(frozen=True)
class DatasetCard:
    """What a user must know before using a data set.

    Args:
        name: what it is called on the command line.
        title: its own name.
        modality: "CT" or "MR".
        labels: kinds of labels that it has.
        licence: in plain words; where the terms are long, where they stand.
        citation: what its authors ask to be cited.
        source: where it is downloaded.
        cases: cases with labels in the whole data set, 0 when that is not published.
    """

    name: str
    title: str
    modality: Literal["CT", "MR"]
    labels: tuple[LabelKind, ...]
    licence: str
    citation: str
    source: str
    cases: int

    def lines(self) -> list[str]:
        """For people: what it is, its licence and what to cite."""
        return [
            f"{self.title} ({self.name}): {self.modality}, {', '.join(self.labels)}",
            f"  licence: {self.licence}",
            f"  cite: {self.citation}",
            f"  from: {self.source}",
        ]


@dataclass(frozen=True)
class CheckReport:
    """What a folder holds.

    Args:
        cases, patients: that can be used.
        errors: what is missing or damaged; those cases are left out.
        warnings: what is odd but can be used, or optional and not there.
    """

    cases: int
    patients: int
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """True when nothing is missing or damaged."""
        return not self.errors

    def lines(self) -> list[str]:
        """For people."""
        found = f"{self.cases} cases of {self.patients} patients can be used."
        return [
            *(f"error: {line}" for line in self.errors),
            *(f"warning: {line}" for line in self.warnings),
            found,
        ]


class Dataset(Protocol):
    """One public data set."""

    card: DatasetCard

    def check(self, path: Path) -> CheckReport:
        """Look at every file's header, not at its voxels. Raises InputError when the folder is another thing."""

    def cases(self, path: Path) -> Iterator[Case]:
        """The complete cases in a fixed order. Raises InputError when the folder is another thing."""


def listed(names: Sequence[str]) -> str:
    """The first names of many: "a, b, c and 9 more"."""
    rest = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def grouped(found: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """(what, name) of many files -> one sentence for each what, with the names."""
    names: dict[str, list[str]] = {}
    for what, name in found:
        names.setdefault(what, []).append(name)
    return tuple(f"{what} ({len(those)}: {listed(those)})" for what, those in names.items())


def report(
    card: DatasetCard, cases: Sequence[Case], errors: Iterable[str], warnings: Iterable[str] = ()
) -> CheckReport:
    """The report of a check; it says when the data set is known to be larger."""
    errors = list(errors)
    if not cases:
        errors.append("No complete case is there.")
    warnings = list(warnings)
    if 0 < len(cases) < card.cases:
        warnings.append(f"The whole data set has {card.cases} cases; {card.cases - len(cases)} of them are not here.")
    return CheckReport(len(cases), len({case.patient for case in cases}), tuple(errors), tuple(warnings))
