"""One run in steps: stages, end, resuming after a kill, gradients that are not numbers."""

import dataclasses

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.training.checkpoint import load_checkpoint, save_checkpoint
from NeuroTriageLib.training.guarded_step import MOST_SKIPPED
from NeuroTriageLib.training.kuo2019_trainer import Kuo2019Trainer
from Testing.Lib.training.synthetic_bank import TINY, TINY_TRAINING, loaded, write_bank


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return loaded(write_bank(tmp_path_factory.mktemp("bank"), 6) / "train")


def trainer_on(bank):
    return Kuo2019Trainer(TINY, TINY_TRAINING, bank, bank, "cpu")


def test_a_run_that_was_killed_goes_on_as_if_nothing_had_happened(bank, tmp_path):
    whole = trainer_on(bank)
    expected = [whole.train_step() for _ in range(7)]
    assert whole.stage.name == "patch"  # the kill lies in one stage, the end in another

    first = trainer_on(bank)
    losses = [first.train_step() for _ in range(3)]
    save_checkpoint({"trainer": first.state()}, tmp_path / "checkpoint.pt")
    second = trainer_on(bank)
    second.restore(load_checkpoint(tmp_path / "checkpoint.pt")["trainer"])
    losses += [second.train_step() for _ in range(4)]

    assert losses == expected
    for ours, theirs in ((whole.network, second.network), (whole.average, second.average)):
        for name, value in ours.state_dict().items():
            assert torch.equal(value, theirs.state_dict()[name]), name


def test_the_stages_train_what_the_paper_says(bank):
    trainer = trainer_on(bank)

    def moved(steps):
        before = {name: value.clone() for name, value in trainer.network.named_parameters()}
        for _ in range(steps):
            trainer.train_step()
        after = trainer.network.named_parameters()
        return {name.split(".")[0] for name, value in after if (value != before[name]).any()}

    assert moved(1) == {"backbone", "pixel_score", "pixel_up"}
    trainer.next_stage()
    statistics = trainer.network.backbone.state_dict()
    kept = {name: value.clone() for name, value in statistics.items()}
    assert moved(1) == {"patch_branch"}
    assert all(torch.equal(kept[name], value) for name, value in trainer.network.backbone.state_dict().items())
    trainer.next_stage()
    assert moved(1) == {"backbone", "pixel_score", "pixel_up", "patch_branch"}
    trainer.next_stage()
    assert trainer.is_done


def test_a_validation_leaves_what_a_stage_has_frozen_as_it_is(bank):
    training = dataclasses.replace(TINY_TRAINING, average_decay=0.0)  # the network that is validated is being trained
    trainer = Kuo2019Trainer(TINY, training, bank, bank, "cpu")
    trainer.next_stage()
    statistics = {name: value.clone() for name, value in trainer.network.backbone.state_dict().items()}
    assert trainer.stage_name == "patch" and trainer.validate(2) is not None
    trainer.train_step()
    for name, value in trainer.network.backbone.state_dict().items():
        assert torch.equal(statistics[name], value), name


def test_a_run_ends_after_its_epochs(bank):
    trainer = trainer_on(bank)
    steps = 0
    while not trainer.is_done:
        trainer.train_step()
        steps += 1
    assert steps == 3 * int(np.ceil(30 / 8))  # three stages of one epoch: 6 exams x 5 slabs, 8 patches a step


def test_gradients_that_are_not_numbers_change_nothing_and_then_stop_the_run(bank, monkeypatch):
    trainer = trainer_on(bank)
    before = {name: value.clone() for name, value in trainer.network.named_parameters()}
    losses = trainer._losses
    monkeypatch.setattr(trainer, "_losses", lambda *x: {k: v * float("nan") for k, v in losses(*x).items()})
    monkeypatch.setattr(trainer, "fraction", lambda: 0.0)
    with pytest.raises(InputError):
        for _ in range(MOST_SKIPPED):
            trainer.train_step()
    assert all(torch.equal(before[name], value) for name, value in trainer.network.named_parameters())


def test_a_damaged_checkpoint_is_one_clear_message(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="checkpoint cannot be read"):
        load_checkpoint(tmp_path / "checkpoint.pt")
