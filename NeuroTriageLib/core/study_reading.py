"""What a system says about a study of several series: a Reading on each series that something is shown on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .findings import QualityFlag, Reading


@dataclass(frozen=True, eq=False)
class StudyReading:
    """One system's answer about a brain MRI.

    Args:
        readings: contrast -> the answer on the voxels of that contrast's series.
        unseen: code -> why it could not be looked at, in a sentence; a code stands here or in one reading.
        asserted: code of a reading -> what it was found without, in a sentence. Its absence would not have been told:
            such an answer counts in no figure.
        heatmaps_kji: contrast -> (K, J, I) float16 0-1 on that contrast's voxels: where the abnormality is, on the
            contrasts that were looked at for it and that no reading stands on.
        flags: what a reader must know about the images that only the preparation tells.
        timings_s: stage -> seconds.
    """

    readings: dict[str, Reading]
    unseen: dict[str, str]
    asserted: dict[str, str] = field(default_factory=dict)
    heatmaps_kji: dict[str, np.ndarray] = field(default_factory=dict)
    flags: tuple[QualityFlag, ...] = ()
    timings_s: dict[str, float] = field(default_factory=dict)
