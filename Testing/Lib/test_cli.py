"""The command line: a head CT on disk becomes five files and a table; what is asked without torch stays without it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from NeuroTriageLib import cli
from NeuroTriageLib.core.errors import OutputError
from NeuroTriageLib.outputs import scene_file
from NeuroTriageLib.outputs.folder import RESULT_FILES
from Testing.Lib import tiny_packs
from Testing.Lib.ct_series import PATIENT_ID, PATIENT_NAME, write_series


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    return tiny_packs.save(tmp_path_factory.mktemp("packs") / "tiny")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return write_series(tmp_path_factory.mktemp("study") / "head")


@pytest.fixture
def without_scene(monkeypatch):
    """A machine on which Slicer scenes cannot be written."""

    def write_scene(result, path):
        raise OutputError("slicer-core is not installed.", next_step="pip install neurotriage[scene]")

    monkeypatch.setattr(scene_file, "write_scene", write_scene)


def test_a_machine_without_slicer_core_still_gets_everything_else_and_is_told_why(
    study, pack, tmp_path, capsys, without_scene
):
    out = tmp_path / "out"
    assert cli.main(["triage", str(study), "-o", str(out), "--model", str(pack)]) == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(set(RESULT_FILES) - {"scene.mrb"})
    said = capsys.readouterr()
    assert "pip install neurotriage[scene]" in said.err
    assert said.out.count("not for diagnosis") == 1
    for code in tiny_packs.CODES:
        assert f"\n{code} " in said.out


def test_results_are_replaced_only_with_force(study, pack, tmp_path, capsys, without_scene):
    out = tmp_path / "out"
    command = ["triage", str(study), "-o", str(out), "--model", str(pack), "--no-scene"]
    assert cli.main(command) == 0
    first = (out / "findings.json").read_bytes()
    assert cli.main(command) == 1
    assert "--force" in capsys.readouterr().err
    assert (out / "findings.json").read_bytes() == first
    assert cli.main([*command, "--force"]) == 0


@pytest.fixture
def consensus_pack(pack, tmp_path) -> Path:
    """A consensus beside its only member."""
    return tiny_packs.save_consensus(pack.parent / f"consensus-{tmp_path.name}", pack)


def test_the_answer_of_a_consensus_comes_with_the_opinions(study, consensus_pack, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["triage", str(study), "-o", str(out), "--model", str(consensus_pack), "--no-scene"]) == 0
    document = json.loads((out / "findings.json").read_text("utf-8"))
    assert {finding["system"] for finding in document["findings"]} == {"consensus"}
    assert {finding["system"] for finding in document["opinions"]} == {"kuo2019"}
    assert [model["system"] for model in document["models"]] == ["consensus", "kuo2019"]
    assert document["familiarity"]["familiar"] is True
    assert "kuo2019" in (out / "report.html").read_text("utf-8")


def test_an_unfamiliar_exam_ends_with_4_and_results_that_say_why(study, pack, tmp_path, capsys):
    strict = tiny_packs.save_consensus(pack.parent / "strict", pack, familiarity_threshold=1e-3)
    command = ["triage", str(study), "--model", str(strict), "--no-scene"]
    assert cli.main([*command, "-o", str(tmp_path / "out")]) == 4
    assert "not a negative result" in capsys.readouterr().err
    document = json.loads((tmp_path / "out" / "findings.json").read_text("utf-8"))
    assert {finding["status"] for finding in document["findings"]} == {"could_not_look"}
    assert document["familiarity"]["familiar"] is False and document["opinions"] == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["findings.json", "report.html"]
    assert cli.main([*command, "-o", str(tmp_path / "accepted"), "--accept-unfamiliar"]) == 0
    document = json.loads((tmp_path / "accepted" / "findings.json").read_text("utf-8"))
    assert document["familiarity"]["accepted"] is True
    assert document["quality"][0]["code"] == "unfamiliar"


def test_no_output_names_the_patient(study, pack, tmp_path, capsys, without_scene):
    out = tmp_path / "out"
    assert cli.main(["triage", str(study), "-o", str(out), "--model", str(pack)]) == 0
    said = capsys.readouterr()
    texts = [said.out, said.err, *((out / name).read_text("utf-8") for name in ("findings.json", "report.html"))]
    for secret in (PATIENT_ID, *PATIENT_NAME.split("^")):
        assert not any(secret in text for text in texts)


def test_of_several_studies_one_must_be_named(pack, tmp_path, capsys):
    folders = [write_series(tmp_path / "input" / name) for name in ("a", "b")]
    uids = [pydicom.dcmread(next(folder.iterdir())).StudyInstanceUID for folder in folders]
    command = ["triage", str(tmp_path / "input"), "--model", str(pack), "--no-scene"]
    assert cli.main([*command, "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert all(uid in said for uid in uids) and "--study" in said
    assert cli.main([*command, "-o", str(tmp_path / "out"), "--study", uids[1]]) == 0
    findings = json.loads((tmp_path / "out" / "findings.json").read_text("utf-8"))
    assert uids[1] in json.dumps(findings) and uids[0] not in json.dumps(findings)


def test_wrong_usage_ends_with_2(capsys):
    for command in ([], ["triage"], ["triage", "x"], ["dance"], ["triage", "x", "-o", "y", "--device", "abacus"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(command)
        assert ended.value.code == 2


def test_info_answers_without_torch():
    program = (
        "import sys, json, io, contextlib\n"
        "from NeuroTriageLib import cli\n"
        "text = io.StringIO()\n"
        "with contextlib.redirect_stdout(text): code = cli.main(['info', '--json'])\n"
        "names = [system['name'] for system in json.loads(text.getvalue())['systems']]\n"
        "assert code == 0 and 'kuo2019' in names and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_info_describes_a_pack(pack, capsys):
    assert cli.main(["info", str(pack), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["intended_use"] == "tests"


def test_an_exam_is_simulated_and_written_as_dicom(tmp_path, capsys):
    arguments = ["simulate", "ct", "-o", str(tmp_path), "--matrix", "256", "--seed", "3"]
    assert cli.main(arguments) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert (folder / "truth.json").exists() and list(folder.rglob("*.dcm"))
    assert cli.main(arguments) == 1  # nothing is overwritten


def test_packs_belong_to_a_consensus(tmp_path, capsys):
    command = ["train", "kuo2019", "--simulate", str(tmp_path), "-o", str(tmp_path / "run"), "--packs", "a", "b"]
    assert cli.main(command) == 2
    assert "consensus" in capsys.readouterr().err


def test_a_bug_is_one_line_and_a_traceback_only_when_asked_for(monkeypatch, capsys):
    monkeypatch.setattr(cli, "lines_of", lambda document: 1 / 0)
    assert cli.main(["info"]) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said and "Traceback" not in said
    assert cli.main(["--debug", "info"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error(monkeypatch):
    def gone(options):
        raise BrokenPipeError

    monkeypatch.setattr(cli, "_info", gone)
    monkeypatch.setattr(cli.os, "dup2", lambda *_: None)
    assert cli.main(["info"]) == 0
