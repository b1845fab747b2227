"""Every data set's miniature is read by a system and compared with its own labels."""

from __future__ import annotations

import pytest

from NeuroTriageLib.catalog import load_system
from NeuroTriageLib.core.codes import ANY, MR_CODES
from NeuroTriageLib.datasets.registry import DATASETS, open_dataset
from NeuroTriageLib.experiments.case_reading import HeldOutCase, read_cases
from Testing.Lib import tiny_nael2021, tiny_packs
from Testing.Lib.datasets.miniatures import MAKERS


@pytest.fixture(scope="module")
def systems(tmp_path_factory):
    """Modality -> a tiny system."""
    folder = tmp_path_factory.mktemp("packs")
    return {
        "CT": load_system("kuo2019", pack=tiny_packs.save(folder / "ct"), device="cpu"),
        "MR": load_system("nael2021", pack=tiny_nael2021.save(folder / "mr"), device="cpu"),
    }


@pytest.mark.parametrize("name", DATASETS)
def test_every_case_is_read_and_compared(name, systems, tmp_path):
    dataset = open_dataset(name)
    cases = [HeldOutCase(case, simulated=False) for case in dataset.cases(MAKERS[name](tmp_path / "data"))]
    system = systems[dataset.card.modality]
    records, left_out = read_cases(cases, lambda: system, tmp_path / "records.jsonl", lambda line: None, both=False)
    assert len(records) == len(cases) and not left_out
    codes = {ANY} if dataset.card.modality == "CT" else set(MR_CODES)
    assert all(codes & record.truth.keys() for record in records), "something is known of every case"
    assert all(system.name in record.answers for record in records)
    compared = [code for record in records for code in record.truth if code in record.answers[system.name].groups]
    unseen = name in ("atlas2", "brats", "fastmri-plus")  # no diffusion: nobody can look for what is known of them
    assert bool(compared) != unseen
