"""A whole run of Nael 2021 on a tiny bank: every stage, pack, card, going on; and the pack reads a study."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.codes import MR_CODES
from NeuroTriageLib.inference.device import choose_device
from NeuroTriageLib.io.model_packs import load_model_pack
from NeuroTriageLib.systems.nael2021 import Nael2021System
from NeuroTriageLib.systems.nael2021_config import PUBLISHED, Nael2021Config
from NeuroTriageLib.training import nael2021_training
from NeuroTriageLib.training.checkpoint import load_checkpoint
from NeuroTriageLib.training.nael2021_bank import simulated_images
from NeuroTriageLib.training.nael2021_pack import export_pack, kept_networks
from NeuroTriageLib.training.nael2021_recipe import COMPACT_TRAINING, PUBLISHED_TRAINING
from NeuroTriageLib.training.nael2021_trainer import Nael2021Trainer
from NeuroTriageLib.training.nael2021_training import train_nael2021
from NeuroTriageLib.training.nael2021_validation import validate
from NeuroTriageLib.training.training_run import TrainOptions
from Testing.Lib import tiny_nael2021
from Testing.Lib.training.mr_bank import TINY, TINY_TRAINING, loaded, made_study, write_bank

STUDIES = 4


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole run on a bank that is already full, so that nothing has to be simulated."""
    out = tmp_path_factory.mktemp("run")
    write_bank(out / "bank", STUDIES)
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(nael2021_training.VARIANTS, "compact", (TINY, TINY_TRAINING))
        options = TrainOptions(out, out, exams=STUDIES, validation_exams=STUDIES, device="cpu", report_seconds=0.0)
        pack = train_nael2021(options, lines.append)
    return out, pack, lines


def test_a_run_ends_in_a_pack_of_all_four_networks_that_reads_a_study(finished):
    _, path, _ = finished
    pack = load_model_pack(path)
    assert pack.manifest.codes == MR_CODES and set(pack.manifest.operating_points) == set(MR_CODES)
    assert {name.split(".")[0] for name in pack.weights()} == set(MR_CODES)
    answer = Nael2021System.from_pack(pack, choose_device("cpu")).read_study(simulated_images(made_study()))
    said = {code: p for reading in answer.readings.values() for code, p in reading.probability.items()}
    assert set(said) == set(MR_CODES) and all(0 <= p <= 1 for p in said.values())


def test_the_exported_figures_are_those_of_the_shipped_weights(finished):
    out, path, _ = finished
    pack = load_model_pack(path)
    config = Nael2021Config.from_json(pack.manifest.config)
    networks = kept_networks(load_checkpoint(out / "checkpoint.pt"), config)
    again = validate(networks, loaded(out / "bank" / "validation").exams, config, MR_CODES).summary()
    said = pack.manifest.metrics["validation"]
    assert said["exams"] == STUDIES and said["auc"] == again["auc"] and said["dice"] == again["dice"]


def test_every_stage_trained_and_is_in_the_curves(finished):
    out, _, lines = finished
    with (out / "curves.csv").open() as stream:
        assert {row["stage"] for row in csv.DictReader(stream)} == {stage.name for stage in TINY_TRAINING.stages}
    assert any("acute_infarct_study step" in line and "study loss" in line for line in lines)
    assert any("auc_mass_effect" in line for line in lines)


def test_the_card_lists_the_differences_from_the_paper(finished):
    card = (finished[1] / "MODEL_CARD.md").read_text()
    assert "Differences from Nael 2021" in card and "simulated brain MRI" in card and "Not for diagnosis" in card
    assert "rows and columns of the networks' images: 32 instead of 256" in card
    assert "| code | study AUC | Dice of the localization |" in card and "| mass_effect |" in card


def test_a_pack_can_be_made_again_from_the_checkpoint(finished, tmp_path):
    out, path, _ = finished
    again = export_pack(out / "checkpoint.pt", tmp_path / path.name)
    assert load_model_pack(again).manifest == load_model_pack(path).manifest


def trainer(folder, **changes) -> Nael2021Trainer:
    training = dataclasses.replace(TINY_TRAINING, **changes)
    return Nael2021Trainer(TINY, training, loaded(folder / "train"), loaded(folder / "validation"), "cpu")


