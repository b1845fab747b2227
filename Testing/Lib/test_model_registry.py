"""Accepted models: kept for good, in force until one goes back, and what the catalog takes then."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from NeuroTriageLib import catalog
from NeuroTriageLib.core.errors import ConfigError, ModelError, OutputError
from NeuroTriageLib.io.model_packs import load_model_pack, pack_digest, read_manifest
from NeuroTriageLib.model_registry import Acceptance, ModelRegistry
from Testing.Lib import tiny_packs
from Testing.Lib.review.failing_files import FailingFiles


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelRegistry:
    """The user's own registry, empty; a pack of kuo2019 and a consensus of it ship."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(catalog, "models_folder", lambda: tmp_path / "Models")
    shipped = tiny_packs.save(tmp_path / "Models" / "kuo2019-compact")
    tiny_packs.save_consensus(tmp_path / "Models" / "consensus-compact", shipped)
    return ModelRegistry(tmp_path / "data" / "NeuroTriage" / "models")


def made(tmp_path: Path, name: str, threshold: float = 0.4):
    codes = ("any", "IPH", "IVH", "SDH", "EDH", "SAH")
    return load_model_pack(
        tiny_packs.save(tmp_path / name, name=name, operating_points=dict.fromkeys(codes, threshold))
    )


def test_an_accepted_model_is_the_systems_own_until_one_goes_back(registry, tmp_path):
    shipped = catalog.find_pack("kuo2019")
    registry.accept(made(tmp_path, "first"), Acceptance(who="AB"), None)
    registry.accept(made(tmp_path, "second", 0.3), Acceptance(who="AB"), None)
    assert read_manifest(catalog.find_pack("kuo2019")).name == "second"
    assert registry.back().name == "second"
    assert read_manifest(catalog.find_pack("kuo2019")).name == "first"
    registry.back("kuo2019")
    assert catalog.find_pack("kuo2019") == shipped
    with pytest.raises(ConfigError, match="nothing to go back from"):
        registry.back()
    assert {path.name.rsplit("-", 1)[0] for path in (registry.folder / "packs").iterdir()} == {"first", "second"}
    assert [(entry.action, entry.name) for entry in registry.history()] == [
        ("accept", "first"),
        ("accept", "second"),
        ("back", "second"),
        ("back", "first"),
    ]


def test_the_pack_is_copied_and_outlives_the_folder_that_it_came_from(registry, tmp_path):
    pack = made(tmp_path, "first")
    entry = registry.accept(pack, Acceptance(), None)
    (tmp_path / "first" / "weights.safetensors").unlink()
    kept = load_model_pack(registry.pack_path(entry))
    assert kept.identity == pack.identity and pack_digest(kept.manifest) == entry.digest
    assert catalog.find_pack("kuo2019", entry.pack) == registry.pack_path(entry)


def test_the_same_weights_with_other_thresholds_are_another_model(registry, tmp_path):
    entries = [registry.accept(made(tmp_path, f"p{n}", n / 10), Acceptance(), None) for n in (1, 2)]
    assert entries[0].sha256 == entries[1].sha256 and entries[0].digest != entries[1].digest


def test_a_single_system_reads_in_place_of_the_consensus_only_when_that_was_chosen(registry, tmp_path):
    assert catalog.default_system() == "consensus"
    registry.accept(made(tmp_path, "quiet"), Acceptance(), None)
    assert catalog.default_system() == "consensus"
    registry.accept(made(tmp_path, "reader", 0.3), Acceptance(reader_of="CT"), None)
    assert catalog.default_system() == "kuo2019"
    registry.back()
    assert catalog.default_system() == "consensus"


def test_the_consensus_keeps_the_member_that_it_was_fitted_with(registry, tmp_path):
    import torch

    from NeuroTriageLib.io.model_packs import save_model_pack

    fitted = load_model_pack(catalog.find_pack("kuo2019")).identity.sha256
    torch.manual_seed(9)
    save_model_pack(tmp_path / "other", tiny_packs.manifest(name="other"), tiny_packs.weights(9))
    accepted = registry.accept(load_model_pack(tmp_path / "other"), Acceptance(), None)
    assert accepted.sha256 != fitted
    assert catalog.load_system("kuo2019").pack.identity.sha256 == accepted.sha256
    assert catalog.load_system("consensus").members[0].pack.identity.sha256 == fitted


def test_a_consensus_finds_a_member_that_was_accepted_here(registry, tmp_path):
    member = tiny_packs.save(tmp_path / "elsewhere" / "mine", name="mine")
    consensus = tiny_packs.save_consensus(tmp_path / "alone" / "refitted", member, name="refitted")
    registry.accept(load_model_pack(member), Acceptance(), None)
    assert catalog.load_system(pack=consensus).members[0].pack.manifest.name == "mine"


def test_an_accepted_model_whose_folder_is_gone_is_not_replaced_in_silence(registry, tmp_path):
    entry = registry.accept(made(tmp_path, "first"), Acceptance(), None)
    registry.pack_path(entry).rename(tmp_path / "moved")
    with pytest.raises(ModelError, match="neurotriage models back"):
        catalog.find_pack("kuo2019")
    registry.back()
    assert read_manifest(catalog.find_pack("kuo2019")).name == "tiny"


def test_a_line_cut_off_by_a_power_cut_does_not_count_and_is_not_in_the_way(registry, tmp_path):
    registry.accept(made(tmp_path, "first"), Acceptance(), None)
    history = registry.folder / "history.jsonl"
    history.write_text(history.read_text() + '{"action": "accept", "system": "kuo', encoding="utf-8")
    assert [entry.name for entry in registry.in_force()] == ["first"]
    registry.accept(made(tmp_path, "second", 0.3), Acceptance(), None)
    assert [entry.name for entry in registry.in_force()] == ["first", "second"]
    history.write_text("nonsense\n" + history.read_text(), encoding="utf-8")
    with pytest.raises(ModelError, match="Line 1"):
        registry.history()


def test_a_full_disk_leaves_the_model_that_was_in_use(registry, tmp_path):
    registry.accept(made(tmp_path, "first"), Acceptance(), None)
    failing = ModelRegistry(registry.folder, FailingFiles(Random(1), refuses_at=2))
    with pytest.raises(OutputError, match="full"):
        failing.accept(made(tmp_path, "second", 0.3), Acceptance(), None)
    assert read_manifest(catalog.find_pack("kuo2019")).name == "first"


def test_comparisons_are_found_by_both_models_and_the_latest_counts(registry):
    new, old = "a" * 64, "b" * 64
    for advice in ("keep", "accept"):
        registry.keep_comparison({"new": {"digest": new}, "old": {"digest": old}, "advice": advice}, (new, old))
    assert registry.comparison(new, old)["advice"] == "accept"
    assert registry.comparison(new, "c" * 64) is None
    assert registry.comparison(old, new) is None


def test_info_says_which_model_reads_and_since_when(registry, tmp_path):
    registry.accept(made(tmp_path, "first"), Acceptance(who="AB"), None)
    kuo = next(entry for entry in json.loads(json.dumps(catalog.describe()))["systems"] if entry["name"] == "kuo2019")
    assert kuo["in_use"]["name"] == "first" and "accepted by AB" in kuo["in_use"]["accepted"]
