"""A pack's weights as the start of another training: the same answers at first, gentler steps, provenance."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.errors import ModelError
from NeuroTriageLib.io.model_packs import load_model_pack
from NeuroTriageLib.training import chang2018_training, kuo2019_training, nael2021_training, ye2019_training
from NeuroTriageLib.training.fine_tuning import RATE_SHARE, gentle, start_from
from NeuroTriageLib.training.kuo2019_trainer import Kuo2019Trainer
from Testing.Lib import tiny_packs
from Testing.Lib.training.synthetic_bank import TINY, TINY_TRAINING, loaded, write_bank

SYSTEMS = (kuo2019_training, chang2018_training, ye2019_training, nael2021_training)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return loaded(write_bank(tmp_path_factory.mktemp("bank"), 4) / "train")


def trainer_of(bank, seed: int, config=TINY) -> Kuo2019Trainer:
    return Kuo2019Trainer(config, dataclasses.replace(TINY_TRAINING, seed=seed), bank, bank, "cpu")


def test_a_trainer_that_starts_from_weights_keeps_exactly_those(bank):
    first, second = trainer_of(bank, 1), trainer_of(bank, 2)
    assert any(
        not torch.equal(a, b)
        for a, b in zip(first.kept_weights().values(), second.kept_weights().values(), strict=True)
    )
    second.start_from(first.kept_weights())
    for kept in (second.kept_weights(), second.network.state_dict()):
        assert all(torch.equal(value, kept[name]) for name, value in first.kept_weights().items())
    second.train_step()
    assert any(
        not torch.equal(value, second.network.state_dict()[name]) for name, value in first.kept_weights().items()
    )


def test_the_new_pack_can_say_what_it_started_from_and_another_system_is_refused(bank, tmp_path):
    pack = load_model_pack(tiny_packs.save(tmp_path / "tiny"))
    trainer = trainer_of(bank, 1)
    with pytest.raises(ModelError, match="cannot go on from it"):
        start_from(trainer, pack, "ye2019")
    with pytest.raises(ModelError, match="another shape"):
        start_from(trainer_of(bank, 1, dataclasses.replace(TINY, width=0.1)), pack, "kuo2019")


@pytest.mark.parametrize("module", SYSTEMS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_recipe_can_be_made_gentle(module):
    for _, recipe in module.VARIANTS.values():
        made = gentle(recipe)
        ours, theirs = (_rates(each) for each in (made, recipe))
        assert np.allclose(ours, RATE_SHARE * np.array(theirs)) and len(ours)


def _rates(recipe) -> list[float]:
    if "learning_rate" in {field.name for field in dataclasses.fields(recipe)}:
        return [recipe.learning_rate]
    return [stage.learning_rate for stage in recipe.stages]
