"""Every data set's miniature trains a step of a system that can learn from it."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from NeuroTriageLib.datasets.case_source import public_source
from NeuroTriageLib.datasets.registry import DATASETS
from NeuroTriageLib.datasets.split import Split
from NeuroTriageLib.training.bank_filling import fill_bank, need_labels
from NeuroTriageLib.training.kuo2019_training import train_kuo2019
from NeuroTriageLib.training.nael2021_training import train_nael2021
from NeuroTriageLib.training.ye2019_recipe import SUB_LAB
from NeuroTriageLib.training.ye2019_training import train_ye2019
from Testing.Lib.datasets.miniatures import MAKERS
from Testing.Lib.training import mr_bank, synthetic_bank, ye2019_bank

EVERYTHING = Split(1.0, 0.0)
KUO = (train_kuo2019, synthetic_bank.TINY, synthetic_bank.TINY_TRAINING)
SLICES = (train_ye2019, ye2019_bank.TINY_PUBLISHED, ye2019_bank.TINY_PUBLISHED_TRAINING)
SUBJECTS = (*SLICES[:2], dataclasses.replace(SLICES[2], loss_weights=SUB_LAB))


def mr(*stages: str):
    """The brain-MRI networks of some findings."""
    chosen = tuple(stage for stage in mr_bank.STAGES if stage.code in stages)
    return train_nael2021, mr_bank.TINY, dataclasses.replace(mr_bank.TINY_TRAINING, stages=chosen)


LEARNERS = {
    "bhsd": KUO,
    "ct-ich": KUO,
    "instance2022": KUO,
    "rsna2019": SLICES,
    "cq500": SUBJECTS,
    "isles2022": mr("acute_infarct"),
    "soop": mr("acute_infarct"),
    "atlas2": mr("abnormal"),
    "brats": mr("abnormal"),
    "fastmri-plus": mr("abnormal"),
}


@pytest.mark.parametrize("name", DATASETS)
def test_a_step_is_trained_on_the_data_set(name, tmp_path):
    training, config, recipe = LEARNERS[name]
    source = public_source(name, MAKERS[name](tmp_path / "data"))
    need_labels(training.export.system, training.labels, training.modality, [source])

    def take(case, part):
        return training.take(case, part, config, recipe)

    (record,) = fill_bank(tmp_path / "bank", [source], take, EVERYTHING, lambda line: None)
    assert record.train, record.left_out
    bank = training.export.bank_of(tmp_path / "bank" / "train", config)
    trainer = training.trainer(config, recipe, bank, bank, "cpu")
    assert trainer.take_new_exams() == record.train
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    for stage in range(len(recipe.stages)):
        assert all(math.isfinite(loss) for loss in trainer.train_step().values())
        if trainer.stage_index == stage:
            trainer.next_stage()
    assert any(not torch.equal(value, before[name]) for name, value in trainer.network.state_dict().items())
