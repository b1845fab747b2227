"""What a listener is told about an exam that was answered or set aside: findings and confidence; never the patient."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .. import __version__
from .site_config import Answer

if TYPE_CHECKING:
    from .outbox import ResultFile

FORMAT = 1
"""Version of the JSON; fields may be added without a new one."""


def notice_payload(exam: sqlite3.Row, answer: Answer, results: Sequence[ResultFile]) -> dict[str, Any]:
    """The JSON of a notice; docs/delivery.md describes every field.

    Args:
        exam: its row of the ledger, with findings; of one that was set aside there are none.
        answer: as a whole.
        results: its DICOM objects.
    """
    name, set_aside = f"{exam['study_uid']}/{exam['revision']}", exam["state"] == "set_aside"
    return {
        "format": FORMAT,
        "event": "exam_set_aside" if set_aside else "exam_answered",
        "notice": f"{name}/set_aside" if set_aside else name,  # another one than that of a later answer
        "study_instance_uid": exam["study_uid"],
        "revision": exam["revision"],
        "source": exam["source"],
        "answer": answer,
        "findings": json.loads(exam["findings"] or "[]"),
        "reason": exam["reason"],
        "first_look_urgency": exam["urgency"],
        "models": json.loads(exam["models"] or "{}"),
        "complete_at": _iso(exam["complete_at"]),
        "answered_at": _iso(exam["answered_at"]),
        "results": [
            {
                "kind": item.kind,
                "sop_class_uid": item.sop_class_uid,
                "series_instance_uid": item.series_uid,
                "sop_instance_uid": item.sop_uid,
            }
            for item in results
        ],
        "software": f"NeuroTriage {__version__}",
    }


def _iso(seconds: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
