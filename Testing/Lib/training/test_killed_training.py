"""A training that is killed again and again ends in the very pack of one that was left alone; a seed fixes the pack."""

from __future__ import annotations

import dataclasses
import random
import shutil
from pathlib import Path

import pytest
import torch

from NeuroTriageLib.io.model_packs import WEIGHTS_FILE, PackManifest, load_model_pack
from NeuroTriageLib.training import (
    chang2018_training,
    kuo2019_training,
    nael2021_training,
    training_run,
    ye2019_training,
)
from NeuroTriageLib.training.checkpoint import CHECKPOINT_FILE, load_checkpoint
from NeuroTriageLib.training.training_run import TrainOptions
from Testing.Lib.training import chang2018_tiny, mr_bank, synthetic_bank, ye2019_bank
from Testing.Lib.training.started_processes import finish, kill_after_writes, start

EXAMS = 8
SYSTEMS = {
    "kuo2019": (kuo2019_training, (synthetic_bank.TINY, synthetic_bank.TINY_TRAINING)),
    "chang2018": (chang2018_training, (chang2018_tiny.TINY, chang2018_tiny.TINY_TRAINING)),
    "ye2019": (ye2019_training, (ye2019_bank.TINY, ye2019_bank.TINY_TRAINING)),
    "nael2021": (nael2021_training, (mr_bank.TINY, mr_bank.TINY_TRAINING)),
}


def train(system: str, bank: Path, out: Path, seed: int | None = None, start: Path | None = None) -> None:
    """What the processes do that are killed: a tiny training that saves after every step."""
    torch.set_num_threads(1)
    training_run.draw_curves = lambda *rows: False  # a picture after every step would take most of the time
    module, variant = SYSTEMS[system]
    module.VARIANTS["compact"] = variant
    options = TrainOptions(
        bank, out, exams=EXAMS, validation_exams=EXAMS, device="cpu", bank=bank, checkpoint_minutes=0.0, seed=seed,
        start=start,
    )  # fmt: skip
    getattr(module, f"train_{system}")(options, lambda line: None)


def model(out: Path) -> tuple[bytes, PackManifest]:
    """The weights that a run ended in, to the last bit, and all that their pack says but the code's version."""
    (path,) = out.glob("*/pack.json")
    manifest = load_model_pack(path.parent).manifest
    training = {name: value for name, value in manifest.training.items() if name != "code"}
    return (path.parent / WEIGHTS_FILE).read_bytes(), dataclasses.replace(manifest, training=training)


def killed_run(kills: int, out: Path, *arguments) -> set[int]:
    """Kill a run so often, at random moments of its steps, then let it end; the steps that it went on from."""
    chance, checkpoint = random.Random(kills), out / CHECKPOINT_FILE
    done, steps = 0, set()
    while done < kills:
        writes = chance.randrange(0, 2) if kills > 3 else chance.randrange(1, 4)
        done += kill_after_writes(start(train, *arguments), checkpoint, writes, chance.uniform(0.0, 0.2))
        if checkpoint.exists():
            steps.add(load_checkpoint(checkpoint)["trainer"]["step"])
        if list(out.glob("*/pack.json")):  # the run had ended: the next kill meets a new one
            shutil.rmtree(out)
    finish(start(train, *arguments))
    return steps


@pytest.fixture(scope="module")
def banks(tmp_path_factory):
    made = tmp_path_factory.mktemp("banks")
    synthetic_bank.write_bank(made / "ct", EXAMS)
    mr_bank.write_bank(made / "mr", EXAMS)
    return {"kuo2019": made / "ct", "chang2018": made / "ct", "ye2019": made / "ct", "nael2021": made / "mr"}


@pytest.fixture(scope="module")
def whole(banks, tmp_path_factory):
    """(system) -> folder of a run that nobody disturbed."""
    runs: dict[str, Path] = {}

    def run(system: str) -> Path:
        if system not in runs:
            runs[system] = tmp_path_factory.mktemp(system)
            finish(start(train, system, banks[system], runs[system]))
        return runs[system]

    return run


@pytest.mark.parametrize(
    ("system", "kills"),
    [
        ("kuo2019", 3),
        *(pytest.param(system, 20, marks=pytest.mark.slow) for system in SYSTEMS),
    ],
)
def test_a_killed_training_ends_in_the_pack_of_an_undisturbed_one(system, kills, banks, whole, tmp_path):
    undisturbed, out = whole(system), tmp_path / "run"
    steps = killed_run(kills, out, system, banks[system], out)
    assert len(steps) > 1  # it was killed in the middle of the training
    assert model(out) == model(undisturbed)


@pytest.mark.slow
def test_a_killed_fine_tuning_ends_in_the_pack_of_an_undisturbed_one(banks, whole, tmp_path):
    (start_pack,) = (path.parent for path in whole("kuo2019").glob("*/pack.json"))
    first, second = tmp_path / "first", tmp_path / "second"
    finish(start(train, "kuo2019", banks["kuo2019"], first, 2, start_pack))
    killed_run(20, second, "kuo2019", banks["kuo2019"], second, 2, start_pack)
    assert model(second) == model(first)
    assert model(first)[0] != model(start_pack.parent)[0]


def test_a_seed_fixes_the_pack_and_another_seed_gives_another(banks, whole, tmp_path):
    for folder, seed in (("same", synthetic_bank.TINY_TRAINING.seed), ("other", 5)):
        finish(start(train, "kuo2019", banks["kuo2019"], tmp_path / folder, seed))
    undisturbed = model(whole("kuo2019"))
    assert model(tmp_path / "same") == undisturbed
    assert model(tmp_path / "other")[0] != undisturbed[0]
