"""How doubtful an exam's answer is: what to label next, so that each label teaches the most.

The disagreement of several systems says it best (query by committee: Seung, Opper and Sompolinsky, COLT 1992). The
answer of one system is doubtful when a probability lies near its threshold (uncertainty sampling: Lewis and Gale, SIGIR
1994). The two are no common scale; the first kind comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Doubt:
    """Greater is more doubtful.

    Args:
        of_systems: from the disagreement of several systems.
        value: 0-0.5; the standard deviation of the systems' probabilities, or 0.5 minus the distance of the probability
            that is nearest to its threshold.
        code: the finding that it is about.
    """

    of_systems: bool
    value: float
    code: str

    def text(self) -> str:
        """For a list."""
        return f"{self.code} {self.value:.2f}" if self.of_systems else f"{self.code} {self.value:.2f} (one system)"


def doubt_of(findings: Iterable[Mapping[str, Any]]) -> Doubt | None:
    """The doubt of an answer; None when nothing was looked at.

    Args:
        findings: as findings.json and the review store keep them: code, probability, threshold, doubt.
    """
    known = [finding for finding in findings if finding["probability"] is not None]
    told = [Doubt(True, float(each["doubt"]), each["code"]) for each in known if each["doubt"] is not None]
    if told:
        return max(told)
    near = [
        Doubt(False, max(0.0, 0.5 - abs(each["probability"] - each["threshold"])), each["code"])
        for each in known
        if each["threshold"] is not None
    ]
    return max(near, default=None)


def most_doubtful_first(doubt: Doubt | None) -> tuple[bool, bool, float]:
    """A key to sort by; what was not looked at comes last."""
    return (True, False, 0.0) if doubt is None else (False, not doubt.of_systems, -doubt.value)
