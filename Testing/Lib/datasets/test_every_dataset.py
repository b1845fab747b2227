"""Every data set: its miniature is whole, its cases can be read, and a folder that is not it says so."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from NeuroTriageLib import cli
from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.core.mr_images import CONTRASTS
from NeuroTriageLib.datasets.labelled_case import LabelledCt, LabelledMr
from NeuroTriageLib.datasets.registry import DATASETS, open_dataset
from Testing.Lib.datasets import mr_miniatures
from Testing.Lib.datasets.miniatures import MAKERS

CASES = dict(zip(DATASETS, (4, 3, 2, 2, 2, 2, 2, 3, 4, 3), strict=True))
PATIENTS = CASES | {"atlas2": 2, "brats": 2, "fastmri-plus": 2}


@pytest.fixture(scope="module")
def miniatures(tmp_path_factory) -> dict[str, Path]:
    """Name -> folder; the tests only read them."""
    root = tmp_path_factory.mktemp("datasets")
    return {name: maker(root / name) for name, maker in MAKERS.items()}


@pytest.mark.parametrize("name", DATASETS)
def test_a_whole_data_set_has_no_errors(name, miniatures, monkeypatch):
    monkeypatch.setattr("NeuroTriageLib.datasets.ct_ich.NUMBERS", (49, 50, 66))  # the real set's scans are known
    found = open_dataset(name).check(miniatures[name])
    assert found.errors == ()
    assert (found.cases, found.patients) == (CASES[name], PATIENTS[name])


@pytest.mark.parametrize("name", DATASETS)
def test_every_case_can_be_read_and_knows_something_of_its_own_voxels(name, miniatures):
    dataset = open_dataset(name)
    cases = list(dataset.cases(miniatures[name]))
    assert len({case.name for case in cases}) == len(cases)
    for case in cases:
        known = case.read()
        assert known.exam_presence() or known.boxes or getattr(known, "masks", None)
        if isinstance(known, LabelledCt):
            assert dataset.card.modality == "CT"
            count = known.volume.grid.shape_kji[0]
            assert all(shown.shape == (count,) for shown in known.slice_presence().values())
        else:
            assert isinstance(known, LabelledMr) and dataset.card.modality == "MR"
            assert set(known.images) <= {*CONTRASTS, "T1post"}
            for contrast, masks in known.masks.items():
                assert all(mask.shape == known.images[contrast].volume.grid.shape_kji for mask in masks.values())


@pytest.mark.parametrize("name", DATASETS)
def test_the_folder_above_will_do(name, miniatures, tmp_path):
    above = tmp_path / "download"
    above.mkdir()
    shutil.copytree(miniatures[name], above / "unpacked")
    assert open_dataset(name).check(above).cases == CASES[name]


@pytest.mark.parametrize("name", DATASETS)
def test_another_folder_gives_one_message_that_names_what_is_missing(name, tmp_path):
    (tmp_path / "holidays").mkdir()
    with pytest.raises(InputError, match=r"is not .* or it is not all there: .* missing"):
        open_dataset(name).check(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        open_dataset(name).check(tmp_path / "nowhere")


def test_licence_and_citation_are_said_before_anything_else(miniatures, capsys):
    assert cli.main(["datasets", "check", "isles2022", str(miniatures["isles2022"])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "licence: CC BY 4.0" in lines[1] and "cite: Hernandez Petzsche" in lines[2]
    assert lines[-1] == "2 cases of 2 patients can be used."


def test_a_half_downloaded_folder_ends_with_the_exit_code_of_an_unreadable_input(tmp_path, capsys):
    root = mr_miniatures.isles2022(tmp_path / "isles")
    next(root.rglob("*0001_FLAIR.nii.gz")).unlink()
    assert cli.main(["datasets", "check", "isles2022", str(root)]) == InputError.exit_code
    assert "error: No FLAIR (1: sub-strokecase0001)" in capsys.readouterr().out


def test_the_list_has_a_card_for_every_data_set(capsys):
    assert cli.main(["datasets", "list", "--json"]) == 0
    cards = json.loads(capsys.readouterr().out)
    assert [card["name"] for card in cards] == list(DATASETS)
    assert all(card["licence"] and card["citation"] and card["labels"] for card in cards)


def test_the_described_oddities_have_the_tests_that_are_named():
    here = Path(__file__).parent
    document = (here.parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    written = {
        name for path in here.glob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    }
    named = set(re.findall(r"`(test_\w+)`", document))
    assert len(named) > 40 and named <= written
    assert set(DATASETS) <= set(re.findall(r"^\| `([\w-]+)` \|", document, re.M))
