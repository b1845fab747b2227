"""A whole run of Ye 2019 on a tiny bank: pack, card, gate, going on; and training sees what inference sees."""

import csv
import dataclasses

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.errors import ConfigError, InputError
from NeuroTriageLib.inference.device import choose_device
from NeuroTriageLib.inference.ye2019_predictor import Ye2019Predictor
from NeuroTriageLib.io.model_packs import Calibration, load_model_pack
from NeuroTriageLib.networks.cnn_rnn import window_channels
from NeuroTriageLib.preprocessing.brain_field import BrainField
from NeuroTriageLib.preprocessing.network_grid import prepare
from NeuroTriageLib.systems.ye2019 import Ye2019System
from NeuroTriageLib.systems.ye2019_config import COMPACT, PUBLISHED, Ye2019Config
from NeuroTriageLib.training import ye2019_training
from NeuroTriageLib.training.checkpoint import load_checkpoint
from NeuroTriageLib.training.exam_bank import BankExam
from NeuroTriageLib.training.labelled_exam import LabelledExam
from NeuroTriageLib.training.training_run import TrainOptions
from NeuroTriageLib.training.ye2019_networks import build_cascade
from NeuroTriageLib.training.ye2019_pack import export_pack, gate_for, kept_cascade
from NeuroTriageLib.training.ye2019_recipe import SLI_LAB, SUB_LAB
from NeuroTriageLib.training.ye2019_training import train_ye2019
from NeuroTriageLib.training.ye2019_validation import cascade_answer, validate
from Testing.Lib.systems.head_phantom import head, lesion_mask, stack
from Testing.Lib.training.synthetic_bank import synthetic_exam, write_bank
from Testing.Lib.training.ye2019_bank import TINY, TINY_PUBLISHED, TINY_PUBLISHED_TRAINING, TINY_TRAINING, loaded

