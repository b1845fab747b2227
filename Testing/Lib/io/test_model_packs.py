"""Model packs: what goes in comes out, and each way to be wrong has its own message."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.errors import ModelError, OutputError
from NeuroTriageLib.io import pack_source
from NeuroTriageLib.io.model_packs import Calibration, load_model_pack, read_manifest, save_model_pack
from Testing.Lib import tiny_packs


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return tiny_packs.save(tmp_path / "tiny")


def zipped(folder: Path, inside: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, inside + file.name)
    return path


def rewrite(pack: Path, change: Callable[[dict], None]) -> None:
    """Change pack.json in place."""
    document = json.loads((pack / "pack.json").read_text())
    change(document)
    (pack / "pack.json").write_text(json.dumps(document))


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_model_pack(path)
    assert caught.value.where, "the message names the pack"
    return caught.value.what


def test_a_saved_pack_loads_with_its_manifest_and_its_weights_in_half_precision(pack: Path):
    loaded = load_model_pack(pack)
    expected = tiny_packs.manifest()
    for key in ("name", "version", "system", "config", "codes", "operating_points", "calibration", "training"):
        saved, read = getattr(expected, key), getattr(loaded.manifest, key)
        assert json.dumps(saved, default=vars) == json.dumps(read, default=vars)
    original = tiny_packs.weights()
    assert loaded.weights().keys() == original.keys()
    for name, value in loaded.weights().items():
        assert value.shape == tuple(original[name].shape)
        np.testing.assert_allclose(value, original[name].numpy(), rtol=2**-10, atol=1e-6)


def test_the_identity_is_the_hash_of_the_weights_file(pack: Path):
    identity = load_model_pack(pack).identity
    assert (identity.name, identity.version) == ("tiny", "1.2")
    assert identity.sha256 == hashlib.sha256((pack / "weights.safetensors").read_bytes()).hexdigest()


def test_batch_norm_statistics_and_large_values_keep_their_precision(tmp_path: Path):
    state = {"a.running_var": torch.tensor([1e-7]), "b.weight": torch.tensor([1e6]), "c.weight": torch.tensor([0.1])}
    save_model_pack(tmp_path / "pack", tiny_packs.manifest(), state)
    loaded = load_model_pack(tmp_path / "pack").weights()
    assert loaded["a.running_var"][0] == np.float32(1e-7)
    assert loaded["b.weight"][0] == 1e6
    assert loaded["c.weight"][0] == np.float16(0.1)


def test_weights_that_are_not_numbers_are_not_saved(tmp_path: Path):
    with pytest.raises(ModelError, match="not numbers"):
        save_model_pack(tmp_path / "pack", tiny_packs.manifest(), {"a": torch.tensor([float("nan")])})
    assert not (tmp_path / "pack").exists()


def test_saving_replaces_a_pack_only_when_asked(pack: Path):
    with pytest.raises(OutputError):
        save_model_pack(pack, tiny_packs.manifest(), tiny_packs.weights())
    save_model_pack(pack, tiny_packs.manifest(version="2"), tiny_packs.weights(1), overwrite=True)
    assert load_model_pack(pack).manifest.version == "2"
    assert [path.name for path in pack.parent.iterdir()] == [pack.name], "nothing is left beside it"


@pytest.mark.parametrize("inside", ["", "tiny/"])
def test_a_zip_reads_like_its_folder(pack: Path, inside: str):
    path = zipped(pack, inside)
    assert read_manifest(path) == read_manifest(pack)
    assert load_model_pack(path).identity == load_model_pack(pack).identity


def test_a_pack_that_is_not_there_or_not_a_pack(tmp_path: Path, pack: Path):
    assert "does not exist" in refused(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "no pack.json" in refused(tmp_path / "empty")
    (tmp_path / "file").write_bytes(b"some text")
    assert "neither a folder nor a zip" in refused(tmp_path / "file")
    (pack / "pack.json").write_text("{not json")
    assert "not JSON" in refused(pack)
    (pack / "pack.json").write_text("{}")
    assert "does not name its format" in refused(pack)


def test_a_missing_weights_file(pack: Path):
    (pack / "weights.safetensors").unlink()
    assert "lacks weights.safetensors" in refused(pack)


def test_one_changed_bit_in_the_weights(pack: Path):
    content = bytearray((pack / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (pack / "weights.safetensors").write_bytes(content)
    assert "damaged" in refused(pack)


def test_a_pickle_in_place_of_weights_is_never_opened(pack: Path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    content = pickle.dumps(Bomb())
    (pack / "weights.safetensors").write_bytes(content)
    rewrite(pack, lambda d: d["files"].update({"weights.safetensors": hashlib.sha256(content).hexdigest()}))
    with pytest.raises(ModelError, match="cannot be read"):
        load_model_pack(pack).weights()


def test_a_newer_format_asks_for_an_update(pack: Path):
    rewrite(pack, lambda d: d.update(format=99))
    with pytest.raises(ModelError, match="format 99") as caught:
        load_model_pack(pack)
    assert "Update" in caught.value.next_step


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(surprise=1), "unknown keys: surprise"),
        (lambda d: d.pop("licence"), "lacks licence"),
        (lambda d: d.update(name=3), "wrong kind"),
        (lambda d: d.update(files=[]), "wrong kind"),
        (lambda d: d.update(calibration={"any": 1}), "wrong kind"),
        (lambda d: d["operating_points"].pop("any"), "one operating point for each"),
        (lambda d: d["operating_points"].update(any=1.5), "between 0 and 1"),
        (lambda d: d["operating_points"].update(any=float("nan")), "between 0 and 1"),
        (lambda d: d["calibration"]["any"].update(slope=-1.0), "rising curve"),
        (lambda d: d["files"].clear(), "lists no weights"),
        (lambda d: d["files"].update({"../secret": "0"}), "outside of itself"),
        (lambda d: d["files"].update({"/etc/hostname": "0"}), "outside of itself"),
    ],
)
def test_a_wrong_manifest_says_what_is_wrong(pack: Path, change: Callable[[dict], None], message: str):
    rewrite(pack, change)
    assert re.search(message, refused(pack))


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "C:evil", "..\\evil"])
def test_a_zip_with_a_path_that_leads_out_is_refused(pack: Path, name: str):
    path = zipped(pack)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "x")
    assert "leads out of it" in refused(path)


def test_a_file_that_unpacks_beyond_the_limit_is_refused(pack: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pack_source, "MAX_FILE_BYTES", 1000)
    assert "larger than" in refused(zipped(pack))
    assert "larger than" in refused(pack)


def test_a_zip_with_damaged_content_is_refused(pack: Path):
    path = zipped(pack)
    content = bytearray(path.read_bytes())
    start = content.find(b"weights.safetensors") + 4000
    content[start : start + 400] = bytes(400)
    path.write_bytes(content)
    assert "cannot be read" in refused(path)


def test_the_calibration_is_a_logistic_curve_on_the_log_odds_and_the_identity_by_default():
    for raw in (0.001, 0.3, 0.5, 0.999):
        assert Calibration().apply(raw) == pytest.approx(raw, abs=1e-9)
    assert Calibration(2.0, 0.0).apply(0.8) == pytest.approx(16 / 17)  # odds 4 squared
    assert Calibration(1.0, np.log(3)).apply(0.5) == pytest.approx(0.75)  # odds 1 times 3


def test_scores_of_exactly_zero_and_one_stay_finite():
    assert np.isfinite([Calibration(1e3, 0.0).apply(0.0), Calibration(1e3, 0.0).apply(1.0)]).all()
    assert 0.0 <= Calibration(300.0, 0.0).apply(0.0) < Calibration(300.0, 0.0).apply(1.0) <= 1.0


def test_reading_a_manifest_imports_no_torch(pack: Path):
    code = (
        "import sys; from NeuroTriageLib.io.model_packs import load_model_pack;"
        f"load_model_pack({str(pack)!r}).weights(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
