"""The evaluation program of brain MRI with studies of known truth and a system of known answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from NeuroTriageLib.core.codes import MR_CODES
from NeuroTriageLib.core.findings import ModelIdentity, Reading
from NeuroTriageLib.core.study_reading import StudyReading
from NeuroTriageLib.simulation.mr.settings import EXTERNAL_SETTINGS
from NeuroTriageLib.systems.nael2021_config import NETWORKS
from Testing.Benchmarks import evaluate_simulated_mr as program
from Testing.Benchmarks import simulated_exams
from Testing.Lib.evaluation.exam_making import row
from Testing.Lib.training.mr_bank import made_study

BRIGHT = 2.0  # of the 90th percentile: the made finding is brighter than that in FLAIR


@dataclass
class BrightSystem:
    """Finds everything where FLAIR and trace are far brighter than elsewhere; keeps what it was shown."""

    name: str = "nael2021"
    device_name: str = "cpu"
    shown: list[set[str]] = field(default_factory=list)

    def read_study(self, images) -> StudyReading:
        """The answer."""
        self.shown.append(set(images))
        readings = {}
        for contrast in ("FLAIR", "TRACE"):
            array = images[contrast].volume.array_kji
            bright = array > BRIGHT * np.percentile(array, 90)
            codes = tuple(code for code, network in NETWORKS.items() if network.shown_on == contrast)
            label = bright * np.uint8(len(codes))
            probability = dict.fromkeys(codes, 0.9 if bright.any() else 0.1)
            readings[contrast] = Reading(
                self.name, codes, probability, dict.fromkeys(codes, 0.5), {}, label, bright.astype(np.float16),
                ModelIdentity(self.name, "1", "0" * 64),
            )  # fmt: skip
        return StudyReading(readings, {}, timings_s={"network": 0.5})


@pytest.fixture
def system(monkeypatch) -> BrightSystem:
    """The program with made studies, every second one with all findings, and this system."""
    made = BrightSystem()
    monkeypatch.setattr(program, "load_anatomy", lambda path, cache: path.name)
    monkeypatch.setattr(
        program, "simulate_brain_mr",
        lambda anatomy, seed, settings, *, device: made_study(MR_CODES if seed % 2 else (), seed),
    )  # fmt: skip
    monkeypatch.setattr(simulated_exams, "draw_plots", lambda records, folder: [])
    monkeypatch.setattr(simulated_exams, "load", lambda reader: {"nael2021": made})
    return made


def rows_of(output, title: str) -> list[dict]:
    """The rows of a table of evaluation.json, by the beginning of its title."""
    document = json.loads((output / "evaluation.json").read_text())
    tables = [table for section in document["sections"] for table in section["tables"]]
    return next(table["rows"] for table in tables if table["title"].startswith(title))


def test_a_right_system_gets_perfect_figures_and_the_outlined_finding_its_dice(system, maps, tmp_path, capsys):
    output = tmp_path / "out"
    assert program.main([str(maps), "-o", str(output), "--exams", "8"]) == 0
    found = rows_of(output, "Is it there?")
    for code in MR_CODES:
        line = row(found, finding=code)
        assert line["with it"] == 4 and line["AUC"]["value"] == line["accuracy"]["value"] == 1.0
    infarct = row(rows_of(output, "Where is it"), finding="acute_infarct")
    assert infarct["Dice, mean"]["value"] == 1.0 and infarct["volume bias, mL"]["value"] == 0.0
    assert "Nael 2021" in capsys.readouterr().out


def test_the_required_contrasts_alone_are_a_system_of_their_own(system, maps, tmp_path):
    output = tmp_path / "out"
    program.main([str(maps), "-o", str(output), "--exams", "2", "--required-too"])
    assert system.shown[1] == {"FLAIR", "ADC", "TRACE"} < system.shown[0]
    assert any(line["who"].startswith("ours") for line in rows_of(output, "Beside Nael 2021: table 4"))


def test_studies_of_held_out_makers_can_be_drawn(tmp_path):
    maps = [tmp_path / "head_19.nii.gz"]
    jobs = program.plan(maps, exams=2, first_seed=5, matrix=160, settings="external")
    assert jobs[0].settings.profiles == EXTERNAL_SETTINGS.profiles and jobs[0].settings.matrix == 160
    assert [job.seed for job in jobs] == [5, 6]
    assert jobs[1].exam == "head_19-external-160-6"
