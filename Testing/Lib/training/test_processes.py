"""Several processes take the steps of one: same losses, same weights, for every system; batch norms over the batch."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.training.chang2018_trainer import Chang2018Trainer
from NeuroTriageLib.training.kuo2019_trainer import Kuo2019Trainer
from NeuroTriageLib.training.nael2021_trainer import Nael2021Trainer
from NeuroTriageLib.training.processes import ALONE, Processes, joined
from NeuroTriageLib.training.shared_batch_norm import SharedBatchNorm, share_batch_norms
from NeuroTriageLib.training.ye2019_trainer import Ye2019Trainer
from Testing.Lib.training import chang2018_tiny, mr_bank, synthetic_bank, ye2019_bank
from Testing.Lib.training.started_processes import run_together

STEPS = {"kuo2019": 9, "chang2018": 4, "ye2019": 12, "ye2019-published": 3, "nael2021": 6}
TOLERANCE = 2e-3
"""Largest relative difference of a loss: sums in another order differ in the last bits, and steps let them grow."""


def trainer_of(name: str, folder: Path):
    """A tiny trainer that draws no dropout: which values are dropped is each process's own chance."""
    if name == "kuo2019":
        bank = synthetic_bank.loaded(folder / "ct" / "train")
        trainer = Kuo2019Trainer(synthetic_bank.TINY, synthetic_bank.TINY_TRAINING, bank, bank, "cpu")
    elif name == "chang2018":
        bank = chang2018_tiny.loaded(folder / "ct" / "train")
        trainer = Chang2018Trainer(chang2018_tiny.TINY, chang2018_tiny.TINY_TRAINING, bank, bank, "cpu")
    elif name == "nael2021":
        bank = mr_bank.loaded(folder / "mr" / "train")
        recipe = dataclasses.replace(mr_bank.TINY_TRAINING, bfloat16=False)
        trainer = Nael2021Trainer(mr_bank.TINY, recipe, bank, bank, "cpu")
    else:
        published = name.endswith("published")
        config = ye2019_bank.TINY_PUBLISHED if published else ye2019_bank.TINY
        recipe = ye2019_bank.TINY_PUBLISHED_TRAINING if published else ye2019_bank.TINY_TRAINING
        bank = ye2019_bank.loaded(folder / "ct" / "train", config)
        trainer = Ye2019Trainer(config, recipe, bank, bank, "cpu")
    for module in trainer.network.modules():
        if isinstance(module, (nn.Dropout, nn.Dropout3d)):
            module.p = 0.0
        if isinstance(module, nn.GRU):
            module.dropout = 0.0
    return trainer


def curve(name: str, folder: Path, processes: Processes) -> dict:
    """Losses of the steps, figures of a validation, and a sum over the weights in the end."""
    torch.set_num_threads(1)
    trainer = trainer_of(name, folder)
    trainer.share(processes)
    losses = [trainer.train_step() for _ in range(STEPS[name])]
    weights = float(sum(value.double().abs().sum() for value in trainer.kept_weights().values()))
    return {"losses": losses, "weights": weights, "stage": trainer.stage_index}


def write_curves(folder: Path, out: Path) -> None:
    """What each of several processes does."""
    with joined("cpu") as processes:
        found = {name: curve(name, folder, processes) for name in STEPS}
    (out / f"{processes.rank}.json").write_text(json.dumps(found))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("banks")
    synthetic_bank.write_bank(made / "ct", 8)
    mr_bank.write_bank(made / "mr", 4)
    return made


@pytest.fixture(scope="module")
def together(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("curves")
    run_together(write_curves, 2, folder, out)
    return [json.loads((out / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("name", STEPS)
def test_two_processes_have_the_loss_curve_of_one_with_the_same_minibatch(name, folder, together):
    alone = curve(name, folder, ALONE)
    first, second = (found[name] for found in together)
    assert first == second  # to the last bit: else the processes would drift apart
    assert first["stage"] == alone["stage"]
    for ours, theirs in zip(first["losses"], alone["losses"], strict=True):
        assert ours.keys() == theirs.keys()
        assert np.allclose(list(ours.values()), list(theirs.values()), rtol=TOLERANCE, atol=1e-5), (ours, theirs)
    assert first["weights"] == pytest.approx(alone["weights"], rel=TOLERANCE)


def test_a_shared_batch_norm_of_one_process_is_torchs_own():
    torch.manual_seed(1)
    plain = nn.Sequential(nn.BatchNorm2d(3))
    nn.init.uniform_(plain[0].weight)
    nn.init.uniform_(plain[0].bias)
    shared = nn.Sequential(nn.BatchNorm2d(3))
    shared.load_state_dict(plain.state_dict())
    share_batch_norms(shared, ALONE)
    assert isinstance(shared[0], SharedBatchNorm) and shared.state_dict().keys() == plain.state_dict().keys()
    x = torch.randn(4, 3, 5, 6) * 3 + 100.0
    images = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [net(image) for net, image in zip((plain, shared), images, strict=True)]
    assert torch.allclose(*outputs, atol=1e-4)
    for output in outputs:
        (output**3).sum().backward()
    assert torch.allclose(images[0].grad, images[1].grad, atol=1e-3)
    for ours, theirs in zip(shared.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours.grad, theirs.grad, rtol=1e-3, atol=1e-3)
    for name, value in plain.state_dict().items():
        assert torch.allclose(shared.state_dict()[name].float(), value.float(), rtol=1e-5), name
    plain.eval(), shared.eval()
    assert torch.allclose(plain(x), shared(x), atol=1e-5)


@pytest.mark.parametrize(("rows", "count"), [(16, 3), (5, 5), (8, 1)])
def test_every_row_of_a_minibatch_belongs_to_one_process(rows, count):
    parts = [Processes(rank, count).part(rows) for rank in range(count)]
    assert [n for part in parts for n in range(rows)[part]] == list(range(rows))


def test_a_minibatch_with_fewer_rows_than_processes_is_refused():
    with pytest.raises(ConfigError, match="cannot be shared among 3 processes"):
        Processes(0, 3).part(2)
