"""The loop at a simulated hospital, small: what is corrected, what is held out, and what a user does with the outcome.

Whether the model gains is shown by Testing/Benchmarks/local_loop.py (docs/fine_tuning.md), which takes half an hour.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pytest
import SimpleITK as sitk

from NeuroTriageLib import catalog, cli
from NeuroTriageLib.io.model_packs import load_model_pack
from NeuroTriageLib.simulation.phantom import phantom_labels
from NeuroTriageLib.training.rehearsal import FINE_TUNING_SPLIT
from Testing.Benchmarks import local_loop


@pytest.fixture(scope="module")
def maps(tmp_path_factory) -> Path:
    """Twenty label maps of one head of a child's size."""
    folder = tmp_path_factory.mktemp("maps")
    sitk.WriteImage(sitk.GetImageFromArray(phantom_labels(0.6)), str(folder / "head_01.nii.gz"))
    for number in range(2, 21):
        os.link(folder / "head_01.nii.gz", folder / f"head_{number:02d}.nii.gz")
    return folder


def test_no_patient_is_both_corrected_and_held_out_and_no_seed_is_used_twice(maps, tmp_path):
    options = argparse.Namespace(corrected=20, held_out=60, first_seed=7_000_000, heads=tmp_path)
    corrected, held_out = local_loop.corrected_cases(maps, options), local_loop.held_out_cases(maps, options).cases
    parts = [FINE_TUNING_SPLIT.part_of(case.patient) for case in corrected]
    assert parts == ["train"] * 17 + ["validation"] * 3
    assert {FINE_TUNING_SPLIT.part_of(case.patient) for case in held_out} == {"test"}
    cases = [*corrected, *held_out]
    assert len({case.name for case in cases}) == len({case.patient for case in cases}) == 80


@pytest.mark.slow
def test_the_loop_ends_in_a_pack_with_its_comparison_that_can_be_accepted_and_taken_back(
    maps, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    sizes = {"corrected": 5, "held-out": 2, "elsewhere": 2, "rehearsed": 4, "validation": 2, "minutes": 0.1}
    wishes = [text for name, value in sizes.items() for text in (f"--{name}", str(value))]
    out = tmp_path / "out"
    assert local_loop.main([str(maps), "-o", str(out), *wishes]) in (0, 1)  # too short to gain
    document = json.loads((out / "comparison.json").read_text())
    assert document["sets"]["this site"]["exams"] == document["sets"]["simulated"]["exams"] == 2
    pack = load_model_pack(out / "run" / "kuo2019-compact-local-1")
    training = pack.manifest.training
    assert training["started_from"]["name"] == "kuo2019-compact" and training["sources"][0]["exams"]["train"] == 2
    assert training["split"] == {"train": 0.65, "validation": 0.1, "seed": 1}
    assert cli.main(["models", "accept", str(pack.path), "--despite", "made for a test"]) == 0
    assert catalog.load_system("kuo2019", device="cpu").pack.identity == pack.identity
    assert cli.main(["models", "back"]) == 0
    assert catalog.load_system("kuo2019", device="cpu").pack.manifest.name == "kuo2019-compact"
    capsys.readouterr()
