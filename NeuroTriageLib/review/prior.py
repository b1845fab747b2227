"""An exam beside an earlier one of the same patient: change of volume, and whether it counts as expansion."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from ..core.codes import ANY
from ..core.errors import ConfigError, GeometryError
from ..core.geometry import SliceGrid
from ..core.midline import MidlineShift
from .live_measurements import segment_volumes_ml

# Expansion of a parenchymal hematoma: growth of more than 6 mL or more than 33 % (PREDICT: Demchuk 2012, Lancet
# Neurology 11:307, primary outcome).
EXPANDED_ABOVE_ML = 6.0
EXPANDED_ABOVE_PERCENT = 33.0

SAMPLES_PER_AXIS = 24
"""Points along each axis at which two fields of view are compared (ours)."""


@dataclass(frozen=True, eq=False)
class TimedExam:
    """A mask, whose it is and when.

    Args:
        label_kji: (K, J, I) uint8 in the values of labels.SEGMENT_CODES.
        grid: its grid.
        patient_key: the same text for the same patient; "" when unknown.
        acquired: when the images were made; None when unknown.
    """

    label_kji: np.ndarray
    grid: SliceGrid
    patient_key: str
    acquired: datetime | None = None


@dataclass(frozen=True)
class VolumeChange:
    """One finding in two exams.

    Args:
        prior_ml, current_ml: volumes.
        change_ml: current - prior.
        change_percent: of the prior volume; None when that was 0.
        expanded: more than 6 mL or 33 % of growth; the criteria were established for parenchymal hemorrhage.
        hours: from the prior to the current exam; None when unknown.
    """

    code: str
    prior_ml: float
    current_ml: float
    change_ml: float
    change_percent: float | None
    expanded: bool
    hours: float | None


def compare_with_prior(
    current: TimedExam, prior: TimedExam, *, same_patient_confirmed: bool = False
) -> dict[str, VolumeChange]:
    """Code -> change, for "any" and every type that either exam holds.

    Volumes are compared, not places: the exams need no registration.

    Args:
        current, prior: the two exams.
        same_patient_confirmed: the user says that the patient is the same although one of the keys is unknown.

    Raises:
        ConfigError: not the same patient, or nobody knows; or the "prior" exam is the later one.
        GeometryError: the two stacks show no common place.
    """
    _check_patient(current, prior, same_patient_confirmed)
    if not _overlap(current.grid, prior.grid):
        raise GeometryError(
            "The two exams show no common place; their volumes cannot be compared.", next_step="Choose another prior."
        )
    hours = None
    if current.acquired is not None and prior.acquired is not None:
        hours = (current.acquired - prior.acquired).total_seconds() / 3600
        if hours < 0:
            raise ConfigError("The prior exam is later than the current one.", next_step="Exchange the two.")
    before, after = segment_volumes_ml(prior.label_kji, prior.grid), segment_volumes_ml(current.label_kji, current.grid)
    return {
        code: volume_change(code, before.get(code, 0.0), after.get(code, 0.0), hours)
        for code in dict.fromkeys((ANY, *before, *after))
    }


def volume_change(code: str, prior_ml: float, current_ml: float, hours: float | None = None) -> VolumeChange:
    """The change between two volumes in mL."""
    change_ml = current_ml - prior_ml
    percent = 100 * change_ml / prior_ml if prior_ml > 0 else None
    expanded = change_ml > EXPANDED_ABOVE_ML or (percent is not None and percent > EXPANDED_ABOVE_PERCENT)
    return VolumeChange(code, prior_ml, current_ml, change_ml, percent, expanded, hours)


def midline_change_words(now: MidlineShift | None, before: MidlineShift | None) -> str:
    """How midline shift changed, as a sentence with its millimetres; "" when it was measured in neither exam."""
    if now is None or before is None:
        missing = "this exam" if now is None else "the prior exam"
        return "" if now is before else f"Midline shift was not measured in {missing}."
    change = f"{now.shift_mm - before.shift_mm:+.1f} mm"
    if now.side and before.side and now.side != before.side:
        change = f"{abs(now.leftward_mm - before.leftward_mm):.1f} mm to the other side"
    return f"Midline shift {now.size_words}, was {before.size_words} ({change})."


def _check_patient(current: TimedExam, prior: TimedExam, confirmed: bool) -> None:
    known = bool(current.patient_key and prior.patient_key)
    if known and current.patient_key != prior.patient_key:
        raise ConfigError("The prior exam is another patient's.", next_step="Choose a prior of the same patient.")
    if not known and not confirmed:
        raise ConfigError(
            "It is not known whether both exams are the same patient's.", next_step="Confirm it if you are sure."
        )


def _overlap(one: SliceGrid, other: SliceGrid) -> bool:
    """True when a point of either stack lies in the other."""
    return _reaches_into(one, other) or _reaches_into(other, one)


def _reaches_into(one: SliceGrid, other: SliceGrid) -> bool:
    axes = [np.linspace(-0.5, n - 0.5, SAMPLES_PER_AXIS) for n in one.shape_kji[::-1]]
    points_ijk = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    found = other.lps_to_voxel(one.voxel_to_lps(points_ijk))
    return bool(((found >= -0.5) & (found <= np.array(other.shape_kji[::-1]) - 0.5)).all(axis=1).any())
