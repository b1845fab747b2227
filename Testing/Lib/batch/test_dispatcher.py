"""Whatever workers do, every exam is dealt with exactly once, and the one to blame for a crash is found."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from NeuroTriageLib.batch import dispatcher as dispatcher_module
from NeuroTriageLib.batch.dispatcher import MAX_CRASHES, MAX_SAME_FAILURES, Dispatcher
from NeuroTriageLib.batch.exam_task import ExamTask
from NeuroTriageLib.batch.outcome import ExamOutcome
from NeuroTriageLib.batch.worker_pool import Died, Event, Finished, Ready, Refused
from NeuroTriageLib.core.errors import ModelError, NeuroTriageError, OutputError

TASKS = [ExamTask(str(number), str(number)) for number in range(30)]


@dataclass
class ScriptedPool:
    """Workers that answer in random order, end when they read a poisonous exam, and never answer a hanging one."""

    slots: int = 2
    poisonous: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)
    chance_of_death: float = 0.0
    random: random.Random = field(default_factory=lambda: random.Random(0))
    failing: dict[str, str] = field(default_factory=dict)
    submitted: list[str] = field(default_factory=list)
    alone_in: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self):
        self.held: dict[int, list[str]] = {}
        self.events: list[Event] = []

    def start(self, slot):
        assert slot not in self.held, "a slot has one worker"
        self.held[slot] = []
        self.events.append(Ready(slot))

    def submit(self, slot, task):
        self.held[slot].append(task.key)
        self.submitted.append(task.key)
        assert len(self.held[slot]) <= 2

    def kill(self, slot):
        del self.held[slot]

    def wait(self, timeout_s):
        found, self.events = self.events, []
        for slot, keys in list(self.held.items()):
            able = [key for key in keys if key not in self.hanging]
            if not able or any(event.slot == slot for event in found):
                continue
            if set(keys) & self.poisonous or self.random.random() < self.chance_of_death:
                self.alone_in.append((keys[0], len(keys) == 1))
                del self.held[slot]
                found.append(Died(slot, "it broke"))
                continue
            key = self.random.choice(able)
            keys.remove(key)
            error = self.failing.get(key, "")
            found.append(Finished(slot, ExamOutcome(key, "failed" if error else "answered", error=error)))
        return found

    def close(self):
        self.held.clear()


def run(pool, tasks=TASKS, **changes):
    kept: list[ExamOutcome] = []
    Dispatcher(pool, kept.append, **({"exams_at_once": 2, "limit_s": 1e6} | changes)).run(tasks)
    return kept


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_every_exam_is_dealt_with_once(slots):
    kept = run(ScriptedPool(slots))
    assert sorted(item.exam for item in kept) == sorted(task.key for task in TASKS)
    assert all(item.state == "answered" for item in kept)


@pytest.mark.parametrize("seed", range(20))
def test_workers_that_end_at_random_cost_no_exam_and_no_second_answer(seed):
    pool = ScriptedPool(3, chance_of_death=0.1, random=random.Random(seed))
    kept = run(pool)
    assert sorted(item.exam for item in kept) == sorted(task.key for task in TASKS)
    assert all(item.state == "answered" or "Set aside" in item.error for item in kept)


@pytest.mark.parametrize("slots", [1, 3])
def test_a_poisonous_exam_is_set_aside_after_three_tries_and_takes_no_other_with_it(slots):
    pool = ScriptedPool(slots, poisonous={"4", "17", "18"})
    kept = {item.exam: item for item in run(pool)}
    assert len(kept) == len(TASKS)
    assert {key for key, item in kept.items() if item.state == "failed"} == pool.poisonous
    for key in pool.poisonous:
        assert kept[key].error == "Set aside after 3 tries: it broke." and kept[key].crashes == MAX_CRASHES
        assert pool.alone_in.count((key, True)) == MAX_CRASHES


def test_an_exam_without_an_answer_is_tried_three_times_and_its_neighbour_is_not_blamed(monkeypatch):
    clock = iter(range(0, 10**6, 5))
    monkeypatch.setattr(dispatcher_module.time, "monotonic", lambda: float(next(clock)))
    pool = ScriptedPool(1, hanging={"3"})
    kept = {item.exam: item for item in run(pool, limit_s=60.0)}
    assert kept["3"].state == "failed" and "no answer within 60 s" in kept["3"].error
    assert pool.submitted.count("3") == MAX_CRASHES
    assert all(item.state == "answered" for key, item in kept.items() if key != "3")


def test_workers_that_cannot_load_their_models_end_the_batch_with_the_reason():
    pool = ScriptedPool()
    pool.start = lambda slot: pool.events.append(Refused(slot, "The model pack is damaged."))
    with pytest.raises(ModelError, match="damaged"):
        run(pool)


def test_workers_that_end_while_they_start_end_the_batch():
    pool = ScriptedPool()
    pool.start = lambda slot: pool.events.append(Died(slot, "no memory"))
    with pytest.raises(ModelError, match="no memory"):
        run(pool)


def test_a_full_disk_ends_the_batch_and_leaves_the_exam_open():
    pool, kept = ScriptedPool(1), []
    full = ExamOutcome("0", "failed", error="The disk is full.", ends_batch=True)
    pool.wait = lambda timeout_s: [Ready(0)] if not pool.submitted else [Finished(0, full)]
    with pytest.raises(OutputError, match="disk is full"):
        Dispatcher(pool, kept.append, exams_at_once=1, limit_s=1e6).run(TASKS)
    assert not kept


def test_the_same_failure_of_exam_after_exam_ends_the_batch_unless_told_otherwise():
    tasks = [ExamTask(str(number), "") for number in range(MAX_SAME_FAILURES + 5)]
    failing = {task.key: "The mount is gone." for task in tasks}
    with pytest.raises(NeuroTriageError, match="The mount is gone"):
        run(ScriptedPool(failing=failing), tasks)
    assert len(run(ScriptedPool(failing=failing), tasks, keep_going=True)) == len(tasks)


def test_failures_among_answers_do_not_end_the_batch():
    tasks = [ExamTask(str(number), "") for number in range(3 * MAX_SAME_FAILURES)]
    failing = {task.key: "Truncated." for number, task in enumerate(tasks) if number % 10}
    assert len(run(ScriptedPool(1, failing=failing), tasks)) == len(tasks)
