"""What a system says about a study of several series: a Reading on each series that something is shown on."""

from __future__ import annotations

from dataclasses import dataclass, field

from .findings import QualityFlag, Reading


@dataclass(frozen=True, eq=False)
class StudyReading:
    """One system's answer about a brain MRI.

    Args:
        readings: contrast -> the answer on the voxels of that contrast's series.
        unseen: code -> why it could not be looked at, in a sentence; a code stands here or in one reading.
        flags: what a reader must know about the images that only the preparation tells.
        timings_s: stage -> seconds.
    """

    readings: dict[str, Reading]
    unseen: dict[str, str]
    flags: tuple[QualityFlag, ...] = ()
    timings_s: dict[str, float] = field(default_factory=dict)
