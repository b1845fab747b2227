"""Zip archives never write outside their folder, and damaged, encrypted or huge ones are refused with a reason."""

from __future__ import annotations

import zipfile

import pytest

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.io import archives
from NeuroTriageLib.io.archives import unpack_zip


def make_zip(path, members):
    with zipfile.ZipFile(path, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    return path


def test_files_and_folders_come_out_as_they_went_in(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"x.txt": b"one", "deep/er/y.bin": b"two" * 1000})
    (tmp_path / "out").mkdir()
    unpack_zip(archive, tmp_path / "out")
    assert (tmp_path / "out/x.txt").read_bytes() == b"one"
    assert (tmp_path / "out/deep/er/y.bin").read_bytes() == b"two" * 1000


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/evil.txt", "..\\evil.txt", "C:/evil.txt"])
def test_a_way_out_of_the_folder_is_refused_and_nothing_is_written(name, tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"good.txt": b"x", name: b"y"})
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="outside its folder"):
        unpack_zip(archive, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    assert not (tmp_path / "evil.txt").exists()


def test_an_encrypted_archive_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"x.dcm": b"secret"})
    raw = bytearray(archive.read_bytes())
    raw[6] |= 1  # flag bit 0 of the local header and of the central directory: encrypted
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(raw)
    with pytest.raises(InputError, match="encrypted"):
        unpack_zip(archive, tmp_path)


def test_a_cut_off_archive_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"x.dcm": b"secret" * 1000})
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(InputError, match="damaged"):
        unpack_zip(archive, tmp_path)


def test_damaged_content_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"x.dcm": b"secret" * 1000})
    archive.write_bytes(archive.read_bytes().replace(b"secretsecret", b"secretSECRET", 1))
    with pytest.raises(InputError, match="damaged"):
        unpack_zip(archive, tmp_path)


def test_too_much_content_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(InputError, match="too large"):
        unpack_zip(make_zip(tmp_path / "a.zip", {"x.dcm": bytes(1001)}), tmp_path)
