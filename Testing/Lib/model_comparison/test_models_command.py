"""`neurotriage models`: compare on exams that were kept for the test, accept, list, go back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from NeuroTriageLib import catalog, cli
from NeuroTriageLib.core.codes import MR_CODES
from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.datasets.case_source import CaseSource
from NeuroTriageLib.datasets.labelled_case import Case, LabelledCt
from NeuroTriageLib.datasets.registry import open_dataset
from NeuroTriageLib.datasets.split import Split
from NeuroTriageLib.io.model_packs import load_model_pack, read_manifest, save_model_pack
from NeuroTriageLib.model_comparison import held_out
from NeuroTriageLib.model_comparison.held_out import local_cases, splits_of
from NeuroTriageLib.model_registry import ModelRegistry
from NeuroTriageLib.outputs.nrrd_writer import write_nrrd
from NeuroTriageLib.simulation.phantom import phantom_head_ct
from NeuroTriageLib.training.pack_export import licence_of
from Testing.Lib import tiny_nael2021, tiny_packs
from Testing.Lib.datasets import mr_miniatures


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer with a pack of kuo2019 and a consensus, a new model, and three exams with masks."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(catalog, "models_folder", lambda: tmp_path / "Models")
    shipped = tiny_packs.save(tmp_path / "Models" / "kuo2019-compact")
    tiny_packs.save_consensus(tmp_path / "Models" / "consensus-compact", shipped)
    save_model_pack(tmp_path / "new", tiny_packs.manifest(name="new"), tiny_packs.weights(3))
    for name in ("images", "masks"):
        (tmp_path / "own" / name).mkdir(parents=True)
    for n in range(3):
        volume = phantom_head_ct(seed=n)
        blood = np.zeros(volume.array_kji.shape, np.uint8)
        if n != 1:
            blood[20:24, 50:70, 60:75] = 1
        hu = np.where(blood > 0, 70, volume.array_kji).astype(np.int16)
        write_nrrd(tmp_path / "own" / "images" / f"JONES{n}.nrrd", hu, volume.grid, {})
        write_nrrd(tmp_path / "own" / "masks" / f"JONES{n}.nrrd", blood, volume.grid, {})
    return tmp_path


def compare(site: Path, *more: str) -> int:
    return cli.main(["models", "compare", str(site / "new"), "--masks", str(site / "own"), "--device", "cpu", *more])


def test_a_model_is_compared_accepted_and_taken_back(site, capsys):
    assert compare(site, "-o", str(site / "out")) == 0
    said = capsys.readouterr().out
    assert "exam by exam" in said and "present reader: consensus" in said and "Advice:" in said
    assert "JONES" not in said + (site / "out" / "comparison.json").read_text()
    document = json.loads((site / "out" / "comparison.json").read_text())
    assert document["sets"]["this site"]["exams"] == 3 and document["new"]["name"] == "new"
    accepted = cli.main(["models", "accept", str(site / "new"), "--reader", "yes", "--despite", "for the test"])
    told = capsys.readouterr().out
    assert accepted == 0 and "kuo2019 reads with new 1.2 from now on." in told
    assert "in place of consensus" in told and "neurotriage train consensus" in told
    assert catalog.load_system().pack.manifest.name == "new"
    (entry,) = ModelRegistry().history()
    assert entry.comparison["sets"]["this site"]["exams"] == 3 and "exams" not in entry.comparison
    assert cli.main(["models", "back"]) == 0
    assert "kuo2019 reads with tiny 1.2 again" in capsys.readouterr().out
    assert catalog.default_system() == "consensus"
    assert cli.main(["models", "list"]) == 0
    listed = capsys.readouterr().out
    assert "consensus: consensus 1.2, reads head CT by default" in listed and listed.count("history:") == 2


def test_a_model_that_was_not_compared_is_refused_unless_a_reason_is_kept(site, capsys):
    assert cli.main(["models", "accept", str(site / "new")]) == ConfigError.exit_code
    assert "was not compared" in capsys.readouterr().err
    assert ModelRegistry().history() == ()
    assert cli.main(["models", "accept", str(site / "new"), "--despite", "compared elsewhere"]) == 0
    (entry,) = ModelRegistry().history()
    assert entry.despite == "compared elsewhere" and entry.comparison is None and entry.reader_of == ""
    assert "consensus goes on reading by default" in capsys.readouterr().out


def test_advice_against_a_model_is_heard(site, capsys):
    compare(site, "--without-reader")
    registry = ModelRegistry()
    manifests = [read_manifest(path) for path in (site / "new", catalog.find_pack("kuo2019"))]
    from NeuroTriageLib.io.model_packs import pack_digest

    new, old = map(pack_digest, manifests)
    document = registry.comparison(new, old)
    registry.keep_comparison(document | {"advice": "keep"}, (new, old))
    capsys.readouterr()
    assert cli.main(["models", "accept", str(site / "new")]) == ConfigError.exit_code
    assert "advises against it" in capsys.readouterr().err


def test_a_model_is_no_other_than_itself(site, capsys):
    assert cli.main(["models", "compare", str(site / "Models" / "kuo2019-compact"), "--masks", str(site / "own")]) == 2
    assert "the same" in capsys.readouterr().err


def cases_of(patients: int) -> CaseSource:
    volume = phantom_head_ct()
    cases = [Case(f"c{n}", f"p{n}", lambda: LabelledCt(volume)) for n in range(patients)]
    return CaseSource("set", "CT", ("masks",), "none", lambda: iter(cases))


def test_only_patients_whom_both_trainings_kept_for_the_test_are_compared_on():
    splits = (Split(0.5, 0.1, 1), Split(0.5, 0.1, 2))
    chosen = {case.patient for case in local_cases([cases_of(200)], splits).cases}
    assert 0 < len(chosen) < 80
    assert all(split.part_of(patient) == "test" for split in splits for patient in chosen)


def test_a_pack_tells_its_split_and_one_that_hides_it_is_refused():
    told = tiny_packs.manifest(training={"sources": [{}], "split": dataclasses.asdict(Split(0.6, 0.2, 5))})
    silent = tiny_packs.manifest(training={"sources": [{}]})
    simulated = tiny_packs.manifest(training={})
    assert splits_of([told, simulated], None) == (Split(0.6, 0.2, 5),)
    assert splits_of([simulated, simulated], None) == ()
    with pytest.raises(ConfigError, match="which patients it was trained on"):
        splits_of([told, silent], None)
    assert Split() in splits_of([told, silent], Split())


def test_what_a_model_went_on_from_keeps_its_patients_apart_and_its_terms():
    first = {"sources": [{"name": "bhsd", "licence": "MIT"}], "split": dataclasses.asdict(Split(0.7, 0.1, 3))}
    later = {"data": "x", "started_from": {"name": "a", "version": "1", "sha256": "0", **first}, "simulated": {}}
    assert splits_of([tiny_packs.manifest(training=later)], None) == (Split(0.7, 0.1, 3),)
    assert "bhsd: MIT" in licence_of(later) and "Not cleared" in licence_of(later)


def test_a_new_model_cannot_take_the_place_of_another_systems(site):
    other = load_model_pack(catalog.find_pack("consensus"))
    assert other.manifest.system == "consensus"
    assert cli.main(["models", "compare", str(site / "new"), str(other.path), "--masks", str(site / "own")]) == 2


def test_models_of_brain_mri_are_compared_finding_by_finding(site, capsys, monkeypatch):
    """Simulated studies are stood in for by the miniature's: two cases, of which one shows an infarct."""
    isles = mr_miniatures.isles2022(site / "isles")
    monkeypatch.setattr(
        held_out, "labelled_mr", lambda head, seed, settings: next(open_dataset("isles2022").cases(isles)).read()
    )
    monkeypatch.setattr(held_out, "load_anatomy", lambda head, cache: head)
    monkeypatch.setattr(held_out, "label_maps", lambda folder, numbers: [Path("19"), Path("20")])
    tiny_nael2021.save(site / "Models" / "nael2021-compact")
    tiny_nael2021.save(site / "other", name="other", operating_points=dict.fromkeys(MR_CODES, 0.1))
    out = site / "out"
    command = ["models", "compare", str(site / "other"), "--dataset", "isles2022", str(isles), "--simulate", str(site)]
    assert cli.main([*command, "--exams", "2", "--device", "cpu", "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "acute infarct" in said and "present reader" not in said and "hemorrhage" not in said.split("Advice")[0]
    document = json.loads((out / "comparison.json").read_text())
    found = {figure["code"] for figure in document["sets"]["this site"]["figures"]}
    assert found == {"acute_infarct"}, "of the other findings the data set says nothing, or only that they are there"
    assert {row["finding"] for row in document["exams"]["simulated"]} <= set(MR_CODES)
    assert cli.main(["models", "accept", str(site / "other"), "--despite", "for the test"]) == 0
    assert catalog.find_pack("nael2021").name.startswith("other")


def test_exams_of_another_modality_are_refused(site, capsys):
    isles = mr_miniatures.isles2022(site / "isles")
    code = cli.main(["models", "compare", str(site / "new"), "--dataset", "isles2022", str(isles)])
    assert code == ConfigError.exit_code and "read CT" in capsys.readouterr().err
