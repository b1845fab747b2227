"""Protocol files: what they say, what they may not say, and the splits that they ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from NeuroTriageLib.core.errors import ConfigError, InputError
from NeuroTriageLib.core.resources import protocols_folder
from NeuroTriageLib.datasets.folds import fold_split, share_split
from NeuroTriageLib.experiments.protocol import Protocol
from NeuroTriageLib.training.registry import TRAINED_SYSTEMS

TEXT = """
title = "A trial"
system = "kuo2019"
[split]
folds = 4
[[data]]
simulated = "maps"
exams = 8
[training]
minutes = 3
"""
PATIENTS = [f"patient {n}" for n in range(23)]
SHIPPED = sorted(protocols_folder().glob("*.toml"))


def written(folder: Path, text: str) -> Path:
    path = folder / "protocol.toml"
    path.write_text(text)
    return path


def test_a_protocol_says_what_is_done(tmp_path):
    protocol = Protocol.read(written(tmp_path, TEXT))
    assert protocol.split.names() == ("fold-1", "fold-2", "fold-3", "fold-4")
    assert protocol.training.minutes == 3 and protocol.training.variant == "compact"
    assert protocol.place("maps") == tmp_path / "maps" and protocol.data[0].kind == "simulated"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "A trial"', "", "lacks title"),
        ("folds = 4", "fold = 4", "has no setting fold"),
        ("folds = 4", "folds = 4\ntrain = 0.8", "either folds"),
        ("folds = 4", 'folds = "four"', "cannot be 'four'"),
        ("minutes = 3", "minutes = true", "cannot be True"),
        ('simulated = "maps"', 'simulated = "maps"\nmasks = "here"', "Every \\[\\[data\\]\\] of a protocol names"),
        ("exams = 8", "", "Every \\[\\[data\\]\\] of a protocol names"),
        ("exams = 8", "exams = 0", "one exam or more"),
        ("[split]", 'optional_contrasts = "some"\n[split]', "with, without or both"),
        ("[split]", "[split", "no TOML"),
    ],
)
def test_what_cannot_be_is_said_with_the_files_name(tmp_path, old, new, message):
    path = written(tmp_path, TEXT.replace(old, new))
    with pytest.raises(ConfigError, match=message) as told:
        Protocol.read(path)
    assert told.value.where == str(path)


def test_a_protocol_that_is_not_there_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        Protocol.read(tmp_path / "none.toml")


def test_every_patient_is_tested_in_one_fold_and_is_in_one_part_of_each():
    splits = [fold_split(PATIENTS, 5, fold, 0.1, seed=3) for fold in range(1, 6)]
    tested = [patient for split in splits for patient in PATIENTS if split.part_of(patient) == "test"]
    assert sorted(tested) == sorted(PATIENTS)
    for split in splits:
        counts = split.to_json()["patients"]
        assert sum(counts.values()) == len(PATIENTS) and counts["validation"] == 2 and counts["test"] in (4, 5)
    validating = {p for split in splits for p in PATIENTS if split.part_of(p) == "validation"}
    assert len(validating) > 5  # not the same ones in every fold


def test_a_split_does_not_depend_on_the_order_of_the_patients():
    ours, theirs = (fold_split(patients, 4, 2, 0.2, seed=1) for patients in (PATIENTS, PATIENTS[::-1]))
    assert ours == theirs
    assert fold_split(PATIENTS, 4, 2, 0.2, seed=2).parts != ours.parts


def test_shares_leave_a_patient_at_least_in_every_part():
    assert share_split(PATIENTS, 0.8, 0.1, 1).to_json()["patients"] == {"train": 18, "validation": 2, "test": 3}
    assert share_split(PATIENTS[:3], 0.8, 0.1, 1).to_json()["patients"] == {"train": 1, "validation": 1, "test": 1}
    with pytest.raises(InputError, match="There are 2 patients"):
        share_split(PATIENTS[:2], 0.8, 0.1, 1)
    with pytest.raises(ConfigError):
        share_split(PATIENTS, 0.9, 0.1, 1)
    with pytest.raises(ConfigError, match="does not know"):
        share_split(PATIENTS, 0.8, 0.1, 1).part_of("another one")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_protocol_that_ships_can_be_read(path):
    protocol = Protocol.read(path)
    assert protocol.system in TRAINED_SYSTEMS and protocol.notes


def test_each_paper_has_its_protocol():
    asked = {path.stem: Protocol.read(path).split for path in SHIPPED}
    assert asked["kuo2019"].folds == 4 and asked["chang2018"].folds == 5
    assert (asked["ye2019"].train, asked["ye2019"].validation) == (0.8, 0.1)
    assert asked["nael2021"].train is not None
