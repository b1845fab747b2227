"""Training Chang 2018 on a tiny bank: it learns, goes on after a kill, and ends in a pack that reads as validated."""

import csv
import dataclasses

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.inference.chang2018_predictor import Chang2018Predictor
from NeuroTriageLib.inference.device import choose_device
from NeuroTriageLib.io.model_packs import load_model_pack
from NeuroTriageLib.systems.chang2018 import Chang2018System
from NeuroTriageLib.systems.chang2018_config import Chang2018Config
from NeuroTriageLib.training import chang2018_training
from NeuroTriageLib.training.chang2018_pack import export_pack, kept_network
from NeuroTriageLib.training.chang2018_trainer import Chang2018Trainer
from NeuroTriageLib.training.chang2018_training import train_chang2018
from NeuroTriageLib.training.chang2018_validation import answer_exam, validate
from NeuroTriageLib.training.checkpoint import load_checkpoint, save_checkpoint
from NeuroTriageLib.training.training_run import TrainOptions
from NeuroTriageLib.training.windowed_exam import OUTSIDE
from Testing.Lib.training.chang2018_tiny import TINY, TINY_TRAINING, loaded
from Testing.Lib.training.synthetic_bank import write_bank

EXAMS = 10


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return loaded(write_bank(tmp_path_factory.mktemp("bank"), EXAMS) / "train")


def trainer_on(bank, **changes):
    return Chang2018Trainer(TINY, dataclasses.replace(TINY_TRAINING, **changes), bank, bank, "cpu")


def test_squares_are_found_and_outlined_after_a_short_training(bank):
    trainer = trainer_on(bank, steps=350, learning_rate=4e-3)
    while not trainer.is_done:
        trainer.train_step()
    result = validate(trainer.kept_network().detector, bank.exams, TINY, bfloat16=False)
    assert result.auc()["any"] == 1.0
    assert not any(answer.predicted[0] for answer in result.answers if not answer.true[0])
    # The squares' types differ in brightness only, so that a few steps tell the brightest from the darkest.
    assert result.auc()["SDH+EDH"] > 0.8 and result.auc()["SAH"] > 0.8
    boxes = Chang2018Predictor(trainer.kept_network().detector, TINY, choose_device("cpu"))
    for exam in bank.exams[1::2]:
        image, target = exam.whole()
        truth = np.isin(target, range(1, 6))
        best = max(boxes.predict(image, target != OUTSIDE).regions, key=lambda region: region.confidence)
        outlined = np.zeros_like(truth)
        outlined[best.slab][best.place] = best.mask_hw >= 0.5
        assert 2 * (outlined & truth).sum() / (outlined.sum() + truth.sum()) > 0.6


def test_a_run_that_was_killed_goes_on_as_if_nothing_had_happened(bank, tmp_path):
    whole = trainer_on(bank)
    expected = [whole.train_step() for _ in range(5)]
    first = trainer_on(bank)
    losses = [first.train_step() for _ in range(3)]
    save_checkpoint({"trainer": first.state()}, tmp_path / "checkpoint.pt")
    second = trainer_on(bank)
    second.restore(load_checkpoint(tmp_path / "checkpoint.pt")["trainer"])
    losses += [second.train_step() for _ in range(2)]
    assert losses == expected
    for ours, theirs in ((whole.network, second.network), (whole.average, second.average)):
        for name, value in ours.state_dict().items():
            assert torch.equal(value, theirs.state_dict()[name]), name


def test_a_run_ends_after_its_steps_and_trains_every_part(bank):
    trainer = trainer_on(bank)
    before = {name: value.clone() for name, value in trainer.network.named_parameters()}
    steps = 0
    while not trainer.is_done:
        losses = trainer.train_step()
        steps += 1
    assert steps == 8 and trainer.fraction() == 1.0
    assert set(losses) == {
        "objectness_loss", "proposal_box_loss", "type_loss", "region_box_loss", "mask_loss", "mask_overlap_loss",
        "pixels_loss",
    }  # fmt: skip
    still = [name for name, value in trainer.network.named_parameters() if torch.equal(value, before[name])]
    assert not still


