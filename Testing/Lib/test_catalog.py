"""The catalog: what there is, without torch; packs found by path or name; clear errors for what is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from NeuroTriageLib import catalog
from NeuroTriageLib.core import resources
from NeuroTriageLib.core.codes import FINDING_CODES
from NeuroTriageLib.core.errors import ConfigError, ModelError
from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriageLib.io.model_packs import save_model_pack
from NeuroTriageLib.preprocessing.network_grid import prepare
from NeuroTriageLib.simulation.phantom import phantom_head_ct
from Testing.Lib import tiny_packs


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Resources/Models with the default pack, one more, one of another system, and something that is no pack."""
    folder = tmp_path / "Models"
    monkeypatch.setattr(catalog, "models_folder", lambda: folder)
    tiny_packs.save(folder / "kuo2019-compact")
    tiny_packs.save(folder / "kuo2019-other", name="other")
    tiny_packs.save(folder / "someone-elses", system="chang2018")
    (folder / "no-pack").mkdir()
    return folder


def test_asking_what_there_is_imports_no_torch(models: Path):
    code = (
        "import sys, json; from NeuroTriageLib import catalog;"
        "json.dumps(catalog.describe()); catalog.systems();"
        f"catalog.describe_pack({str(models / 'kuo2019-other')!r});"
        "print(sorted({'torch', 'SimpleITK'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_description_names_systems_codes_and_packs(models: Path):
    document = json.loads(json.dumps(catalog.describe()))
    system = next(entry for entry in document["systems"] if entry["name"] == "kuo2019")
    assert system["modality"] == "CT"
    assert list(system["codes"]) == ["any", "IPH", "IVH", "SDH", "EDH", "SAH"]
    assert system["codes"]["IVH"] == FINDING_CODES["IVH"].name
    assert [Path(pack["path"]).name for pack in system["packs"]] == ["kuo2019-compact", "kuo2019-other"]


def test_the_default_pack_a_shipped_name_and_a_path_are_found(models: Path, tmp_path: Path):
    assert catalog.find_pack("kuo2019") == models / "kuo2019-compact"
    assert catalog.find_pack("kuo2019", "kuo2019-other") == models / "kuo2019-other"
    own = tiny_packs.save(tmp_path / "own")
    assert catalog.find_pack("kuo2019", own) == own


@pytest.mark.parametrize("name", ["nothing", "../Models/kuo2019-compact-2", "no/such/path"])
def test_a_pack_that_is_not_there_names_those_that_are(models: Path, name: str):
    with pytest.raises(ModelError) as caught:
        catalog.find_pack("kuo2019", name)
    assert "kuo2019-compact" in caught.value.next_step


def test_without_shipped_packs_the_message_asks_for_one(models: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(catalog, "models_folder", lambda: models / "nowhere")
    assert not any(entry["packs"] for entry in catalog.describe()["systems"])
    with pytest.raises(ModelError, match="not installed"):
        catalog.load_system("kuo2019")


def test_an_unknown_system_names_those_that_there_are(models: Path):
    with pytest.raises(ConfigError) as caught:
        catalog.load_system("kuo2020")
    assert "kuo2019" in caught.value.next_step


def test_a_loaded_system_carries_its_pack_and_device(models: Path):
    system = catalog.load_system("kuo2019", pack="kuo2019-other", device="cpu")
    assert system.name == "kuo2019" and system.device_name == "cpu"
    assert system.pack.manifest.name == "other"


def test_a_pack_of_another_system_is_refused(models: Path):
    with pytest.raises(ModelError, match="chang2018"):
        catalog.load_system("kuo2019", pack=models / "someone-elses", device="cpu")


def test_the_consensus_reads_by_default_once_its_pack_is_installed(models: Path):
    assert catalog.default_system() == "kuo2019"
    tiny_packs.save_consensus(models / "consensus-compact", models / "kuo2019-other")
    assert catalog.default_system() == catalog.describe()["default_system"] == "consensus"
    system = catalog.load_system(device="cpu")
    assert system.name == "consensus" and [member.pack.manifest.name for member in system.members] == ["other"]
    assert catalog.load_system("kuo2019", device="cpu").name == "kuo2019"


def test_a_named_pack_decides_which_system_reads(models: Path):
    tiny_packs.save_consensus(models / "consensus-compact", models / "kuo2019-other")
    assert catalog.load_system(pack=models / "kuo2019-other", device="cpu").name == "kuo2019"


def test_members_lie_beside_the_consensus_or_among_the_packs_that_ship(models: Path, tmp_path: Path):
    own = tiny_packs.save(tmp_path / "run" / "kuo2019-own", name="own")
    beside = tiny_packs.save_consensus(tmp_path / "run" / "mine", own)
    shipped = tiny_packs.save_consensus(tmp_path / "run" / "theirs", models / "kuo2019-other")
    assert catalog.load_system(pack=beside, device="cpu").members[0].pack.path == own
    assert catalog.load_system(pack=shipped, device="cpu").members[0].pack.path == models / "kuo2019-other"


def test_a_member_that_is_not_there_is_named(models: Path, tmp_path: Path):
    gone = tiny_packs.save(tmp_path / "kuo2019-gone")
    pack = tiny_packs.save_consensus(models / "consensus-compact", gone)
    with pytest.raises(ModelError, match="kuo2019-gone") as caught:
        catalog.load_system(pack=pack, device="cpu")
    assert "--system" in caught.value.next_step


def test_other_weights_than_the_fitted_ones_are_refused(models: Path, tmp_path: Path):
    fitted = tiny_packs.save(tmp_path / "kuo2019-other")
    pack = tiny_packs.save_consensus(models / "consensus-compact", fitted)
    other = tiny_packs.weights(seed=5)
    save_model_pack(models / "kuo2019-other", tiny_packs.manifest(), other, overwrite=True)
    with pytest.raises(ModelError, match="other weights"):
        catalog.load_system(pack=pack, device="cpu")


def test_choices_of_the_consensus_are_refused_by_a_single_system(models: Path):
    for choice in ({"heatmap": "ye2019"}, {"accept_unfamiliar": True}):
        with pytest.raises(ConfigError, match="consensus"):
            catalog.load_system("kuo2019", device="cpu", **choice)
    tiny_packs.save_consensus(models / "consensus-compact", models / "kuo2019-other")
    assert catalog.load_system(device="cpu", heatmap="kuo2019").choices.heatmap == "kuo2019"
    with pytest.raises(ConfigError, match="heatmap"):
        catalog.load_system(device="cpu", heatmap="ye2019")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"system": "kuo2019"}, "made for kuo2019"),
        ({"config": {}}, "unknown or missing"),
        ({"codes": ("IPH",), "operating_points": {"any": 0.5, "IPH": 0.5}}, "disagree|calibration"),
    ],
)
def test_a_consensus_pack_that_is_none_is_refused(models: Path, tmp_path: Path, changes: dict, message: str):
    with pytest.raises(ModelError, match=message):
        path = tiny_packs.save_consensus(tmp_path / "pack", models / "kuo2019-other", **changes)
        catalog.load_system("consensus", pack=path, device="cpu")


