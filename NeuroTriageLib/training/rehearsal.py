"""What a fine-tuned model goes on seeing of what it knew: how many simulated exams, how often beside a site's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..datasets.split import Split
from .exam_bank import ExamBank, View

FINE_TUNING_SPLIT = Split(0.65, 0.1)
"""A site's patients: a quarter is kept for the comparison of the models, of which few exams say little (ours)."""

REHEARSED_EXAMS = 120
"""Simulated exams beside a site's own unless the user names a number (ours: about 4 minutes of one core)."""

SOURCE_SHARE = 0.5
"""Of the training exams that are drawn come from the site, however few it has (ours; docs/fine_tuning.md)."""

MOST_REPEATS = 20
"""An exam is not drawn more often than this for each time that a simulated one is (ours)."""


def repeats(sources: int, simulated: int, share: float = SOURCE_SHARE) -> int:
    """How often each exam of a source stands in a bank beside simulated ones, so that it makes up its share."""
    if not sources or not simulated:
        return 1
    wanted = share / (1.0 - share) * simulated / sources
    return int(np.clip(round(wanted), 1, MOST_REPEATS))


class RehearsedBank(ExamBank[View]):
    """A bank in which every exam of a source stands several times beside the simulated ones.

    Args:
        bank: what it is in place of.
        times: how often.
        alternating: exams of sources and simulated ones take turns, so that the first ones are of both kinds. For
            validation alone: the order changes when exams come.
    """

    def __init__(self, bank: ExamBank[View], times: int, *, alternating: bool = False) -> None:
        super().__init__(bank.folder, bank.view, bank.read)
        self.times, self.alternating = times, alternating
        self._of_sources: list[View] = []
        self._simulated: list[View] = []

    def take(self, names: Sequence[str]) -> int:
        """Load these exams, which are new; returns how many."""
        for name in names:
            super().take([name])
            self._place(name, self.exams[-1])
        if self.alternating:
            self.exams = _in_turn(self._of_sources * self.times, self._simulated)
        return len(names)

    def _place(self, name: str, exam: View) -> None:
        if not is_of_source(name):
            self._simulated.append(exam)
            return
        self._of_sources.append(exam)
        if not self.alternating:
            self.exams += [exam] * (self.times - 1)


def _in_turn(first: list[View], second: list[View]) -> list[View]:
    common = min(len(first), len(second))
    turns = [exam for pair in zip(first, second, strict=False) for exam in pair]
    return [*turns, *first[common:], *second[common:]]


def is_of_source(name: str) -> bool:
    """True for an exam that came from a data set or a store; simulated ones are called by their number."""
    return not name.removesuffix(".npz").isdigit()


def rehearsed(bank: ExamBank[View], simulated: int, *, alternating: bool = False) -> ExamBank[View]:
    """The bank with its sources' exams as often as they need to be beside so many simulated ones.

    alternating: see RehearsedBank.
    """
    sources = sum(is_of_source(path.name) for path in bank.folder.glob("*.npz"))
    return RehearsedBank(bank, repeats(sources, simulated), alternating=alternating) if sources else bank
