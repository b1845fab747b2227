"""A whole run on a tiny bank: progress, curves, pack, card, going on."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from NeuroTriageLib import __version__
from NeuroTriageLib.cli import main
from NeuroTriageLib.core.errors import ConfigError, InputError
from NeuroTriageLib.io.model_packs import load_model_pack
from NeuroTriageLib.systems.kuo2019_config import Kuo2019Config
from NeuroTriageLib.training import kuo2019_training
from NeuroTriageLib.training.checkpoint import load_checkpoint
from NeuroTriageLib.training.dense_validation import validate
from NeuroTriageLib.training.kuo2019_pack import export_pack, kept_network
from NeuroTriageLib.training.kuo2019_training import train_kuo2019
from NeuroTriageLib.training.training_run import TrainOptions
from Testing.Lib.training.synthetic_bank import TINY, TINY_TRAINING, loaded, write_bank

EXAMS = 10


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole run on a bank that is already full, so that nothing has to be simulated."""
    out = tmp_path_factory.mktemp("run")
    write_bank(out / "bank", EXAMS)
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(kuo2019_training.VARIANTS, "compact", (TINY, TINY_TRAINING))
        options = TrainOptions(out, out, exams=EXAMS, validation_exams=EXAMS, device="cpu", report_seconds=0.0)
        pack = train_kuo2019(options, lines.append)
    return out, pack, lines, options


def test_a_run_ends_in_a_pack_that_can_be_loaded(finished):
    _, path, _, _ = finished
    pack = load_model_pack(path)
    config = Kuo2019Config.from_json(pack.manifest.config)
    assert pack.manifest.system == "kuo2019"
    assert dataclasses.replace(config, pixel_threshold=TINY.pixel_threshold) == TINY
    network = kept_network(load_checkpoint(path.parent / "checkpoint.pt"), TINY)
    assert set(pack.weights()) == set(network.state_dict())
    for name, value in network.state_dict().items():
        assert np.array_equal(pack.weights()[name], value.numpy()), name


def test_progress_names_stage_step_losses_and_speed(finished):
    lines = finished[2]
    assert any(
        line.startswith("joint step ") and "pixel loss" in line and "patch loss" in line and "/s  " in line
        for line in lines
    )
    assert any(line.startswith("validation at step ") and "dice_any" in line for line in lines)


def test_curves_hold_every_report(finished):
    out = finished[0]
    with (out / "curves.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["stage"] for row in rows} == {"segmentation", "patch", "joint"}
    assert [int(row["step"]) for row in rows] == sorted(int(row["step"]) for row in rows)
    assert (out / "validation.csv").exists() and (out / "curves.svg").exists()


def test_the_card_lists_the_differences_from_the_paper(finished):
    card = (finished[1] / "MODEL_CARD.md").read_text()
    assert "optimizer: adamw instead of sgd" in card
    assert "width of the network: 0.05 instead of 1.0" in card
    assert "simulated" in card and "Not for diagnosis" in card


def test_the_pack_says_what_it_was_made_of(finished, capsys):
    path = finished[1]
    training = load_model_pack(path).manifest.training
    assert training["recipe"]["seed"] == TINY_TRAINING.seed and training["steps"] > 0
    assert training["simulated"]["exams"] == {"train": EXAMS, "validation": EXAMS}
    assert training["simulated"]["seeds"] == {"train": [0, EXAMS - 1], "validation": [1_000_000, 1_000_000 + EXAMS - 1]}
    assert training["device"]["kind"] == "cpu" and training["device"]["processes"] == 1
    assert training["code"]["neurotriage"] == __version__ and training["code"]["torch"]
    assert main(["info", str(path)]) == 0
    printed = capsys.readouterr().out
    for said in ("code:", "seed: 1", "simulated:", "device:", f"neurotriage: {__version__}"):
        assert said in printed, said


def test_the_packs_operating_points_belong_to_its_calibrated_scores(finished):
    out, path, _, _ = finished
    manifest = load_model_pack(path).manifest
    network = kept_network(load_checkpoint(out / "checkpoint.pt"), TINY)
    result = validate(network, loaded(out / "bank" / "validation").exams, TINY, bfloat16=False)
    called = manifest.calibration["any"].apply_all(result.scores[:, 0]) >= manifest.operating_points["any"]
    present = result.present[:, 0]
    assert manifest.metrics["validation"]["sensitivity"]["any"] == pytest.approx(called[present].mean(), abs=1e-4)
    assert present.sum() == EXAMS // 2


def test_the_same_call_on_a_finished_run_only_exports_again(finished, monkeypatch):
    out, pack, _, options = finished
    monkeypatch.setitem(kuo2019_training.VARIANTS, "compact", (TINY, TINY_TRAINING))
    step = load_checkpoint(out / "checkpoint.pt")["trainer"]["step"]
    lines = []
    assert train_kuo2019(options, lines.append) == pack
    assert load_checkpoint(out / "checkpoint.pt")["trainer"]["step"] == step
    assert f"going on from step {step}" in lines


def test_a_folder_with_other_settings_is_refused(finished, monkeypatch):
    monkeypatch.setitem(kuo2019_training.VARIANTS, "compact", (dataclasses.replace(TINY, width=0.1), TINY_TRAINING))
    with pytest.raises(ConfigError, match="other settings"):
        train_kuo2019(finished[3], lambda line: None)


def test_a_checkpoint_without_validation_exams_cannot_be_exported(finished, tmp_path):
    copied = tmp_path / "checkpoint.pt"
    copied.write_bytes((finished[0] / "checkpoint.pt").read_bytes())
    with pytest.raises(InputError, match="validation exams"):
        export_pack(copied, tmp_path / "pack")


def test_a_variant_that_the_system_does_not_have_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such variant"):
        train_kuo2019(TrainOptions(tmp_path, tmp_path, variant="published-sub-lab"), lambda line: None)


def test_missing_label_maps_are_an_input_error(tmp_path):
    with pytest.raises(InputError, match="label map 01 is missing"):
        train_kuo2019(TrainOptions(Path(tmp_path / "none"), tmp_path / "out", exams=1), lambda line: None)


def test_the_network_that_is_kept_is_the_best_of_the_last_stage(finished):
    state = load_checkpoint(finished[0] / "checkpoint.pt")
    assert state["best"]["stage"] == 2
    assert torch.equal(
        state["best"]["weights"]["pixel_score.weight"].half().float(),
        kept_network(state, TINY).state_dict()["pixel_score.weight"],
    )