EXAMS = 10


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole run on a bank that is already full, so that nothing has to be simulated."""
    out = tmp_path_factory.mktemp("run")
    write_bank(out / "bank", EXAMS)
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ye2019_training.VARIANTS, "compact", (TINY, TINY_TRAINING))
        options = TrainOptions(out, out, exams=EXAMS, validation_exams=EXAMS, device="cpu", report_seconds=0.0)
        pack = train_ye2019(options, lines.append)
    return out, pack, lines, options


def test_a_run_ends_in_a_pack_that_holds_both_networks_and_can_be_loaded(finished):
    _, path, _, _ = finished
    pack = load_model_pack(path)
    config = Ye2019Config.from_json(pack.manifest.config)
    assert dataclasses.replace(config, gate=TINY.gate) == TINY and config.gate <= TINY.gate
    weights = kept_cascade(load_checkpoint(path.parent / "checkpoint.pt"), config).weights()
    assert pack.weights().keys() == weights.keys()
    assert {name.split(".")[0] for name in weights} == {"two_type", "five_type"}
    for name, value in weights.items():
        assert np.array_equal(pack.weights()[name], value.numpy()), name
    assert Ye2019System.from_pack(pack, choose_device("cpu")).name == "ye2019"


def test_progress_names_every_stage_and_the_curves_hold_it(finished):
    out, _, lines, _ = finished
    assert any(line.startswith("slices step ") and "cell loss" in line for line in lines)
    assert any(line.startswith("two_type step ") and "subject loss" in line for line in lines)
    assert any(line.startswith("validation at step ") and "slice_auc_any" in line for line in lines)
    with (out / "curves.csv").open() as stream:
        assert {row["stage"] for row in csv.DictReader(stream)} == {"slices", "two_type", "five_type"}
    assert (out / "validation.csv").exists() and (out / "curves.svg").exists()


def test_the_card_lists_the_differences_from_the_paper(finished):
    card = (finished[1] / "MODEL_CARD.md").read_text()
    assert "Differences from Ye 2019" in card and "ImageNet" in card
    assert "both networks share their convolutions: True instead of False" in card
    assert "optimizer: adamw instead of adam" in card and "| code | exam AUC | slice AUC |" in card
    assert "simulated" in card and "Not for diagnosis" in card


def test_the_packs_operating_points_belong_to_its_calibrated_scores(finished):
    out, path, _, _ = finished
    manifest = load_model_pack(path).manifest
    config = Ye2019Config.from_json(manifest.config)
    cascade = kept_cascade(load_checkpoint(out / "checkpoint.pt"), config)
    answer = cascade_answer(cascade, config, bfloat16=False)
    result = validate(cascade, answer, loaded(out / "bank" / "validation").exams, config, TINY_TRAINING.minimum_pixels)
    called = manifest.calibration["any"].apply_all(result.scores[:, 0]) >= manifest.operating_points["any"]
    present = result.present[:, 0]
    assert manifest.metrics["validation"]["sensitivity"]["any"] == pytest.approx(called[present].mean(), abs=1e-4)
    assert present.sum() == EXAMS // 2
    assert (result.scores[called, 0] >= config.gate).all(), "whatever is called has its types asked"


def test_the_gate_is_never_above_the_operating_point():
    assert gate_for(0.5, Calibration(), 0.7) == 0.5
    assert gate_for(0.5, Calibration(), 0.2) == pytest.approx(0.2, abs=1e-5) and gate_for(0.5, Calibration(), 0.2) < 0.2
    assert gate_for(0.5, Calibration(2.0, 1.0), 0.5) == pytest.approx(1 / (1 + np.exp(0.5)), abs=1e-5)


def test_the_same_call_on_a_finished_run_only_exports_again(finished, monkeypatch):
    out, pack, _, options = finished
    monkeypatch.setitem(ye2019_training.VARIANTS, "compact", (TINY, TINY_TRAINING))
    step = load_checkpoint(out / "checkpoint.pt")["trainer"]["step"]
    lines = []
    assert train_ye2019(options, lines.append) == pack
    assert load_checkpoint(out / "checkpoint.pt")["trainer"]["step"] == step
    assert f"going on from step {step}" in lines


def test_a_folder_with_other_settings_is_refused(finished, monkeypatch):
    monkeypatch.setitem(ye2019_training.VARIANTS, "compact", (dataclasses.replace(TINY, width=0.1), TINY_TRAINING))
    with pytest.raises(ConfigError, match="other settings"):
        train_ye2019(finished[3], lambda line: None)


def test_a_checkpoint_without_validation_exams_cannot_be_exported(finished, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes((finished[0] / "checkpoint.pt").read_bytes())
    with pytest.raises(InputError, match="validation exams"):
        export_pack(tmp_path / "checkpoint.pt", tmp_path / "pack")


@pytest.mark.parametrize(("variant", "labels"), [("published", SLI_LAB), ("published-sub-lab", SUB_LAB)])
def test_the_published_recipes_run_to_a_pack_too(variant, labels, tmp_path, monkeypatch):
    write_bank(tmp_path / "bank", 6)
    assert ye2019_training.VARIANTS[variant][1].loss_weights == labels
    recipe = dataclasses.replace(TINY_PUBLISHED_TRAINING, loss_weights=labels)
    monkeypatch.setitem(ye2019_training.VARIANTS, variant, (TINY_PUBLISHED, recipe))
    options = TrainOptions(tmp_path, tmp_path, variant=variant, exams=6, validation_exams=6, device="cpu")
    pack = load_model_pack(train_ye2019(options, lambda line: None))
    names = pack.weights()
    for name in ("weight", "bias"):
        same = np.array_equal(names[f"two_type.slice_head.{name}"], names[f"two_type.subject_head.{name}"])
        assert same is (labels == SUB_LAB)
    assert any(name.startswith("two_type.cnn.") for name in names)
    assert any(name.startswith("five_type.cnn.") for name in names)


@pytest.mark.parametrize("config", [COMPACT, PUBLISHED], ids=["compact", "published"])
def test_training_and_inference_see_the_same_tensor(config, tmp_path):
    grid = stack(tilt_deg=15.0)
    settings = dataclasses.replace(config, image_size=128, pixel_spacing_mm=1.8, slab_mm=5.0)
    prepared = prepare(head(grid), settings)
    BankExam.from_prepared(prepared, lesion_mask(grid).astype(np.uint8), {}).save(tmp_path / "0.npz")
    stored = LabelledExam.of(BankExam.load(tmp_path / "0.npz"), settings).field
    fresh = BrainField.of(prepared.hu_shw, prepared.brain_shw, settings)
    assert (stored.rows, stored.columns) == (fresh.rows, fresh.columns)
    x, y = (window_channels(torch.from_numpy(f.hu_shw).float(), settings.windows_hu) for f in (stored, fresh))
    assert x.shape == y.shape and x.shape[1] == 3 and x.max() == 1.0
    assert torch.equal(x, y)


@pytest.mark.parametrize("config", [TINY, TINY_PUBLISHED], ids=["compact", "published"])
def test_validation_and_inference_give_an_exam_the_same_scores(config):
    torch.manual_seed(3)
    cascade = build_cascade(config).eval()
    exam = LabelledExam.of(synthetic_exam(0, types=(1, 3)), config)
    for gate in (0.0, 1.0):  # types asked, types not asked
        settings = dataclasses.replace(config, gate=gate)
        with torch.no_grad():
            expected, slabs = cascade_answer(cascade, settings, bfloat16=False)(exam)
        fresh = build_cascade(config)
        fresh.load_weights(cascade.weights())
        answer = Ye2019Predictor(fresh, settings, choose_device("cpu")).predict(exam.field)
        np.testing.assert_allclose(answer.exam_scores, expected.numpy(), atol=1e-5)
        np.testing.assert_allclose(answer.slab_scores[:, exam.field.slabs].T, slabs.numpy(), atol=1e-5)
        assert answer.types_asked is (gate == 0.0)


def test_answers_of_types_that_were_always_asked_tell_what_a_gate_makes_of_them(finished):
    cascade = kept_cascade(load_checkpoint(finished[0] / "checkpoint.pt"), TINY)
    exams = loaded(finished[0] / "bank" / "validation").exams

    def answers(gate):
        settings = dataclasses.replace(TINY, gate=gate)
        return validate(cascade, cascade_answer(cascade, settings, bfloat16=False), exams, settings, 4)

    gate = float(np.median(answers(0.0).scores[:, 0]))
    expected, made = answers(gate), answers(0.0).gated(gate, TINY.unasked_share)
    np.testing.assert_allclose(made.scores, expected.scores, rtol=1e-6)
    for ours, theirs in zip(made.answers, expected.answers, strict=True):
        np.testing.assert_allclose(ours.slabs, theirs.slabs, rtol=1e-6)


def test_an_exams_labels_come_from_its_pixels():
    exam = LabelledExam.of(synthetic_exam(0, types=(1, 3)), TINY)
    assert exam.present.tolist() == [True, True, False, True, False, False]
    labels = exam.slab_labels(4)
    assert labels.any(axis=1).tolist() == [False, False, True, False, False]
    assert labels[2].tolist() == exam.present.tolist()
    assert (exam.label_of(2) == 3).sum() <= 64 and not exam.label_of(0).any()
    assert not exam.slab_labels(65).any()