SHIPPED = resources.models_folder() / "consensus-compact"


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no pack of the consensus ships")
def test_the_consensus_that_ships_knows_the_sample_study_and_refuses_the_plain_phantom():
    system = catalog.load_system("consensus", device="cpu")
    with open_input(resources.sample_data_folder() / "HeadCtSample" / "dicom") as studies:
        sample = read_volume(studies[0].series[0])[0]
    assert system.judge(prepare(sample, system.config.grid)).is_familiar
    assert not system.judge(prepare(phantom_head_ct(), system.config.grid)).is_familiar


def test_resources_lie_inside_the_library_when_installed_and_beside_it_in_the_source_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    library = tmp_path / "NeuroTriageLib"
    (tmp_path / "Resources").mkdir()
    monkeypatch.setattr(resources, "_LIBRARY", library)
    assert resources.models_folder() == tmp_path / "Resources" / "Models"
    (library / "Resources").mkdir(parents=True)
    assert resources.sample_data_folder() == library / "Resources" / "SampleData"


def test_every_pack_that_ships_is_whole_loads_and_stays_small():
    folder = resources.models_folder()
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        document = catalog.describe_pack(path)
        system = catalog.load_system(document["system"], pack=path, device="cpu")
        assert set(system.pack.manifest.codes) <= FINDING_CODES.keys()
        assert sum(file.stat().st_size for file in path.rglob("*")) < 8_000_000