def test_losses_without_a_weight_are_left_out(bank):
    trainer = trainer_on(bank, weights=type(TINY_TRAINING.weights)())
    assert "pixels_loss" not in trainer.train_step()


def test_validation_and_inference_see_the_same_and_say_the_same(bank):
    torch.manual_seed(1)
    trainer = trainer_on(bank)
    for _ in range(8):
        trainer.train_step()
    network = trainer.kept_network().detector.eval()
    exam = bank.exams[3]
    expected = answer_exam(network, exam, TINY, bfloat16=False).score
    seen = []
    hook = network.backbone.register_forward_pre_hook(lambda module, x: seen.append(x[0].clone()))
    answer_exam(network, exam, TINY, bfloat16=False)
    image, target = exam.whole()
    found = Chang2018Predictor(network, TINY, choose_device("cpu")).predict(image, target != OUTSIDE)
    hook.remove()
    assert torch.equal(seen[0], seen[1])
    np.testing.assert_allclose(found.score_cs.max(axis=1), expected, atol=1e-4)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole run on a bank that is already full, so that nothing has to be simulated."""
    out = tmp_path_factory.mktemp("run")
    write_bank(out / "bank", EXAMS)
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(chang2018_training.VARIANTS, "compact", (TINY, TINY_TRAINING))
        options = TrainOptions(out, out, exams=EXAMS, validation_exams=EXAMS, device="cpu", report_seconds=0.0)
        pack = train_chang2018(options, lines.append)
    return out, pack, lines, options


def test_a_run_ends_in_a_pack_that_reads(finished):
    out, path, lines, _ = finished
    pack = load_model_pack(path)
    assert pack.manifest.system == "chang2018" and Chang2018Config.from_json(pack.manifest.config) == TINY
    assert pack.manifest.codes == ("IPH", "SDH+EDH", "SAH")
    assert Chang2018System.from_pack(pack, choose_device("cpu")).config == TINY
    network = kept_network(load_checkpoint(out / "checkpoint.pt"), TINY)
    for name, value in network.state_dict().items():
        assert np.array_equal(pack.weights()[name], value.numpy()), name
    assert any(line.startswith("detector step ") and "type loss" in line for line in lines)
    assert any(line.startswith("validation at step ") and "dice_SDH+EDH" in line for line in lines)


def test_curves_and_card_are_written(finished):
    out, pack, _, _ = finished
    with (out / "curves.csv").open() as stream:
        assert {row["stage"] for row in csv.DictReader(stream)} == {"detector"}
    assert (out / "validation.csv").exists() and (out / "curves.svg").exists()
    card = (pack / "MODEL_CARD.md").read_text()
    assert "Differences from Chang 2018" in card and "optimizer: adamw instead of adam" in card
    assert "ventricles" in card and "simulated" in card


def test_a_finished_run_goes_straight_to_its_pack(finished):
    _, pack, _, options = finished
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(chang2018_training.VARIANTS, "compact", (TINY, TINY_TRAINING))
        assert train_chang2018(options, lines.append) == pack
    assert any("going on from step 8" in line for line in lines)


def test_a_checkpoint_before_the_first_validation_can_be_exported(finished, tmp_path):
    out, _, _, _ = finished
    state = load_checkpoint(out / "checkpoint.pt")
    state["best"]["weights"] = {}
    save_checkpoint(state, tmp_path / "checkpoint.pt")
    pack = load_model_pack(export_pack(tmp_path / "checkpoint.pt", tmp_path / "pack", bank=out / "bank"))
    averaged = state["trainer"]["average"]["detector.classifier.types.bias"].half().float().numpy()
    np.testing.assert_array_equal(pack.weights()["classifier.types.bias"], averaged)
    with pytest.raises(InputError, match="no validation exams"):
        export_pack(tmp_path / "checkpoint.pt", tmp_path / "other")
