"""A short form of Testing/Benchmarks/mutated_input.py: what is made up by an attacker or by chance harms no other."""

from __future__ import annotations

import random
from pathlib import Path

from Testing.Benchmarks.mutated_input import run, sound_files, table
from Testing.Benchmarks.mutations import FILE_MUTATIONS, HOSTILE_VALUES, mutated_file, with_a_hostile_value


def test_mutated_files_and_associations_crash_nothing_and_the_node_still_answers(tmp_path: Path) -> None:
    outcome = run(files=150, associations=40, seed=7, folder=tmp_path)
    assert not outcome.faults, table(outcome)
    assert sum(outcome.counts.values()) >= 2 * 150 + 40


def test_the_same_seed_makes_the_same_mutations_and_they_differ_from_the_original() -> None:
    (sound, *_) = next(sound_files())
    first = [mutated_file(random.Random(seed), sound) for seed in range(60)]
    assert first == [mutated_file(random.Random(seed), sound) for seed in range(60)]
    assert sum(content != sound for _, content in first) > 55
    assert {name for name, _ in first} == {mutation.__name__ for mutation in FILE_MUTATIONS}


def test_every_hostile_value_stands_in_a_file_that_begins_like_dicom() -> None:
    (sound, *_) = next(sound_files())
    made = {with_a_hostile_value(random.Random(seed), sound) for seed in range(400)}
    assert len(made) == len(HOSTILE_VALUES)
    assert all(content[128:132] == b"DICM" for content in made)
