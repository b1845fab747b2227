"""The count of false alarms, with systems of which one takes every calcification for blood."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from Testing.Benchmarks import false_alarms as program
from Testing.Benchmarks import simulated_exams
from Testing.Lib.ct_series import write_series
from Testing.Lib.evaluation.exam_making import row
from Testing.Lib.evaluation.test_evaluate_simulated import records, tables


def test_calls_are_counted_by_system_and_by_mimic(systems, maps, tmp_path):
    output = tmp_path / "out"
    command = [str(maps), "-o", str(output), "--exams", "9", "--first-seed", "0", "--systems", "right", "dazzled"]
    assert program.main(command) == 0
    found = tables(output, program.NOT_PATIENTS)
    assert row(found["False alarms"], system="right")["called"] == 0
    dazzled = row(found["False alarms"], system="dazzled")
    assert dazzled["called"] == 3 and dazzled["types called (exams)"] == "IPH 3"
    choroid = row(found["By what was painted"], system="dazzled", **{"mimic or change": "choroid"})
    assert choroid["exams with it"] == choroid["called"] == 3
    assert choroid["share called with it"] == 1.0 and choroid["share called without it"] == 0.0
    assert all(not record.truth["any"].present for record in records(output))


def test_the_five_worst_are_drawn_the_called_ones_first(systems, maps, tmp_path):
    output = tmp_path / "out"
    program.main([str(maps), "-o", str(output), "--exams", "8", "--first-seed", "0", "--systems", "dazzled"])
    pictures = sorted(output.glob("worst_*.svg"))
    assert [path.name for path in pictures] == [f"worst_{n}.svg" for n in range(1, 6)]
    captions = ["".join(ElementTree.parse(path).getroot().itertext()) for path in pictures]
    assert ["called" in text and "not called" not in text for text in captions] == [True] * 3 + [False] * 2
    assert "choroid" in captions[0] and "slice 1" in captions[0]
    images = [list(ElementTree.parse(path).getroot().iter("{http://www.w3.org/2000/svg}path")) for path in pictures]
    assert images[0] and not images[4]


def test_an_exam_that_nobody_could_look_at_is_no_false_alarm_and_no_right_answer(systems, maps, tmp_path):
    output = tmp_path / "out"
    program.main([str(maps), "-o", str(output), "--exams", "3", "--systems", "blind"])
    line = row(tables(output, program.NOT_PATIENTS)["False alarms"], system="blind")
    assert (line["exams read"], line["could not look"], line["called"]) == (0, 3, 0)


def test_real_exams_are_listed_one_by_one_and_unreadable_ones_say_why(systems, maps, tmp_path):
    output, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    study = write_series(tmp_path / "study" / "head")
    command = [str(maps), "-o", str(output), "--exams", "3", "--systems", "right", "--real", str(study), str(empty)]
    assert program.main(command) == 0
    rows = tables(output, "Real exams")["Real exams"]
    assert row(rows, exam="head")["answer"] in ("called", "not called")
    assert row(rows, exam="empty")["answer"].startswith("not read")
    assert (output / "real_1.svg").exists()


def test_every_exam_is_without_blood_and_full_of_mimics(maps):
    jobs = program.plan(simulated_exams.label_maps(maps), exams=4, first_seed=0, matrix=256, settings="wider")
    assert {job.settings.positive_probability for job in jobs} == {0.0}
    assert {job.settings.mimic_probability for job in jobs} == {1.0}
