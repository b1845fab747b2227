"""What the batch asks of its workers, wherever they run: local processes or actors on a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .exam_task import ExamTask
from .outcome import ExamOutcome


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its models and takes exams.

    Args:
        slot: number of the worker, from 0; a replaced worker keeps it.
    """

    slot: int


@dataclass(frozen=True)
class Finished:
    """A worker has dealt with one exam."""

    slot: int
    outcome: ExamOutcome


@dataclass(frozen=True)
class Died:
    """A worker has ended by itself; the exams that it had are not dealt with.

    Args:
        reason: a phrase for the table: "the worker process ended by signal 9".
    """

    slot: int
    reason: str


@dataclass(frozen=True)
class Refused:
    """A worker cannot load its models; the others cannot either.

    Args:
        message: what and what to do next, for the user.
    """

    slot: int
    message: str


Event = Ready | Finished | Died | Refused


class WorkerPool(Protocol):
    """A fixed number of slots with one worker in each."""

    @property
    def slots(self) -> int:
        """How many workers there are."""

    def start(self, slot: int) -> None:
        """Start the worker of a slot that has none; Ready, Refused or Died follows."""

    def submit(self, slot: int, task: ExamTask) -> None:
        """Hand an exam to a ready worker; Finished or Died follows."""

    def kill(self, slot: int) -> None:
        """End a worker at once, without an event; start may follow."""

    def wait(self, timeout_s: float) -> list[Event]:
        """What has happened, after at most so many seconds; events of killed workers never come."""

    def close(self) -> None:
        """End all workers; what they were reading is left undone."""
