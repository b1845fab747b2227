"""`neurotriage evaluate --dataset`: results against the labels of a public data set, a training's patients left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from NeuroTriageLib import cli
from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.core.findings import ExamResult
from NeuroTriageLib.datasets.split import Split
from NeuroTriageLib.evaluation.dataset_truth import find_dataset_truth
from NeuroTriageLib.evaluation.evaluate_folders import compare_folders
from NeuroTriageLib.evaluation.mr_folders import is_mr_truth
from NeuroTriageLib.simulation.exam_folders import write_image
from Testing.Lib.datasets import mr_miniatures
from Testing.Lib.evaluation.test_evaluate_command import write_results
from Testing.Lib.exam_builder import IPH_AND_SDH, ExamSettings, build_exam

BHSD_VALUES = {"EDH": 1, "IPH": 2, "IVH": 3, "SAH": 4, "SDH": 5}
NAME = "ID_0b10cbee_ID_f91d6a7cd2"


def ct_like(shape: tuple[int, int, int]) -> np.ndarray:
    hu = np.full(shape, -1000, np.int16)
    hu[:, 2:-2, 2:-2], hu[:, 3:-3, 3:-3] = 800, 30
    return hu


@pytest.fixture
def bhsd(tmp_path) -> Path:
    """A data set whose one exam is what the result says, with its own label values and rows turned."""
    result: ExamResult = build_exam(ExamSettings(blood=IPH_AND_SDH))
    reading = result.readings[0]
    values = np.array([0, *(BHSD_VALUES[code] for code in reading.codes)], np.uint8)
    for folder, array in (("images", ct_like(result.grid.shape_kji)), ("ground truths", values[reading.label_kji])):
        (tmp_path / "bhsd" / "label_192" / folder).mkdir(parents=True)
        write_image(array, result.grid, tmp_path / "bhsd" / "label_192" / folder / f"{NAME}.nii.gz")
    write_results(result, tmp_path / "out" / NAME)
    return tmp_path / "bhsd"


def test_an_answer_that_is_the_data_set_s_own_mask_is_perfect(bhsd, tmp_path):
    (record,) = compare_folders(tmp_path / "out", find_dataset_truth("bhsd", bhsd)).records
    assert record.simulated is False
    for code in ("any", "IPH", "SDH"):
        truth, answer = record.truth[code], record.answers["kuo2019"].groups[code]
        assert truth.present and truth.volume_ml == pytest.approx(answer.volume_ml)
        assert answer.overlap_ml == pytest.approx(answer.volume_ml)
    assert not record.truth["EDH"].present


def test_only_the_patients_that_a_split_kept_for_the_test_are_evaluated(bhsd, tmp_path, capsys):
    command = ["evaluate", str(tmp_path / "out"), "--dataset", "bhsd", str(bhsd)]
    assert cli.main(command) == 0
    part = {seed: Split(0.5, 0.1, seed).part_of("rsna2019:ID_0b10cbee") for seed in range(30)}
    kept = next(seed for seed, name in part.items() if name == "test")
    trained = next(seed for seed, name in part.items() if name == "train")
    assert cli.main([*command, "--split", "0.5", "0.1", str(kept)]) == 0
    assert cli.main([*command, "--split", "0.5", "0.1", str(trained)]) == 3
    assert "No case of the data set is left for the test" in capsys.readouterr().err


def test_two_truths_or_none_are_refused(bhsd, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert cli.main(["evaluate", out]) == ConfigError.exit_code
    assert cli.main(["evaluate", out, out, "--dataset", "bhsd", str(bhsd)]) == ConfigError.exit_code


def test_cases_of_an_mri_data_set_are_mri_truths(tmp_path):
    truths = find_dataset_truth("isles2022", mr_miniatures.isles2022(tmp_path))
    assert set(truths) == {"sub-strokecase0001", "sub-strokecase0002"}
    assert all(is_mr_truth(entry) for entry in truths.values())
