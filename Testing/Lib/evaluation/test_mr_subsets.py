"""The table of optional contrasts: every subset of those that a study holds is read once for each finding."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from NeuroTriageLib.core.findings import ModelIdentity, Reading
from NeuroTriageLib.core.study_reading import StudyReading
from NeuroTriageLib.systems.nael2021_config import NETWORKS
from Testing.Benchmarks import mr_subsets as program
from Testing.Benchmarks import simulated_exams
from Testing.Lib.evaluation.exam_making import row
from Testing.Lib.training.mr_bank import made_study

CODES = ("acute_infarct", "acute_hemorrhage")


@dataclasses.dataclass(frozen=True)
class NeedsT1:
    """Right when T1 is there, certain of nothing when it is not."""

    code: str = ""
    device_name: str = "cpu"
    codes: tuple[str, ...] = CODES

    def limited_to(self, code: str) -> NeedsT1:
        """For one finding."""
        return dataclasses.replace(self, code=code)

    def read_study(self, images) -> StudyReading:
        """The answer."""
        network = NETWORKS[self.code]
        array = images[network.shown_on].volume.array_kji
        bright = bool((array > 2 * np.percentile(array, 90)).any())
        probability = {self.code: float(bright) if "T1" in images else 0.5}
        empty = np.zeros(array.shape, np.uint8)
        reading = Reading(
            "nael2021", (self.code,), probability, {self.code: 0.5}, {}, empty, empty.astype(np.float16),
            ModelIdentity("nael2021", "1", "0" * 64),
        )  # fmt: skip
        return StudyReading({network.shown_on: reading}, {})


@pytest.fixture
def tables(monkeypatch, maps, tmp_path):
    """Finding -> rows of its table, from six made studies."""
    monkeypatch.setattr(program, "load_anatomy", lambda path, cache: path.name)
    monkeypatch.setattr(
        program,
        "simulate_brain_mr",
        lambda anatomy, seed, settings, *, device: made_study(CODES if seed % 2 else (), seed),
    )
    monkeypatch.setattr(simulated_exams, "load", lambda reader: {"nael2021": NeedsT1()})
    program.main([str(maps), "-o", str(tmp_path / "out"), "--exams", "6"])
    records = simulated_exams.read_records(tmp_path / "out" / simulated_exams.RECORDS_FILE)
    return {code: program.table(records, code).to_json()["rows"] for code in CODES}


def test_every_subset_of_the_optional_contrasts_has_a_row(tables):
    assert {line["optional contrasts"] for line in tables["acute_infarct"]} == {"none", "T1", "T2", "T1 + T2"}
    assert len(tables["acute_hemorrhage"]) == 2 ** len(program.optional_names("acute_hemorrhage")) == 8
    assert all(line["studies"] == 6 and line["with it"] == 3 for rows in tables.values() for line in rows)


def test_the_area_is_that_of_the_contrasts_that_were_shown(tables):
    for rows in tables.values():
        for line in rows:
            expected = 1.0 if "T1" in line["optional contrasts"].split(" + ") else 0.5
            assert line["AUC"]["value"] == expected
    assert row(tables["acute_infarct"], **{"optional contrasts": "none"})["AUC"]["value"] == 0.5
