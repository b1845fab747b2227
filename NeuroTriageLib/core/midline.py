"""Midline shift as it is handed on: the three points that a reader places, and the distance with its side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Point = tuple[float, float, float]
"""LPS millimetres."""

Side = Literal["left", "right"]

FLAGGED_ABOVE_MM = 5.0
"""Above it an acute subdural hematoma is evacuated whatever the coma score (Bullock 2006, Neurosurgery 58:S2-16)."""

ORIGIN_WORDS = {"reader": "placed by the reader"}


@dataclass(frozen=True)
class MidlinePoints:
    """What midline shift is measured between.

    Args:
        anterior_lps_mm, posterior_lps_mm: where the falx is attached in front and behind; the ideal midline runs
            between them.
        septum_lps_mm: the septum pellucidum, or the midline structure that is displaced most.
    """

    anterior_lps_mm: Point
    posterior_lps_mm: Point
    septum_lps_mm: Point

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> MidlinePoints:
        """The inverse of dataclasses.asdict, also after JSON made lists of the tuples. Raises TypeError, ValueError."""
        return cls(**{name: _point(value) for name, value in values.items()})


@dataclass(frozen=True)
class MidlineShift:
    """Distance of the septum from the ideal midline; measurements/midline_shift.py measures it.

    Args:
        points: between which it was measured.
        shift_mm: 0 or more.
        side: of the patient to which the septum is displaced; None when the distance is 0.0 to one decimal.
        foot_lps_mm: where the perpendicular from the septum meets the ideal midline's plane.
        key_slice: index k (from 0) of the slice of the series that holds all three points; None when none does.
        caveat: a sentence where the points' places make the figure doubtful, "" otherwise.
        origin: who placed the points.
    """

    points: MidlinePoints
    shift_mm: float
    side: Side | None
    foot_lps_mm: Point
    key_slice: int | None
    caveat: str = ""
    origin: Literal["reader"] = "reader"

    @property
    def flagged(self) -> bool:
        """True above FLAGGED_ABOVE_MM."""
        return self.shift_mm > FLAGGED_ABOVE_MM

    @property
    def leftward_mm(self) -> float:
        """The shift with a sign: positive to the patient's left."""
        return -self.shift_mm if self.side == "right" else self.shift_mm

    @property
    def size_words(self) -> str:
        """Distance and side: "6.2 mm to the left"."""
        return f"{self.shift_mm:.1f} mm" + (f" to the {self.side}" if self.side else "")

    @property
    def words(self) -> str:
        """The same with origin and flag: "6.2 mm to the left (placed by the reader), above 5 mm"."""
        above = f", above {FLAGGED_ABOVE_MM:g} mm" if self.flagged else ""
        return f"{self.size_words} ({ORIGIN_WORDS[self.origin]}){above}"

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> MidlineShift:
        """The inverse of dataclasses.asdict, also after JSON. Raises KeyError, TypeError or ValueError."""
        points, foot = MidlinePoints.from_plain(values["points"]), _point(values["foot_lps_mm"])
        return cls(**{**values, "points": points, "foot_lps_mm": foot})


def _point(value: Any) -> Point:
    x, y, z = (float(part) for part in value)
    return x, y, z
