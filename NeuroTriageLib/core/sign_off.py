"""What a reader said about an exam: status, decisions on findings, and how far the mask was changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Decision = Literal["accept", "edit", "reject"]
"""On one finding: as the model drew it, drawn or found otherwise, or no hemorrhage."""

ReviewStatus = Literal["draft", "flagged", "approved"]


@dataclass(frozen=True)
class Difference:
    """A reader's mask of one finding beside the model's.

    Args:
        dice: 2 |A and B| / (|A| + |B|) by volume, 0-1; None when both are empty.
        model_ml, reader_ml: their volumes.
        added_ml, removed_ml: what the reader drew beyond the model, and what was taken away.
    """

    dice: float | None
    model_ml: float
    reader_ml: float
    added_ml: float
    removed_ml: float

    @property
    def changed(self) -> bool:
        """True when any voxel differs."""
        return self.added_ml > 0 or self.removed_ml > 0


@dataclass(frozen=True)
class Review:
    """A reader's word on an exam, as reports show it.

    Args:
        reader: initials or a role; never a patient.
        status: of the version.
        created_utc: "YYYY-MM-DDThh:mm:ssZ".
        version: number of the version in the review store.
        seconds_spent: time at the exam.
        decisions: code -> what the reader decided; codes without a decision were left as they were.
        difference: code -> mask beside the model's, "any" included; None when the model drew none.
        confidence: 1 (unsure) to 5 (sure); None when not said.
        comment: free text.
    """

    reader: str
    status: ReviewStatus
    created_utc: str
    version: int
    seconds_spent: float = 0.0
    decisions: dict[str, Decision] = field(default_factory=dict)
    difference: dict[str, Difference] | None = None
    confidence: int | None = None
    comment: str = ""
