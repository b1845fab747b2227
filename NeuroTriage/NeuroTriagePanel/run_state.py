"""Where a run stands, as plain values: phase, share done, time left, what the user is told. No Qt, no scene."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal

from NeuroTriageLib.core.findings import ExamResult

from .findings_rows import summary

Tone = Literal["neutral", "good", "attention", "problem"]


class Phase(Enum):
    """What the one button does next: IDLE starts a run, RUNNING cancels it."""

    IDLE = "idle"
    RUNNING = "running"


@dataclass(frozen=True)
class Stage:
    """One step of the worker.

    Args:
        text: what the user reads.
        share: estimated part of a whole run's time on 40 slices and two cores (ours).
    """

    text: str
    share: float


STAGES: dict[str, Stage] = {
    "start": Stage("Starting", 0.10),
    "model": Stage("Loading the model", 0.12),
    "quality": Stage("Checking the images", 0.03),
    "prepare": Stage("Finding the brain", 0.20),
    "network": Stage("Looking for blood", 0.42),
    "decode": Stage("Drawing the findings", 0.06),
    "measurements": Stage("Measuring", 0.03),
    "writing": Stage("Handing it over", 0.02),
    "show": Stage("Filling the scene", 0.02),
}
"""Stages by the worker's names, in their order; "start" and "show" are the panel's own."""

# Before this share is done, the time left is not worth guessing (ours).
ESTIMATE_FROM = 0.25


@dataclass(frozen=True)
class Notice:
    """What the user is told: one sentence or two, how it is toned, and which buttons would help."""

    text: str = ""
    tone: Tone = "neutral"
    offers_install: bool = False
    offers_accept: bool = False

    @classmethod
    def of_result(cls, result: ExamResult, seconds: float) -> Notice:
        """What came out of a run, on which device and how fast."""
        found = any(finding.present for finding in result.findings)
        could_look = any(finding.present is not None for finding in result.findings)
        tone: Tone = "attention" if found else "good" if could_look else "problem"
        refused = not could_look and result.familiarity is not None and not result.familiarity.is_familiar
        text = f"{summary(result)} ({seconds:.0f} s, {result.device})"
        return cls(text, tone, offers_accept=refused)


@dataclass(frozen=True)
class RunState:
    """One run.

    Args:
        phase: see Phase.
        run: number of the run; events of other runs are not ours.
        stage_text: what is being done.
        share_done: 0-1 of the whole run, never falling.
        started_s: clock at the start.
        notice: the last thing that the user was told.
    """

    phase: Phase = Phase.IDLE
    run: int = 0
    stage_text: str = ""
    share_done: float = 0.0
    started_s: float = 0.0
    notice: Notice = field(default_factory=Notice)

    @property
    def busy(self) -> bool:
        """True from the click on Run until the result, the error or Cancel."""
        return self.phase is not Phase.IDLE

    def begun(self, now_s: float) -> RunState:
        """The next run."""
        return RunState(Phase.RUNNING, self.run + 1, STAGES["start"].text, 0.0, now_s)

    def progressed(self, stage: str, fraction: float) -> RunState:
        """A step further; a stage that is not known is shown by its own name and moves nothing."""
        if self.phase is not Phase.RUNNING:
            return self
        if stage not in STAGES:
            return replace(self, stage_text=stage.capitalize())
        before = sum(entry.share for entry in list(STAGES.values())[: list(STAGES).index(stage)])
        share = before + min(max(fraction, 0.0), 1.0) * STAGES[stage].share
        return replace(self, stage_text=STAGES[stage].text, share_done=max(share, self.share_done))

    def ended(self, notice: Notice) -> RunState:
        """Over, in whatever way."""
        return replace(self, phase=Phase.IDLE, stage_text="", share_done=0.0, notice=notice)

    def time_text(self, now_s: float) -> str:
        """Seconds gone and, once it can be told, about how many are left."""
        gone = now_s - self.started_s
        if self.phase is not Phase.RUNNING or self.share_done < ESTIMATE_FROM:
            return f"{gone:.0f} s"
        left = gone * (1.0 - self.share_done) / self.share_done
        return f"{gone:.0f} s, about {max(left, 1.0):.0f} s left"
