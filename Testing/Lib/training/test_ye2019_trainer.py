"""One run of Ye 2019 in steps: what each stage trains, end, patience, resuming after a kill."""

import dataclasses

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.errors import ConfigError, InputError
from NeuroTriageLib.training.checkpoint import load_checkpoint, save_checkpoint
from NeuroTriageLib.training.guarded_step import MOST_SKIPPED, GuardedStep
from NeuroTriageLib.training.map_store import MapStore, StoredExam
from NeuroTriageLib.training.ye2019_recipe import SUB_LAB
from NeuroTriageLib.training.ye2019_trainer import Ye2019Trainer
from NeuroTriageLib.training.ye2019_validation import Validation
from Testing.Lib.training.synthetic_bank import write_bank
from Testing.Lib.training.ye2019_bank import TINY, TINY_PUBLISHED, TINY_PUBLISHED_TRAINING, TINY_TRAINING, loaded

VARIANTS = {"compact": (TINY, TINY_TRAINING), "published": (TINY_PUBLISHED, TINY_PUBLISHED_TRAINING)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bank(tmp_path_factory.mktemp("bank"), 8) / "train"


def trainer_on(folder, variant="compact", **changes):
    config, training = VARIANTS[variant]
    bank = loaded(folder, config)
    return Ye2019Trainer(config, dataclasses.replace(training, **changes), bank, bank, "cpu")


def part(name):
    """cells, two_type.cnn, two_type.rest, ... of a parameter's name."""
    names = name.removeprefix("cascade.").split(".")
    return names[0] if names[0] == "cells" else f"{names[0]}.{'cnn' if names[1] == 'cnn' else 'rest'}"


def moved(trainer, steps=1):
    """The parts whose parameters or statistics some steps change."""
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    for _ in range(steps):
        trainer.train_step()
    after = trainer.network.state_dict()
    return {part(name) for name, value in after.items() if (value != before[name]).any()}


@pytest.mark.parametrize(("variant", "steps", "cut"), [("compact", 18, 10), ("published", 5, 2)])
def test_a_run_that_was_killed_goes_on_as_if_nothing_had_happened(folder, tmp_path, variant, steps, cut):
    whole = trainer_on(folder, variant)
    expected = [whole.train_step() for _ in range(steps)]

    first = trainer_on(folder, variant)
    losses = [first.train_step() for _ in range(cut)]
    save_checkpoint({"trainer": first.state()}, tmp_path / "checkpoint.pt")
    second = trainer_on(folder, variant)
    second.restore(load_checkpoint(tmp_path / "checkpoint.pt")["trainer"])
    assert second.stage_index == first.stage_index
    losses += [second.train_step() for _ in range(steps - cut)]

    assert losses == expected
    assert whole.stage_index > 0, "the stages must have changed on the way"
    for ours, theirs in ((whole.network, second.network), (whole.average, second.average)):
        for name, value in ours.state_dict().items():
            assert torch.equal(value, theirs.state_dict()[name]), name


def test_published_each_network_is_trained_end_to_end_by_itself(folder):
    trainer = trainer_on(folder, "published")
    assert moved(trainer) == {"two_type.cnn", "two_type.rest"}
    trainer.next_stage()
    assert moved(trainer) == {"five_type.cnn", "five_type.rest"}
    trainer.next_stage()
    assert trainer.is_done


def test_compact_the_convolutions_learn_first_and_stay(folder):
    trainer = trainer_on(folder)
    assert moved(trainer) == {"cells", "two_type.cnn", "five_type.cnn"}  # one set of convolutions, two names
    trainer.next_stage()
    assert moved(trainer) == {"two_type.rest"}
    trainer.next_stage()
    assert moved(trainer) == {"five_type.rest"}


def test_a_run_ends_after_its_epochs(folder):
    trainer = trainer_on(folder)
    names = []
    while not trainer.is_done:
        names.append(trainer.stage_name)
        trainer.train_step()
    slabs = sum(len(exam.field.slabs) for exam in trainer.exams.bank.exams)
    counts = {name: names.count(name) for name in ("slices", "two_type", "five_type")}
    assert counts == {"slices": int(np.ceil(2 * slabs / 8)), "two_type": 8, "five_type": 4}  # half of the 8 bleed


def test_the_five_type_network_sees_bleeding_exams_only(folder):
    trainer = trainer_on(folder)
    rng = np.random.default_rng(0)
    five = [trainer.exams.draw("five_type", 0.5, rng) for _ in range(40)]
    two = [trainer.exams.draw("two_type", 0.5, rng) for _ in range(40)]
    assert all(exam.present[0] for exam in five)
    assert 8 < sum(exam.present[0] for exam in two) < 32
    assert {int(n) for exam in five for n in np.flatnonzero(exam.present[1:])} == {0, 1, 2, 3}  # what the bank holds


def test_patience_ends_a_stage_and_keeps_its_best_weights(folder, monkeypatch):
    trainer = trainer_on(folder, "published", patience_epochs=2, stages=TINY_PUBLISHED_TRAINING.stages[:1])
    trainer.training = dataclasses.replace(
        trainer.training, stages=(dataclasses.replace(trainer.training.stages[0], epochs=100),)
    )
    trainer.train_step()
    monkeypatch.setattr(Validation, "stage_merit", lambda result, **stage: 0.9)
    trainer.validate(4)
    best = {name: value.clone() for name, value in trainer.kept_weights().items()}
    monkeypatch.setattr(Validation, "stage_merit", lambda result, **stage: 0.8)
    while not trainer.is_done:
        trainer.train_step()
        if not trainer.is_done:
            trainer.validate(4)
    assert 1 + 2 * 8 / 3 <= trainer.step <= 3 + 2 * 8 / 3  # two epochs of 8 exams, 3 a step, after the best step
    assert all(torch.equal(best[name], value) for name, value in trainer.kept_weights().items())


def test_a_validation_at_a_stages_end_is_about_the_stage_that_ended(folder):
    trainer = trainer_on(folder, stages=tuple(dataclasses.replace(s, epochs=1) for s in TINY_TRAINING.stages))
    while trainer.stage_name == "slices":
        trainer.train_step()
    figures = trainer.validate(8)
    assert figures["auc_IPH"] is not None  # cells know types; the two-type network does not
    trainer.train_step()
    assert trainer.validate(8)["auc_IPH"] is None
    assert trainer.validate(9) is None  # not all there yet


def test_with_subject_labels_alone_the_slices_teach_nothing_and_the_subject_is_the_mean_of_its_slices(folder):
    other = trainer_on(folder, "published", loss_weights=SUB_LAB)
    for exam in other.bank.exams:
        exam.blood.clear()
        exam.pixels_sc[:] = 0  # no slice shows anything
    other.train_step()
    trainer = trainer_on(folder, "published", loss_weights=SUB_LAB)
    trainer.train_step()
    for name, value in trainer.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name
    two_type = trainer.network.cascade.two_type.eval()
    output = two_type.classify(torch.rand(5, two_type.fc[0].in_features), [5])
    torch.testing.assert_close(output.slices.mean(dim=0), output.subjects[0])
    assert trainer.validate(4)["merit"] == round(np.nan_to_num(trainer.validate(4)["auc_any"]), 4)


def test_networks_and_recipe_must_fit_each_other(folder):
    bank = loaded(folder, TINY)
    for config, training in ((TINY, TINY_PUBLISHED_TRAINING), (TINY_PUBLISHED, TINY_TRAINING)):
        with pytest.raises(ConfigError):
            Ye2019Trainer(config, training, bank, bank, "cpu")
    with pytest.raises(ConfigError, match="Sub-Lab"):
        Ye2019Trainer(TINY, dataclasses.replace(TINY_TRAINING, loss_weights=SUB_LAB), bank, bank, "cpu")


def test_gradients_that_are_not_numbers_change_nothing_and_then_stop_the_run():
    layer = torch.nn.Linear(2, 1)
    before = layer.weight.detach().clone()
    optimizer, step = torch.optim.SGD(layer.parameters(), 1.0), GuardedStep()
    with pytest.raises(InputError, match="not numbers"):
        for _ in range(MOST_SKIPPED):
            step(layer(torch.ones(1, 2)).sum() * float("nan"), optimizer, list(layer.parameters()))
    assert torch.equal(layer.weight, before)


def test_the_store_keeps_the_newest_exams_and_comes_back_from_a_checkpoint():
    store = MapStore(3)
    for n in range(5):
        present = torch.tensor([n % 2 == 1, False])
        store.add(StoredExam(torch.full((n + 1, 2), float(n)).half(), torch.zeros(n + 1, 2, dtype=torch.bool), present))
    assert sorted(len(exam.pooled) for exam in store.exams) == [3, 4, 5]
    rng = np.random.default_rng(0)
    assert {len(exam.pooled) for exam in store.draw(30, True, rng)} == {4}
    other = MapStore(3)
    other.restore(store.state())
    assert other.added == 5
    for ours, theirs in zip(store.exams, other.exams, strict=True):
        assert torch.equal(ours.pooled, theirs.pooled) and torch.equal(ours.present, theirs.present)
