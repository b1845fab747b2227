"""A hospital's day of head exams, and in which order a node with one reader answers them: exact events, no clock."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from NeuroTriageLib.core.codes import ANY
from NeuroTriageLib.evaluation.exam_records import ExamRecord
from NeuroTriageLib.service.exam_queue import HIGH, LOW, MEDIUM, UNKNOWN_URGENCY
from NeuroTriageLib.service.site_config import Order

DAY_S = 86400.0
# Share of a day's exams that come in each hour from midnight; ours, after what emergency departments describe: quiet
# before dawn, most from late morning to evening.
HOURLY = (2, 1.5, 1.2, 1, 1, 1.3, 2, 3.5, 5, 6, 6.5, 6.5, 6.3, 6.3, 6.2, 6, 5.8, 5.8, 5.6, 5.2, 4.8, 4.2, 3.4, 2.7)


@dataclass(frozen=True)
class Exam:
    """One exam that is complete and waits.

    Args:
        complete_s: when, seconds from midnight.
        reading_s: how long a reader needs.
        urgent: something acute is in it.
        urgency: what the first look will say, 0-1.
        priority: DICOM's (0000,0700).
    """

    complete_s: float
    reading_s: float
    urgent: bool
    urgency: float
    priority: int


@dataclass(frozen=True)
class DayPlan:
    """What a day is like; numbers are ours unless said.

    Args:
        exams: on average.
        urgent_share: near the 25 of 200 exams with bleeding in the test of Kuo 2019.
        high_share, low_share: (of urgent exams, of others) sent with DICOM priority HIGH or LOW; most senders set none.
        look_share: the first look's time as a share of the mean reading time: 1.185 s of 7.714 s (docs/evaluation.md,
            kuo2019 of the consensus); thinned series take less.
    """

    exams: int = 240
    urgent_share: float = 0.12
    high_share: tuple[float, float] = (0.3, 0.1)
    low_share: tuple[float, float] = (0.02, 0.2)
    look_share: float = 0.154


class Measured:
    """What was measured of the systems: urgencies of exams with and without bleeding, and the spread of reading times.

    Args:
        urgent, others: (n,) what the first look said.
        relative_s: (n,) reading times as multiples of their mean.
    """

    def __init__(self, urgent: np.ndarray, others: np.ndarray, relative_s: np.ndarray) -> None:
        self.urgent, self.others, self.relative_s = urgent, others, relative_s

    @classmethod
    def of_records(cls, records: Sequence[ExamRecord], system: str) -> Measured:
        """From `neurotriage evaluate`: the first look's system for the urgencies, the consensus for the times."""
        known = [r for r in records if system in r.answers and ANY in r.answers[system].groups]
        says = np.array([record.answers[system].groups[ANY].probability for record in known])
        present = np.array([record.truth[ANY].present for record in known])
        seconds = np.array([r.answers["consensus"].seconds for r in records if "consensus" in r.answers], float)
        return cls(says[present], says[~present], seconds / seconds.mean())

    @classmethod
    def of_auc(cls, auc: float) -> Measured:
        """Two normal distributions of that area under the curve, as probabilities; reading times spread by a half."""
        grid = (np.arange(1000) + 0.5) / 1000
        normal = np.array([NormalDist().inv_cdf(share) for share in grid])
        apart = np.sqrt(2) * NormalDist().inv_cdf(auc)  # AUC of two normal distributions of the same width
        times = np.exp(0.5 * normal)
        return cls(
            1 / (1 + np.exp(-(normal + apart / 2))), 1 / (1 + np.exp(-(normal - apart / 2))), times / times.mean()
        )

    @property
    def auc(self) -> float:
        """Area under the curve of the urgencies."""
        order = np.searchsorted(np.sort(self.others), self.urgent)
        after = np.searchsorted(np.sort(self.others), self.urgent, side="right")
        return float((order + after).mean() / 2 / len(self.others))


def make_day(plan: DayPlan, measured: Measured, load: float, rng: np.random.Generator) -> list[Exam]:
    """A day's exams in the order in which they are complete; on average one reader is busy for `load` of the day."""
    shares = np.array(HOURLY) / sum(HOURLY)
    counts = rng.poisson(plan.exams * shares)
    times = np.sort(np.concatenate([3600.0 * (hour + rng.random(count)) for hour, count in enumerate(counts)]))
    mean_s = load * DAY_S / plan.exams
    return [_exam(float(time_s), mean_s, plan, measured, rng) for time_s in times]


def _exam(time_s: float, mean_s: float, plan: DayPlan, measured: Measured, rng: np.random.Generator) -> Exam:
    urgent = bool(rng.random() < plan.urgent_share)
    high, low = (shares[0 if urgent else 1] for shares in (plan.high_share, plan.low_share))
    priority = int(rng.choice([HIGH, LOW, MEDIUM], p=[high, low, 1 - high - low]))
    urgency = float(rng.choice(measured.urgent if urgent else measured.others))
    return Exam(time_s, mean_s * float(rng.choice(measured.relative_s)), urgent, urgency, priority)


def due_s(complete_s: float, urgency: float, priority: int, order: Order) -> float:
    """The moment by which the queue sorts: complete, less the head starts (site_config.Order)."""
    of_priority = {HIGH: order.dicom_high_h, LOW: order.dicom_low_h}.get(priority, 0.0)
    return complete_s - 3600.0 * (order.first_look_h * urgency + of_priority)


def waits_s(day: Sequence[Exam], order: Order, look_s: float | None) -> np.ndarray:
    """(n,) seconds from complete to answered of each exam of the day; nobody is interrupted.

    Args:
        day: in the order in which they are complete.
        order: the queue's.
        look_s: of one first look, done one after the other in a process of its own; None: there is none.
    """
    looked = _looked_s(day, look_s)
    waits = np.zeros(len(day))
    waiting: list[int] = []
    events = [(exam.complete_s, number) for number, exam in enumerate(day)]
    heapq.heapify(events)
    free_s = 0.0
    while events or waiting:
        if not waiting:
            free_s = max(free_s, events[0][0])
        while events and events[0][0] <= free_s:
            waiting.append(heapq.heappop(events)[1])
        if not waiting:
            continue
        chosen = min(waiting, key=lambda n: (_due_now(day[n], looked[n], free_s, order), n))
        waiting.remove(chosen)
        free_s += day[chosen].reading_s
        waits[chosen] = free_s - day[chosen].complete_s
    return waits


def _due_now(exam: Exam, looked_s: float, now_s: float, order: Order) -> float:
    urgency = exam.urgency if looked_s <= now_s else UNKNOWN_URGENCY
    return due_s(exam.complete_s, urgency, exam.priority, order)


def _looked_s(day: Sequence[Exam], look_s: float | None) -> list[float]:
    """When the first look at each exam is done."""
    done, free_s = [], 0.0
    for exam in day:
        free_s = float("inf") if look_s is None else max(free_s, exam.complete_s) + look_s
        done.append(free_s)
    return done
