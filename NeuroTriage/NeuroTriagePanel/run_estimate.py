"""How long a run will take: measured on this computer, or said to be a guess. Plain values, no Qt."""

from __future__ import annotations

from collections.abc import Mapping

# Seconds per slice on two free cores without a GPU, before anything was measured here (ours: a rough guess, and said to
# be one; the first run on this computer takes its place).
FIRST_GUESS_S_PER_SLICE = {"consensus": 0.6}
OTHER_GUESS_S_PER_SLICE = 0.3
# How much a new run counts beside those before (ours): the machine's load changes, one run must not decide.
_WEIGHT_OF_NEW = 0.4


def key_of(system: str, device: str) -> str:
    """Under which a measurement is kept."""
    return f"{system}/{device}"


def estimate_text(measured: Mapping[str, float], system: str, device: str, slices: int) -> str:
    """One sentence with the seconds that a run of this many slices will take, and where the figure is from."""
    known = measured.get(key_of(system, device))
    if known is not None:
        return f"About {_told(known * slices)} for {slices} slices, measured on this computer."
    if device != "cpu":
        return "Not measured on this GPU yet; the first run tells."
    guess = FIRST_GUESS_S_PER_SLICE.get(system, OTHER_GUESS_S_PER_SLICE)
    return f"About {_told(guess * slices)} for {slices} slices: a guess, not measured here yet."


def updated(measured: Mapping[str, float], system: str, device: str, slices: int, seconds: float) -> dict[str, float]:
    """The measurements with one more run in them."""
    key, now = key_of(system, device), seconds / max(slices, 1)
    before = measured.get(key, now)
    return {**measured, key: round((1 - _WEIGHT_OF_NEW) * before + _WEIGHT_OF_NEW * now, 4)}


def _told(seconds: float) -> str:
    return f"{max(seconds, 1):.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