def test_a_stage_changes_only_its_own_part_of_its_own_network(finished):
    one = trainer(finished[0] / "bank", average_decay=0.0)
    before = {name: value.clone() for name, value in one.network.state_dict().items()}
    one.train_step()
    changed = {name for name, value in one.network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("abnormal.localization.") for name in changed)
    while one.stage.name != "acute_infarct_study":
        one.next_stage()
    before = {name: value.clone() for name, value in one.network.state_dict().items()}
    one.train_step()
    changed = {name for name, value in one.network.state_dict().items() if not torch.equal(value, before[name])}
    assert {name.split(".")[0] for name in changed} == {"acute_infarct"}
    assert {name.split(".")[1] for name in changed} >= {"localization", "axial", "final", "study"}


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(finished):
    folder = finished[0] / "bank"
    whole, killed, resumed = (trainer(folder) for _ in range(3))
    for one, steps in ((whole, 3), (killed, 2)):
        torch.manual_seed(7)  # dropout's draws, which one process shares between trainers
        for _ in range(steps):
            one.train_step()
    resumed.restore(killed.state())
    resumed.train_step()
    for name, value in whole.kept_weights().items():
        assert torch.equal(value, resumed.kept_weights()[name]), name


def test_the_localization_learns_where_a_plain_finding_is(finished):
    stages = (dataclasses.replace(TINY_TRAINING.stages[2], epochs=30, learning_rate=1e-2),)
    assert stages[0].name == "acute_infarct_lfe"
    one = trainer(finished[0] / "bank", stages=stages, average_decay=0.0, bfloat16=False)
    first = one.validate(STUDIES)
    while not one.is_done:
        one.train_step()
    last = one.validate(STUDIES)
    assert last["merit"] > first["merit"] and last["dice_acute_infarct"] > 0.3


def test_a_pack_without_all_networks_goes_on_learning_with_those_that_it_has(tmp_path, monkeypatch):
    monkeypatch.setitem(nael2021_training.VARIANTS, "compact", (TINY, TINY_TRAINING))
    write_bank(tmp_path / "bank", STUDIES)
    start = tiny_nael2021.save(tmp_path / "start", dataclasses.replace(TINY, codes=("acute_infarct",)))
    options = TrainOptions(
        tmp_path, tmp_path, exams=STUDIES, validation_exams=STUDIES, device="cpu", start=start, report_seconds=0.0
    )
    told: list[str] = []
    manifest = load_model_pack(train_nael2021(options, told.append)).manifest
    assert manifest.codes == ("acute_infarct",) and manifest.training["started_from"]["name"] == "tiny-nael2021"
    stages = manifest.training["recipe"]["stages"]
    assert [stage["code"] for stage in stages] == ["acute_infarct"] * 2
    assert sum(stage["share"] for stage in stages) == pytest.approx(1.0)


def test_a_localization_without_weight_is_left_as_the_first_part_made_it(finished):
    one = trainer(finished[0] / "bank", lfe_weight=None, average_decay=0.0)
    one.next_stage()
    assert one.stage.part == "study"
    network = one.network[one.stage.code]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    one.train_step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and not any(name.startswith("localization.") for name in changed)


def test_patience_ends_a_stage_with_its_best_weights(finished):
    one = trainer(finished[0] / "bank", patience_epochs=1, average_decay=0.0)
    one.validate(STUDIES)
    best = {name: value.clone() for name, value in one.best_weights.items()}
    assert best
    steps = 0
    while one.stage_index == 0:
        one.train_step()
        steps += 1
    assert steps == STUDIES // TINY_TRAINING.batch_size
    assert all(torch.equal(value, best[name]) for name, value in one.network.state_dict().items())


def test_the_published_recipe_is_the_papers():
    assert PUBLISHED_TRAINING.optimizer == "adam" and PUBLISHED_TRAINING.positive_share == 0.5
    assert all(stage.epochs == 500 for stage in PUBLISHED_TRAINING.stages)
    assert [stage.part for stage in PUBLISHED_TRAINING.stages] == ["lfe", "study"] * 4
    assert PUBLISHED_TRAINING.lfe_weight == 0.0 and PUBLISHED_TRAINING.augmentation.rotation_deg == 0.0
    for recipe in (PUBLISHED_TRAINING, COMPACT_TRAINING):
        assert sum(stage.share for stage in recipe.stages) == pytest.approx(1.0)
    assert np.prod(PUBLISHED.shape_dhw) == 32 * 256 * 256
