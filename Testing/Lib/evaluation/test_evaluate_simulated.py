"""The evaluation program with exams of known truth and a system that answers rightly."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.findings import ModelIdentity, Reading
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.evaluation.exam_records import read_records
from Testing.Benchmarks import evaluate_simulated as program

SHAPE = (6, 24, 24)
BLOOD_HU = 70


@dataclass(frozen=True)
class Exam:
    """What the program needs of a simulated exam."""

    volume: Volume
    label_kji: np.ndarray


def make_exam(anatomy, seed, settings, *, device):
    """Water with a block of bright voxels (IPH) in it when the settings want hemorrhage."""
    label = np.zeros(SHAPE, dtype=np.uint8)
    if settings.positive_probability == 1.0:
        label[1:5, 4 : 14 + seed % 3, 5:15] = 1
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    volume = Volume((label * BLOOD_HU).astype(np.int16), SliceGrid.from_affine(SHAPE, affine))
    return Exam(volume, label)


class RightSystem:
    """Finds exactly the bright voxels."""

    device_name = "cpu"

    def __init__(self) -> None:
        self.reads = 0

    def read(self, volume: Volume) -> Reading:
        """The answer."""
        self.reads += 1
        label = (volume.array_kji >= BLOOD_HU).astype(np.uint8)
        codes = ("any", *CT_HEMORRHAGE_CODES)
        found = 0.9 if label.any() else 0.1
        return Reading(
            system="right",
            codes=CT_HEMORRHAGE_CODES,
            probability={code: found if code in ("any", "IPH") else 0.05 for code in codes},
            threshold=dict.fromkeys(codes, 0.5),
            slice_probability={code: np.zeros(SHAPE[0]) for code in codes},
            label_kji=label,
            heatmap_kji=np.zeros(SHAPE, dtype=np.float16),
            model=ModelIdentity("right", "1", "0" * 64),
            timings_s={"network": 0.1},
        )


@pytest.fixture
def system(monkeypatch) -> RightSystem:
    """The program with made exams and this system in place of the real ones."""
    right = RightSystem()
    monkeypatch.setattr(program, "load_anatomy", lambda path: path.name)
    monkeypatch.setattr(program, "simulate_head_ct", make_exam)
    monkeypatch.setattr(program, "_load", lambda reader: right)
    return right


@pytest.fixture
def maps(tmp_path) -> Path:
    """A folder with two label maps (only their names matter here)."""
    folder = tmp_path / "maps"
    folder.mkdir()
    for name in ("head_a.nii.gz", "head_b.nii.gz", "LICENSE.txt"):
        (folder / name).write_bytes(b"")
    return folder


def table(output: Path, title: str) -> list[dict]:
    """The rows of one table of evaluation.json."""
    document = json.loads((output / "evaluation.json").read_text())
    return next(item["rows"] for item in document["tables"] if item["title"] == title)


def test_a_right_system_gets_perfect_figures(system, maps, tmp_path, capsys):
    output = tmp_path / "out"
    assert program.main([str(maps), "-o", str(output), "--exams", "12"]) == 0
    any_row = next(row for row in table(output, "Is it there?") if row["finding"] == "any")
    assert any_row["positive exams"] == 6
    assert any_row["AUC"]["value"] == any_row["sensitivity"]["value"] == any_row["specificity"]["value"] == 1.0
    iph = next(row for row in table(output, "Where is it?") if row["finding"] == "IPH")
    assert iph["Dice, mean"]["value"] == 1.0
    volumes = [row for row in table(output, "How much is it?") if row["finding"] == "IPH"]
    voxels, answer, truth = (row["bias, mL"]["value"] for row in volumes)
    assert voxels == 0.0 and answer == truth != 0.0
    printed = capsys.readouterr().out
    assert (output / "evaluation.md").read_text() in printed


def test_every_head_gives_as_many_positive_as_negative_exams(maps):
    jobs = program.plan(program._label_maps(maps), exams=40, first_seed=7, matrix=256)
    assert Counter((job.label_map.name, job.positive) for job in jobs) == {
        (name, positive): 10 for name in ("head_a.nii.gz", "head_b.nii.gz") for positive in (True, False)
    }
    assert len({job.exam for job in jobs}) == len({job.seed for job in jobs}) == 40


def test_a_stopped_run_goes_on_with_what_is_missing(system, maps, tmp_path):
    output = tmp_path / "out"
    program.main([str(maps), "-o", str(output), "--exams", "4"])
    program.main([str(maps), "-o", str(output), "--exams", "6"])
    assert system.reads == 6
    assert len(read_records(output / program.RECORDS_FILE)) == 6


def test_heads_can_be_chosen_by_name(system, maps, tmp_path):
    program.main([str(maps), "-o", str(tmp_path / "out"), "--exams", "2", "--only", "head_b"])
    assert {record.anatomy for record in read_records(tmp_path / "out" / program.RECORDS_FILE)} == {"head_b"}


def test_a_folder_without_label_maps_is_said_so(tmp_path):
    with pytest.raises(SystemExit, match="no label map"):
        program.main([str(tmp_path)])
