"""The table of optional contrasts: every subset of those that a study holds is read once for each finding."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from NeuroTriageLib.preprocessing.mr_views import MrView
from NeuroTriageLib.systems.nael2021_config import NETWORKS
from Testing.Benchmarks import mr_subsets as program
from Testing.Benchmarks import simulated_exams
from Testing.Lib.evaluation.exam_making import row
from Testing.Lib.training.mr_bank import made_study

CODES = ("acute_infarct", "acute_hemorrhage")
POINTS = SimpleNamespace(manifest=SimpleNamespace(operating_points=dict.fromkeys(("abnormal", *CODES), 0.4)))


@dataclasses.dataclass(frozen=True)
class NeedsT1:
    """Right when T1 is there, certain of nothing when it is not; without diffusion it is never right."""

    device_name: str = "cpu"
    codes: tuple[str, ...] = ("abnormal", *CODES)
    pack: Any = dataclasses.field(default_factory=lambda: POINTS)

    def views_of(self, images) -> dict[str, MrView]:
        """The images as they are."""
        axial = {name: image.volume.array_kji for name, image in images.items()}
        return {name: MrView(name, images[name].volume.grid, axial, {}) for name in ("ADC", "FLAIR")}

    def probability_of(self, code: str, view: MrView) -> float:
        """The answer."""
        array = view.axial[NETWORKS[code].shown_on]
        bright = bool((array > 2 * np.percentile(array, 90)).any())
        return float(bright) if "T1" in view.axial and "ADC" in view.axial else 0.5


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
    return {code: program.table(records, code).to_json()["rows"] for code in NeedsT1().codes}


def test_every_subset_of_the_optional_contrasts_has_a_row(tables):
    assert {line["optional contrasts"] for line in tables["acute_infarct"]} == {"none", "T1", "T2", "T1 + T2"}
    assert len(tables["acute_hemorrhage"]) == 2 ** len(program.optional_names("acute_hemorrhage")) == 8
    assert all(line["studies"] == 6 and line["with it"] == 3 for code in CODES for line in tables[code])


def test_the_area_is_that_of_the_contrasts_that_were_shown(tables):
    for code in CODES:
        for line in tables[code]:
            expected = 1.0 if "T1" in line["optional contrasts"].split(" + ") else 0.5
            assert line["AUC"]["value"] == expected
    assert row(tables["acute_infarct"], **{"optional contrasts": "none"})["AUC"]["value"] == 0.5


def test_what_may_be_found_without_a_required_contrast_has_a_row_without_it(tables):
    rows = {line["optional contrasts"]: line["AUC"]["value"] for line in tables["abnormal"]}
    assert rows["all there are, without ADC and TRACE"] == 0.5 and rows["T1"] == 1.0
