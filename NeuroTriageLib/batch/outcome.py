"""How an exam of an archive ended: answered, nothing in it to look at, or failed, with its rows for the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

State = Literal["answered", "not_suitable", "failed"]
"""not_suitable: readable, but nothing in it that a system reads. That is no negative exam, and no failure either."""

FINDING_COLUMNS = (
    *("contrast", "code", "system", "status", "probability", "threshold", "volume_ml", "doubt", "agreement"),
)
"""What the table keeps of a finding in findings.json; contrast is "" for CT."""


@dataclass(frozen=True)
class ExamOutcome:
    """One exam's answer, or why there is none.

    Args:
        exam: key of its task.
        state: how it ended.
        findings: rows with FINDING_COLUMNS; empty unless answered.
        seconds: from its headers to its results on disk; None when it was not read to its end.
        error: what is wrong and what to do next, without paths.
        remark: what else is to be said of an answered exam.
        crashes: how often a worker ended while it read this exam.
        ends_batch: the reason concerns every exam (a full disk): the exam stays open, the batch stops.
    """

    exam: str
    state: State
    findings: tuple[dict[str, Any], ...] = ()
    seconds: float | None = None
    error: str = ""
    remark: str = ""
    crashes: int = 0
    ends_batch: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of to_json."""
        return cls(**{**values, "findings": tuple(values["findings"])})


def finding_rows(document: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The rows of a findings.json: the answer's findings on each series, not the single systems' opinions."""
    series = [document, *document.get("further_series", [])]
    return tuple(
        {"contrast": part.get("contrast", ""), **{column: finding[column] for column in FINDING_COLUMNS[1:]}}
        for part in series
        for finding in part["findings"]
    )
