"""The first look at an exam that waits: how urgent it seems, in about a second. It orders the queue and is no answer.

One system of the consensus looks at some slices of the head CT, one for each slab of its grid. How well that ranks
exams, and what it costs, is measured by Testing/Benchmarks/first_look.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.codes import ANY
from ..core.errors import NeuroTriageError
from ..core.study import Series
from ..io.inputs import open_input, read_volume
from .exam_queue import UNKNOWN_URGENCY

SYSTEM = "kuo2019"
"""Catalog key of the quickest system that answers "any"."""

STEP_MM = 5.0
"""Slices nearer than this are left out (ours: the slab thickness that the system works with)."""


@dataclass(frozen=True)
class FirstLook:
    """What was seen.

    Args:
        urgency: 0-1, calibrated probability of any bleeding; UNKNOWN_URGENCY when it could not look.
        reason: why it could not look, "" otherwise.
    """

    urgency: float
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """What the ledger keeps."""
        if self.reason:
            return {"could_not_look": self.reason}
        return {"system": SYSTEM, "code": ANY, "probability": round(self.urgency, 4)}


def look(paths: Sequence[Path], system: Any) -> FirstLook:
    """Look at the head CT among the files; whatever keeps it from doing so is told, and is no failure."""
    from ..pipeline import choose_study

    try:
        with open_input(paths) as studies:
            _, selection = choose_study(studies, study_uid=None, series=None)
            assert selection.series is not None
            volume, _ = read_volume(thinned(selection.series))
        return FirstLook(float(system.read(volume).probability[ANY]))
    except NeuroTriageError as error:
        return FirstLook(UNKNOWN_URGENCY, error.what)


def thinned(series: Series) -> Series:
    """The series with every n-th slice, so that they are STEP_MM apart or a little less; as it is when they are."""
    heights = _heights_mm(series)
    if heights is None:
        return series
    order = np.argsort(heights)
    step = slice_step(float(np.median(np.diff(heights[order]))) if len(order) > 1 else 0.0)
    if step == 1:
        return series
    return replace(series, instances=tuple(series.instances[index] for index in order[::step]))


def slice_step(spacing_mm: float) -> int:
    """Every how many-th slice is looked at."""
    return max(1, int(STEP_MM / spacing_mm + 1e-3)) if spacing_mm > 0 else 1


def _heights_mm(series: Series) -> np.ndarray | None:
    """(K,) where each slice lies along the normal of the first; None when the headers do not say it for each."""
    try:
        places = np.array([item.header["ImagePositionPatient"] for item in series.instances], float)
        directions = np.array(series.instances[0].header["ImageOrientationPatient"], float)
        return places @ np.cross(directions[:3], directions[3:])
    except (KeyError, ValueError, TypeError, IndexError):
        return None
