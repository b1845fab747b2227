"""The evaluation program with exams of known truth and systems of known answers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from NeuroTriageLib.evaluation.exam_records import read_records
from NeuroTriageLib.simulation import settings
from Testing.Benchmarks import evaluate_simulated as program
from Testing.Benchmarks import simulated_exams
from Testing.Lib.evaluation.exam_making import row


@pytest.fixture(autouse=True)
def without_plots(monkeypatch):
    """Plots take seconds; the tests of the command draw them."""
    monkeypatch.setattr(simulated_exams, "draw_plots", lambda records, folder: [])


def tables(output: Path, section: str) -> dict[str, list[dict]]:
    """Title -> rows of one section of evaluation.json."""
    document = json.loads((output / "evaluation.json").read_text())
    found = next(item for item in document["sections"] if item["title"] == section)
    return {table["title"]: table["rows"] for table in found["tables"]}


def records(output: Path):
    """The records that a program kept."""
    return read_records(output / simulated_exams.RECORDS_FILE)


def test_a_right_system_gets_perfect_figures(systems, maps, tmp_path, capsys):
    output = tmp_path / "out"
    assert program.main([str(maps), "-o", str(output), "--exams", "12", "--systems", "right"]) == 0
    found = tables(output, "System right")
    line = row(found["Is it there?"], finding="any")
    assert line["with it"] == 6
    assert line["AUC"]["value"] == line["sensitivity"]["value"] == line["specificity"]["value"] == 1.0
    assert row(found["Where is it?"], finding="IPH")["Dice, mean"]["value"] == 1.0
    volumes = [line for line in found["How much is it?"] if line["finding"] == "IPH"]
    voxels, answer, truth = (line["bias, mL"]["value"] for line in volumes)
    assert voxels == 0.0 and answer == truth != 0.0
    text = (output / "evaluation.md").read_text()
    assert text in capsys.readouterr().out and "simulated exams, not patients" in text


def test_several_systems_are_evaluated_in_one_run_and_who_could_not_look_is_not_negative(systems, maps, tmp_path):
    output = tmp_path / "out"
    program.main([str(maps), "-o", str(output), "--exams", "4", "--systems", "right", "blind"])
    assert all(not record.answers["blind"].groups for record in records(output))
    rows = tables(output, "Exams")["What was evaluated"]
    assert row(rows, what="right: exams answered")["figure"] == 4
    assert row(rows, what="blind: exams answered")["figure"] == 0


def test_a_consensus_brings_the_opinions_of_its_members(systems, maps, tmp_path):
    output = tmp_path / "out"
    program.main([str(maps), "-o", str(output), "--exams", "4", "--systems", "consensus"])
    for record in records(output):
        assert set(record.answers) == {"consensus", "a", "b", "c"}
        assert record.answers["a"].groups and not record.answers["c"].groups
    assert tables(output, "System b")["Is it there?"]


def test_every_head_gives_as_many_positive_as_negative_exams(maps):
    jobs = program.plan(
        simulated_exams.label_maps(maps), exams=40, first_seed=7, matrix=256, settings="training"
    )  # fmt: skip
    assert Counter((job.label_map.name, job.settings.positive_probability) for job in jobs) == {
        (name, positive): 10 for name in ("head_a.nii.gz", "head_b.nii.gz") for positive in (1.0, 0.0)
    }
    assert len({job.exam for job in jobs}) == len({job.seed for job in jobs}) == 40


def test_a_stopped_run_goes_on_with_what_is_missing(systems, maps, tmp_path):
    output = tmp_path / "out"
    program.main([str(maps), "-o", str(output), "--exams", "4", "--systems", "right"])
    program.main([str(maps), "-o", str(output), "--exams", "6", "--systems", "right"])
    assert systems["right"].reads == 6 and len(records(output)) == 6


def test_a_system_that_joins_later_is_added_to_the_exams_that_are_there(systems, maps, tmp_path):
    output = tmp_path / "out"
    program.main([str(maps), "-o", str(output), "--exams", "4", "--systems", "right"])
    program.main([str(maps), "-o", str(output), "--exams", "4", "--systems", "dazzled"])
    assert [set(record.answers) for record in records(output)] == [{"right", "dazzled"}] * 4
    assert systems["right"].reads == 4


def test_exams_can_be_drawn_from_the_wider_settings(maps):
    jobs = program.plan(simulated_exams.label_maps(maps), exams=2, first_seed=1, matrix=512, settings="wider")
    assert jobs[0].settings.tilt_deg == settings.WIDER_SETTINGS.tilt_deg != settings.HeadCtSettings().tilt_deg
    assert jobs[0].settings.matrix == 512


def test_a_simulator_without_wider_settings_is_said_so(monkeypatch):
    monkeypatch.delattr(settings, "WIDER_SETTINGS")
    with pytest.raises(SystemExit, match="no wider settings"):
        simulated_exams.settings_named("wider")


def test_heads_can_be_chosen_by_name(systems, maps, tmp_path):
    program.main([str(maps), "-o", str(tmp_path / "out"), "--exams", "2", "--only", "head_b", "--systems", "right"])
    assert {record.anatomy for record in records(tmp_path / "out")} == {"head_b"}


def test_a_pack_must_name_its_system_when_there_are_several(maps):
    with pytest.raises(SystemExit, match="SYSTEM=PACK"):
        program.main([str(maps), "--systems", "right", "blind", "--model", "some/pack"])


def test_a_folder_without_label_maps_is_said_so(tmp_path):
    with pytest.raises(SystemExit, match="no label map"):
        program.main([str(tmp_path)])
