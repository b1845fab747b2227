"""The bank keeps what inference sees, and its producer makes every exam once, from the right people."""

import dataclasses

import numpy as np
import pytest

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.preprocessing.network_grid import prepare
from NeuroTriageLib.simulation.phantom import phantom_head_ct
from NeuroTriageLib.systems.kuo2019_config import COMPACT
from NeuroTriageLib.training import exam_producer
from NeuroTriageLib.training.exam_bank import HEAD_HU, BankExam, ExamBank, exam_path
from NeuroTriageLib.training.exam_producer import ProductionPlan, label_maps
from NeuroTriageLib.training.kuo2019_pack import view_of
from NeuroTriageLib.training.windowed_exam import OUTSIDE

CONFIG = dataclasses.replace(COMPACT, image_size=224)


@pytest.fixture(scope="module")
def phantom():
    volume = phantom_head_ct()
    label = np.zeros(volume.array_kji.shape, np.uint8)
    middle = tuple(n // 2 for n in label.shape)
    label[middle[0] : middle[0] + 2, middle[1] : middle[1] + 8, middle[2] : middle[2] + 8] = 2
    return volume, label


def test_training_and_inference_see_the_same_tensor(phantom, tmp_path):
    volume, label = phantom
    inference = prepare(volume, CONFIG)
    BankExam.from_prepared(prepare(volume, CONFIG), label, {}).save(exam_path(tmp_path, 0))
    exam = BankExam.load(exam_path(tmp_path, 0))
    image, target = view_of(CONFIG)(exam).whole()
    window = CONFIG.window_hu[1] - CONFIG.window_hu[0]
    assert np.abs(image - inference.image_shw).max() <= 0.5 / 255 + 0.5 / window + 1e-6  # 8 bits of whole HU
    assert np.array_equal(target != OUTSIDE, inference.brain_shw)
    assert np.array_equal(target == 2, (inference.labels_from_source(label) == 2) & inference.brain_shw)
    assert (target == 2).sum() > 100


def test_the_bank_keeps_the_whole_head_in_hounsfield_units(phantom):
    volume, label = phantom
    inference = prepare(volume, CONFIG)
    exam = BankExam.from_prepared(inference, label, {"seed": 3})
    hu, brain, labels = exam.whole()
    head = inference.hu_shw > HEAD_HU
    assert np.abs(hu - inference.hu_shw)[head].max() <= 0.5 and (hu[~head] <= HEAD_HU + 0.5).all()
    assert np.array_equal(brain, inference.brain_shw)
    assert np.array_equal(labels, inference.labels_from_source(label))
    assert exam.truth == {"seed": 3} and exam.image_size == 224 and exam.hu_shw.shape[1] < 224


def test_a_windowed_exam_keeps_only_the_intracranial_box(phantom):
    volume, label = phantom
    exam = view_of(CONFIG)(BankExam.from_prepared(prepare(volume, CONFIG), label, {"seed": 3}))
    inside = exam.target_shw != OUTSIDE
    assert all(inside.any(axis=axes)[[0, -1]].all() for axes in ((0, 2), (0, 1)))
    assert exam.truth == {"seed": 3} and exam.image_size == 224


def plan_for(folder, training=100, validation=12):
    return ProductionPlan(folder / "maps", folder / "bank", CONFIG, training, validation)


def test_every_exam_is_made_once_and_validation_comes_early(tmp_path):
    order = plan_for(tmp_path).order()
    assert len(order) == len(set(order)) == 112
    assert all(name == "train" for name, _ in order[:40])
    assert [number for name, number in order[40:80] if name == "validation"] == list(range(12))


def test_a_few_exams_come_with_all_their_validation_exams(tmp_path):
    assert sorted(plan_for(tmp_path, 3, 2).order()) == [
        ("train", 0), ("train", 1), ("train", 2), ("validation", 0), ("validation", 1)
    ]  # fmt: skip


def test_what_is_on_disk_is_not_made_again(tmp_path):
    plan = plan_for(tmp_path, 3, 1)
    for name, number in plan.order()[:2]:
        path = exam_path(plan.bank / name, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert plan.missing() == plan.order()[2:]


def test_training_validation_and_test_use_different_people_and_seeds(tmp_path, monkeypatch):
    (tmp_path / "maps").mkdir()
    for number in range(1, 21):
        (tmp_path / "maps" / f"seg_{number:02d}.nii.gz").touch()
    used = []
    monkeypatch.setattr(exam_producer, "load_anatomy", lambda path, cache: path.name)
    monkeypatch.setattr(exam_producer, "simulate_head_ct", lambda anatomy, seed, settings: used.append((anatomy, seed)))
    for name, number in plan_for(tmp_path, 40, 10).order():
        with pytest.raises(AttributeError):  # the stand-in gives no exam
            exam_producer.make_exam(plan_for(tmp_path), name, number)
    training, validation = used[:40], used[40:]
    assert {anatomy for anatomy, _ in training} == {f"seg_{n:02d}.nii.gz" for n in range(1, 17)}
    assert {anatomy for anatomy, _ in validation} == {"seg_17.nii.gz", "seg_18.nii.gz"}
    assert not {seed for _, seed in training} & {seed for _, seed in validation}


def test_a_missing_label_map_is_named(tmp_path):
    with pytest.raises(InputError, match="label map 01 is missing"):
        label_maps(tmp_path, range(1, 3))


def test_a_run_that_goes_on_draws_from_its_exams_in_their_old_order(tmp_path):
    for name in ("000000", "000001", "zz-late"):
        (tmp_path / f"{name}.npz").touch()
    bank = ExamBank(tmp_path, lambda exam: exam, lambda path: path.stem)
    bank.refresh()
    (tmp_path / "000002.npz").touch()  # comes later, but before another one in the order of names
    assert bank.refresh() == 1 and bank.exams == ["000000", "000001", "zz-late", "000002"]

    again = ExamBank(tmp_path, lambda exam: exam, lambda path: path.stem)
    (tmp_path / "000003.npz").touch()
    again.start_with(list(bank.names))
    assert again.exams == bank.exams and again.refresh() == 1 and again.exams[-1] == "000003"

    (tmp_path / "zz-late.npz").unlink()
    with pytest.raises(InputError, match="not those that are here now"):
        ExamBank(tmp_path, lambda exam: exam, lambda path: path.stem).start_with(list(bank.names))
