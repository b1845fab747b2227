"""An archive behind DICOMweb: listed once, fetched study by study, nothing left behind, credentials kept."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pydicom
import pytest

from NeuroTriageLib import cli
from NeuroTriageLib.batch import dicomweb
from NeuroTriageLib.batch.dicomweb import ServerAccess, fetched_study, list_studies, read_credentials
from NeuroTriageLib.core.errors import ConfigError, InputError
from Testing.Lib import tiny_packs
from Testing.Lib.batch.small_archive import table, uid, write_study
from Testing.Lib.batch.small_dicomweb import serving

pytest.importorskip("dicomweb_client")


@pytest.fixture(scope="module")
def studies(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("server")
    for number in range(1, 5):
        write_study(folder / str(number), number, slice(0, 3))
    (report,) = (folder / "4").glob("*_002.dcm")
    dataset = pydicom.dcmread(report)
    dataset.Modality, dataset.SeriesInstanceUID = "SR", f"{uid(4)}.9"
    dataset.save_as(report)
    for path in (folder / "3").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.Modality = "US"
        dataset.save_as(path)
    return folder


@pytest.fixture
def server(studies):
    with serving([studies]) as running:
        yield running


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch, tmp_path):
    monkeypatch.setattr(dicomweb, "BACK_OFF_MS", 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_all_pages_are_listed_and_only_studies_with_ct_or_mr(server):
    tasks = list(list_studies(ServerAccess(server.url), {"StudyDate": "20200101-20201231"}))
    assert [task.key for task in tasks] == [uid(1), uid(2), uid(4)]
    assert len(server.queries) == 3 and server.queries[0]["StudyDate"] == ["20200101-20201231"]


def test_a_study_is_there_as_long_as_it_is_read_without_its_reports(server, studies, tmp_path):
    with fetched_study(ServerAccess(server.url), uid(4)) as folder:
        fetched = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
        stored = [pydicom.dcmread(path) for path in sorted((studies / "4").iterdir())[:2]]
        assert [item.PixelData for item in fetched] == [item.PixelData for item in stored]
        assert [item.SOPInstanceUID for item in fetched] == [item.SOPInstanceUID for item in stored]
    assert not folder.exists() and not list(tmp_path.glob("neurotriage-*"))


def test_a_server_that_always_sends_its_first_page_does_not_hold_the_batch_up(server):
    server.ignores_offset = True
    assert [task.key for task in list_studies(ServerAccess(server.url), {})] == [uid(1), uid(2)]


@pytest.mark.parametrize(
    ("status", "words"), [(403, "Check the credentials"), (500, "HTTP status 500"), (503, "stays busy")]
)
def test_a_refusal_is_told_without_the_servers_words(server, status, words, tmp_path):
    server.refuse = status
    with pytest.raises(InputError) as told, fetched_study(ServerAccess(server.url), uid(1)):
        pass
    message = told.value.message()
    assert words in message and "SECRETNAME" not in message
    assert not list(tmp_path.glob("neurotriage-*"))


def test_a_busy_server_is_asked_again(server):
    server.refuse = 503

    class Clearing(list):
        def append(self, item):
            super().append(item)
            if len(self) == 3:
                server.refuse = 0

    server.paths = Clearing()
    assert len(list(list_studies(ServerAccess(server.url), {}))) == 3


def test_a_server_that_is_away_is_told(server):
    url = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match="does not answer"):
        list(list_studies(ServerAccess(url), {}))


@pytest.mark.parametrize(
    ("credentials", "header"), [("Bearer abc", "Bearer abc"), ("ann:secret", "Basic YW5uOnNlY3JldA==")]
)
def test_credentials_come_from_a_file_or_the_environment_and_reach_the_server(
    server, credentials, header, tmp_path, monkeypatch
):
    server.wanted_authorization = header
    path = tmp_path / "credentials"
    path.write_text(credentials + "\n")
    assert read_credentials(path) == credentials
    monkeypatch.setenv(dicomweb.CREDENTIALS_VARIABLE, credentials)
    assert read_credentials(None) == credentials
    access = ServerAccess(server.url, read_credentials(None))
    assert len(list(list_studies(access, {}))) == 3
    assert credentials not in repr(access)
    with pytest.raises(InputError, match="401"):
        list(list_studies(ServerAccess(server.url), {}))


def test_credentials_are_neither_taken_from_urls_nor_sent_in_the_open(tmp_path):
    with pytest.raises(ConfigError, match="do not belong into the URL") as told:
        ServerAccess("https://ann:secret@pacs.example/dicom-web")
    assert "secret" not in told.value.message()
    with pytest.raises(ConfigError, match="without encryption"):
        ServerAccess("http://pacs.example/dicom-web", "Bearer abc")
    ServerAccess("https://pacs.example/dicom-web", "Bearer abc")
    (tmp_path / "wrong").write_text("abc\ndef")
    with pytest.raises(ConfigError, match="one line"):
        read_credentials(tmp_path / "wrong")


def test_something_else_than_dicomweb_is_told(server):
    server.series = {uid(1): {f"{uid(1)}.1": ("CT", [b"<html>no DICOM</html>"])}}
    with pytest.raises(InputError, match="cannot be read"), fetched_study(ServerAccess(server.url), uid(1)):
        pass


def test_a_whole_server_is_read_like_a_folder(tmp_path):
    write_study(tmp_path / "studies", 1)
    pack = tiny_packs.save(tmp_path / "tiny")
    with serving([tmp_path / "studies"]) as server:
        arguments = ["--model", str(pack), "--device", "cpu", "--results", "findings"]
        assert cli.main(["batch", server.url, "-o", str(tmp_path / "web"), *arguments]) == 0
        asked = len(server.paths)
        assert cli.main(["batch", server.url, "-o", str(tmp_path / "web"), *arguments]) == 0
        assert server.paths[asked:] == ["/dicom-web/studies"] * 2, "listed again, not fetched again"
    rows = table(tmp_path / "web")
    assert {row[0] for row in rows} == {uid(1)} and {row[1] for row in rows} == {"answered"}
    (document,) = (json.loads(path.read_text("utf-8")) for path in (tmp_path / "web").rglob("findings.json"))
    assert document["input"]["path"] == uid(1)
