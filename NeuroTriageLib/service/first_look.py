"""The first look at an exam that waits: how urgent it seems, in seconds. It orders the queue and is no answer.

One system of the consensus looks at some slices of the head CT, one for each slab of its grid. How well that ranks
exams, and what it costs, is measured by Testing/Benchmarks/first_look.py. Of a brain MRI the system for MRI sees the
contrasts that acute findings cannot do without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.codes import ABNORMAL, ANY
from ..core.errors import NeuroTriageError, SeriesSelectionError
from ..core.study import Series, Study
from ..io.inputs import open_input, read_volume
from ..series_selection.mr_study_images import NEEDED, read_images
from .exam_queue import UNKNOWN_URGENCY

SYSTEM = "kuo2019"
"""Catalog key of the quickest system that answers "any"."""

STEP_MM = 5.0
"""Slices nearer than this are left out (ours: the slab thickness that the system works with)."""


@dataclass(frozen=True)
class FirstLook:
    """What was seen.

    Args:
        urgency: 0-1, calibrated probability of what is urgent; UNKNOWN_URGENCY when it could not look.
        reason: why it could not look, "" otherwise.
        system: catalog key of the system that looked.
        code: what it is the probability of.
    """

    urgency: float
    reason: str = ""
    system: str = SYSTEM
    code: str = ANY

    def to_json(self) -> dict[str, Any]:
        """What the ledger keeps."""
        if self.reason:
            return {"could_not_look": self.reason}
        return {"system": self.system, "code": self.code, "probability": round(self.urgency, 4)}


def look(paths: Sequence[Path], ct: Callable[[], Any], mr: Callable[[], Any]) -> FirstLook:
    """Look at the head CT among the files, or else at the brain MRI; what keeps it from doing so is told, no failure.

    Args:
        paths: the exam's files.
        ct, mr: give the system for head CT and the one for brain MRI; called only when there is something for it.
    """
    from ..pipeline import choose_study

    try:
        with open_input(paths) as studies:
            try:
                _, selection = choose_study(studies, study_uid=None, series=None)
            except SeriesSelectionError as no_ct:
                return _look_at_mr(studies, mr, no_ct)
            assert selection.series is not None
            volume, _ = read_volume(thinned(selection.series))
        return FirstLook(float(ct().read(volume).probability[ANY]))
    except NeuroTriageError as error:
        return FirstLook(UNKNOWN_URGENCY, error.what)


def _look_at_mr(studies: tuple[Study, ...], mr: Callable[[], Any], no_ct: SeriesSelectionError) -> FirstLook:
    """The most probable acute finding. Raises NeuroTriageError when nobody can look."""
    from ..pipeline import Choices, choose_mr

    choice = choose_mr(studies, None, Choices(contrasts=NEEDED))
    if choice is None:
        raise no_ct
    system = mr()
    answer = system.read_study(read_images(choice).images)
    seen = {
        code: float(probability)
        for reading in answer.readings.values()
        for code, probability in reading.probability.items()
        if code != ABNORMAL
    }
    if not seen:
        return FirstLook(UNKNOWN_URGENCY, "No acute finding could be looked for in the brain MRI.")
    code = max(seen, key=lambda each: seen[each])
    return FirstLook(seen[code], system=system.name, code=code)


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
