"""Nothing that the store has acknowledged is ever lost: killed programs, power cuts, full disks, two writers."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import numpy as np
import pytest

from NeuroTriageLib.core.errors import OutputError
from NeuroTriageLib.review.durable_files import ABANDONED_S, TEMPORARY
from NeuroTriageLib.review.store import ReviewStore
from NeuroTriageLib.review.versions import Viewer
from Testing.Lib.review.failing_files import FailingFiles, Killed
from Testing.Lib.review.store_making import Clock, entry, open_store, random_label, reference, small_exam, started

EXAM = small_exam()
STATUSES = ("draft", "draft", "flagged", "approved")


def act(store: ReviewStore, kept: dict[tuple[str, int], np.ndarray], random: Random, step: int) -> None:
    """Save, flag or approve; what the store acknowledges is noted."""
    case = store.register(reference(EXAM), "row")
    if not store.versions(case):
        version = store.add_model_version(case, EXAM)
        kept[case, version.number] = store.label(case, version.number)
        return
    reader = random.choice(("AB", "CD"))
    base = store.resume(case, Viewer(reader, blind=random.random() < 0.5))
    label = random_label(random.randrange(2**31))
    said = entry(reader, random.choice(STATUSES), base.number, comment=f"step {step}")
    version = store.add_version(case, label, said)
    kept[case, version.number] = label


def check(folder: Path, kept: dict[tuple[str, int], np.ndarray]) -> None:
    """Everything that was acknowledged is there, unchanged, and every version that is there is whole."""
    store = open_store(folder)
    for (case, number), label in kept.items():
        assert np.array_equal(store.label(case, number), label)
    for case in store.cases():
        for version in store.versions(case):
            store.label(case, version.number)


@pytest.mark.parametrize(
    "seeds", [range(80), pytest.param(range(80, 1000), marks=pytest.mark.slow)], ids=["some", "a thousand"]
)
def test_random_sequences_of_saving_and_dying_lose_no_version(tmp_path, monkeypatch, seeds):
    monkeypatch.setattr("NeuroTriageLib.review.store.KEY_ROUNDS", 1)
    deaths = 0
    for seed in seeds:
        random, kept, folder = Random(seed), {}, tmp_path / str(seed)
        for life in range(3):
            files = FailingFiles(random, dies_at=random.randrange(1, 25))
            try:
                store = ReviewStore.open(folder, files, Clock())
                for step in range(3):
                    act(store, kept, random, 10 * life + step)
            except Killed:
                deaths += 1
        check(folder, kept)
    assert deaths > len(seeds)


def test_death_at_each_single_step_leaves_the_version_whole_or_absent(tmp_path):
    counting = FailingFiles(Random(0))
    case = started(open_store(tmp_path / "count", counting))
    before = counting.steps
    open_store(tmp_path / "count", counting).add_version(case, random_label(1), entry())
    for step in range(1, counting.steps - before + 1):
        folder = tmp_path / f"step {step}"
        case = started(open_store(folder))
        with pytest.raises(Killed):
            open_store(folder, FailingFiles(Random(step), dies_at=step)).add_version(case, random_label(1), entry())
        store = open_store(folder)
        versions = store.versions(case)
        assert len(versions) in (1, 2)
        assert all(np.array_equal(store.label(case, v.number), random_label(1)) for v in versions[1:])
        assert store.add_version(case, random_label(2), entry()).number == len(versions), "and it goes on"


@pytest.mark.parametrize(
    ("error", "word"), [(errno.ENOSPC, "full"), (errno.EACCES, "right"), (errno.EROFS, "right"), (errno.EIO, "written")]
)
def test_a_disk_that_refuses_gives_one_clear_error_and_loses_nothing(tmp_path, error, word):
    for step in range(1, 6):
        folder = tmp_path / str(step)
        case = started(open_store(folder))
        kept = open_store(folder).add_version(case, random_label(1), entry())
        failing = FailingFiles(Random(0), refuses_at=step, error=error)
        with pytest.raises(OutputError, match=word):
            open_store(folder, failing).add_version(case, random_label(2), entry())
        store = open_store(folder)
        assert np.array_equal(store.label(case, kept.number), random_label(1))
        assert not list((folder / "cases" / case).glob(f"{TEMPORARY}*")), "nothing half-written stays"


WRITER = """
import sys
from pathlib import Path
from Testing.Lib.review.store_making import entry, random_label, small_exam, reference
from NeuroTriageLib.review.store import ReviewStore
store = ReviewStore.open(Path(sys.argv[1]))
case = store.register(reference(small_exam()))
seed = int(sys.argv[2])
while store.versions(case) == ():
    store.add_model_version(case, small_exam())
print("ready", flush=True)
for n in range(int(sys.argv[3])):
    version = store.add_version(case, random_label(seed + n), entry(sys.argv[2]))
    print(version.number, seed + n, flush=True)
"""


def start_writer(folder: Path, seed: int, count: int) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(folder), str(seed), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])


def acknowledged(output: str) -> dict[int, int]:
    """Version number -> seed of its mask, of whole lines only."""
    lines = [line.split() for line in output.splitlines(keepends=True) if line.endswith("\n") and " " in line]
    return {int(number): int(seed) for number, seed in lines}


def test_two_programs_write_at_once_and_both_keep_everything(tmp_path):
    writers = [start_writer(tmp_path / "s", seed, 12) for seed in (1000, 2000)]
    told = [acknowledged(writer.communicate(timeout=120)[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert len(told[0]) == len(told[1]) == 12 and not told[0].keys() & told[1].keys()
    store = open_store(tmp_path / "s")
    (case,) = store.cases()
    for number, seed in (told[0] | told[1]).items():
        assert np.array_equal(store.label(case, number), random_label(seed))


def test_a_program_that_is_really_killed_loses_nothing_that_it_was_told_is_kept(tmp_path):
    for number, wait_s in enumerate((0.003, 0.05)):
        folder = tmp_path / str(number)
        writer = start_writer(folder, 500, 10_000)
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        time.sleep(wait_s)
        writer.send_signal(signal.SIGKILL)
        told = acknowledged(writer.stdout.read())
        writer.wait()
        store = open_store(folder)
        (case,) = store.cases()
        for version, seed in told.items():
            assert np.array_equal(store.label(case, version), random_label(seed))
        store.add_version(case, random_label(7), entry())


def test_what_a_killed_program_left_is_cleared_away_a_day_later(tmp_path, monkeypatch):
    case = started(open_store(tmp_path))
    with pytest.raises(Killed):
        open_store(tmp_path, FailingFiles(Random(1), dies_at=2)).add_version(case, random_label(1), entry())
    folder = tmp_path / "cases" / case
    open_store(tmp_path).add_version(case, random_label(1), entry())
    assert len(list(folder.glob(f"{TEMPORARY}*"))) == 1, "its writer might still be there"
    later = time.time() + ABANDONED_S + 60
    monkeypatch.setattr(time, "time", lambda: later)
    open_store(tmp_path).add_version(case, random_label(2), entry())
    assert not list(folder.glob(f"{TEMPORARY}*"))
