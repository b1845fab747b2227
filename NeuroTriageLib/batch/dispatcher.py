"""Hands exams to workers, replaces workers that end, and finds out which exam ended them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..core.errors import ModelError, NeuroTriageError, OutputError
from .exam_task import ExamTask
from .outcome import ExamOutcome
from .worker_pool import Died, Event, Finished, Ready, Refused, WorkerPool

MAX_CRASHES = 3
"""An exam that ends its worker so often is set aside (three tries are usual: Mercure, MONAI Informatics Gateway)."""

MAX_STARTS = 3
"""Workers that end so often in a row before one is ready end the batch (ours)."""

MAX_SAME_FAILURES = 50
"""So many exams in a row that fail for the same reason mean that the reason is not the exams' (ours)."""

TICK_S = 1.0
"""How often limits are looked at and progress is told (ours)."""


@dataclass
class _Held:
    """An exam in a worker's hands."""

    task: ExamTask
    deadline: float


class Dispatcher:
    """Reads exams with the workers of a pool.

    A worker holds several exams at once, so its end tells which exam is to blame only when it had a single one. Exams
    that were lost together are therefore tried again one by one, each alone in a worker, and only such an end counts.

    Args:
        pool: workers, none started.
        keep: makes an outcome durable; called once for each exam that was dealt with.
        exams_at_once: how many exams a worker holds.
        limit_s: seconds after which a worker that does not answer is ended; counts like a crash.
        keep_going: do not stop when exam after exam fails for the same reason.
        on_tick: called about every second.
    """

    def __init__(
        self,
        pool: WorkerPool,
        keep: Callable[[ExamOutcome], None],
        *,
        exams_at_once: int,
        limit_s: float,
        keep_going: bool = False,
        on_tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._pool, self._keep, self._on_tick = pool, keep, on_tick
        self._exams_at_once, self._limit_s, self._keep_going = exams_at_once, limit_s, keep_going
        self._waiting: Iterable[ExamTask] = iter(())
        self._again: deque[ExamTask] = deque()  # lost together with an exam that is to blame
        self._alone: deque[ExamTask] = deque()  # may have ended a worker
        self._held: dict[int, dict[str, _Held]] = {}  # of ready workers
        self._crashes: dict[str, int] = {}
        self._failed_starts = 0
        self._same_failures: tuple[str, int] = ("", 0)

    def run(self, tasks: Iterable[ExamTask]) -> None:
        """Deal with every exam.

        Raises:
            ModelError: workers cannot start.
            OutputError: results cannot be written.
            NeuroTriageError: exam after exam fails for the same reason.
        """
        self._waiting = iter(tasks)
        for slot in range(self._pool.slots):
            self._pool.start(slot)
        while self._hand_out() or any(self._held.values()) or self._alone or self._again:
            for event in self._pool.wait(TICK_S):
                self._take(event)
            self._end_the_late()
            self._on_tick()

    def _hand_out(self) -> bool:
        """Give ready workers what they can take; False when no exam waits any more."""
        reserved = len(self._alone)
        for slot, held in sorted(self._held.items()):
            if reserved:
                reserved -= 1
                if not held:
                    self._submit(slot, self._alone.popleft(), 1)
                continue
            if any(key in self._crashes for key in held):
                continue  # it works alone
            while len(held) < self._exams_at_once:
                task = self._again.popleft() if self._again else next(self._waiting, None)  # type: ignore[call-overload]
                if task is None:
                    return False
                self._submit(slot, task, self._exams_at_once)
        return True

    def _submit(self, slot: int, task: ExamTask, together: int) -> None:
        # An exam may wait for those that its worker got before.
        self._held[slot][task.key] = _Held(task, time.monotonic() + together * self._limit_s)
        self._pool.submit(slot, task)

    def _take(self, event: Event) -> None:
        match event:
            case Ready(slot):
                self._held[slot] = {}
                self._failed_starts = 0
            case Finished(slot, outcome):
                self._held[slot].pop(outcome.exam)
                self._finish(outcome)
            case Refused(_, message):
                raise ModelError(message)
            case Died(slot, reason):
                self._replace(slot, reason)

    def _replace(self, slot: int, reason: str) -> None:
        held = self._held.pop(slot, None)
        if held is None:
            self._failed_starts += 1
            if self._failed_starts >= MAX_STARTS:
                raise ModelError(
                    f"The workers end before they are ready: {reason}.",
                    next_step="Try one exam with neurotriage triage; --jobs may be too many for the memory.",
                )
        elif len(held) == 1:
            self._blame(next(iter(held.values())).task, reason)
        else:
            for item in held.values():
                self._suspect(item.task)
        self._pool.start(slot)

    def _suspect(self, task: ExamTask) -> None:
        self._crashes.setdefault(task.key, 0)
        self._alone.append(task)

    def _blame(self, task: ExamTask, reason: str) -> None:
        count = self._crashes[task.key] = self._crashes.get(task.key, 0) + 1
        if count < MAX_CRASHES:
            self._alone.append(task)
            return
        text = f"Set aside after {count} tries: {reason}."
        self._finish(ExamOutcome(task.key, "failed", error=text))

    def _finish(self, outcome: ExamOutcome) -> None:
        if outcome.ends_batch:
            raise OutputError(outcome.error)
        crashes = self._crashes.pop(outcome.exam, 0)
        self._keep(ExamOutcome(**{**vars(outcome), "crashes": crashes}))
        self._count_same(outcome)

    def _count_same(self, outcome: ExamOutcome) -> None:
        """Stop when one reason after the other is the same: the disk is gone, or the GPU. Raises NeuroTriageError."""
        if outcome.state == "not_suitable":
            return
        error, count = self._same_failures
        same = outcome.state == "failed" and outcome.error == error
        self._same_failures = (outcome.error, count + 1 if same else 1)
        if outcome.state == "failed" and self._same_failures[1] >= MAX_SAME_FAILURES and not self._keep_going:
            raise NeuroTriageError(
                f"{MAX_SAME_FAILURES} exams in a row failed for the same reason: {outcome.error}",
                next_step="See what is wrong, then start again with --retry-failed; or use --keep-going.",
            )

    def _end_the_late(self) -> None:
        now = time.monotonic()
        for slot, held in list(self._held.items()):
            late = [item.task for item in held.values() if item.deadline < now]
            if not late:
                continue
            self._pool.kill(slot)
            del self._held[slot]
            self._again.extend(item.task for item in held.values() if item.task not in late)
            for task in late:
                self._blame(task, f"no answer within {self._limit_s:.0f} s")
            self._pool.start(slot)
