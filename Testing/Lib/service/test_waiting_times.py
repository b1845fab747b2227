"""The study of waiting times: the simulated queue is the node's own, and its events are exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from NeuroTriageLib.service.exam_queue import HIGH, LOW, MEDIUM, Arrival, ExamQueue
from NeuroTriageLib.service.ledger import Ledger
from NeuroTriageLib.service.site_config import Completeness, Order
from Testing.Benchmarks.hospital_day import DayPlan, Exam, Measured, due_s, make_day, waits_s
from Testing.Benchmarks.waiting_times import FIRST_COME, NODE, serve


def exam(complete_s: float, urgency: float = 0.0, priority: int = MEDIUM, reading_s: float = 10.0) -> Exam:
    return Exam(complete_s, reading_s, urgency > 0.5, urgency, priority)


def test_the_simulated_order_is_that_of_the_nodes_queue(tmp_path: Path):
    rng = np.random.default_rng(0)
    now = [0.0]
    ledger = Ledger(tmp_path / "node.sqlite", now=lambda: now[0])
    order = Order()
    queue = ExamQueue(ledger, Completeness(), order, 3)
    due = {}
    for number in range(30):
        now[0], urgency = float(rng.uniform(0, 86400)), float(rng.random())
        priority = int(rng.choice([HIGH, LOW, MEDIUM]))
        with ledger.transaction() as db:
            exam_id = queue.exam_for(db, f"1.2.{number}", Arrival("CT1", priority), 10)
        queue.finish(f"1.2.{number}")
        queue.looked_at(exam_id, urgency, {})
        due[exam_id] = due_s(now[0], urgency, priority, order)
    claimed = [queue.claim() for _ in range(30)]
    assert [item.id for item in claimed if item] == sorted(due, key=due.__getitem__)


def test_waits_are_those_worked_out_by_hand():
    day = [exam(0.0), exam(1.0), exam(2.0, urgency=1.0), exam(30.0)]
    assert list(waits_s(day, FIRST_COME, None)) == [10.0, 19.0, 28.0, 10.0]
    assert list(waits_s(day, NODE, look_s=1.0)) == [10.0, 29.0, 18.0, 10.0]


def test_without_a_first_look_or_before_it_is_done_nothing_is_overtaken():
    day = [exam(0.0), exam(1.0, urgency=0.4), exam(2.0, urgency=1.0)]
    assert list(waits_s(day, NODE, None)) == [10.0, 19.0, 28.0]
    assert list(waits_s(day, NODE, look_s=100.0)) == [10.0, 19.0, 28.0]


def test_the_order_changes_who_waits_and_not_how_much_is_done():
    day = make_day(DayPlan(), Measured.of_auc(0.9), 0.95, np.random.default_rng(1))
    ends = [
        {round(e.complete_s + w, 6) for e, w in zip(day, waits_s(day, o, 20.0), strict=True)}
        for o in (FIRST_COME, NODE)
    ]
    assert max(ends[0]) == pytest.approx(max(ends[1])), "a reader that never idles ends at the same time"


def test_a_days_load_and_its_urgencies_are_as_planned():
    measured = Measured.of_auc(0.902)
    assert measured.auc == pytest.approx(0.902, abs=0.005) and measured.relative_s.mean() == pytest.approx(1.0)
    days = [make_day(DayPlan(), measured, 0.8, np.random.default_rng(seed)) for seed in range(40)]
    busy = np.mean([sum(item.reading_s for item in day) for day in days]) / 86400
    share = np.mean([item.urgent for day in days for item in day])
    assert busy == pytest.approx(0.8, rel=0.05) and share == pytest.approx(0.12, abs=0.02)


def test_the_service_answers_in_the_order_that_the_simulation_foresees():
    day = [exam(0.0, 0.0, reading_s=1.5), exam(0.1, 0.1, reading_s=0.3), exam(0.2, 0.9, reading_s=0.3)]
    served, foreseen = serve(day, NODE, 0.05), waits_s(day, NODE, 0.05)
    assert list(np.argsort(served)) == list(np.argsort(foreseen))
