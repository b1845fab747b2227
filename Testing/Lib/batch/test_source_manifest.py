"""A list of exams may be CSV or JSON lines; what it does not say is asked of the headers, what is wrong is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from NeuroTriageLib.batch.exam_sources import list_manifest
from NeuroTriageLib.batch.source_manifest import read_list
from NeuroTriageLib.core.errors import ConfigError, InputError
from Testing.Lib.batch.small_archive import uid, write_study


def csv_list(folder: Path, *lines: str) -> Path:
    path = folder / "list.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_both_forms_say_the_same(tmp_path):
    csv_lines = read_list(csv_list(tmp_path, "path,study_uid,series", "a/b,1.2.3,HEAD;FLAIR=ax t2", "c.zip,,"))
    rows = [{"path": "a/b", "study_uid": "1.2.3", "series": ["HEAD", "FLAIR=ax t2"]}, {"path": "c.zip"}]
    path = tmp_path / "list.jsonl"
    path.write_text("\n\n".join(map(json.dumps, rows)), encoding="utf-8")
    said = [(item.path, item.study_uid, item.series) for item in read_list(path)]
    assert said == [(item.path, item.study_uid, item.series) for item in csv_lines]
    assert said[0] == (tmp_path / "a" / "b", "1.2.3", ("HEAD", "FLAIR=ax t2"))


def test_a_study_uid_saves_the_headers_and_takes_everything_below_the_folder(tmp_path):
    write_study(tmp_path / "exam" / "series1", 1, slice(0, 2))
    write_study(tmp_path / "exam" / "series2", 1, slice(2, 3))
    source = list_manifest(csv_list(tmp_path, "path,study_uid", f"exam,{uid(1)}"), tmp_path / "out", lambda count: None)
    assert source.index is None and source.keys() == {uid(1)}
    (task,) = source.tasks()
    assert [path.name for place in task.places for path in place.files()] == ["1_000.dcm", "1_001.dcm", "1_002.dcm"]


def test_paths_without_study_uid_are_looked_at_and_no_exam_comes_twice(tmp_path):
    for number in (1, 2):
        write_study(tmp_path / "archive" / str(number), number, slice(0, 1))
    (tmp_path / "out").mkdir()
    lines = ("path,study_uid,series", "archive,,", f"archive/1,{uid(1)},HEAD")
    source = list_manifest(csv_list(tmp_path, *lines), tmp_path / "out", lambda count: None)
    tasks = list(source.tasks())
    source.close()
    assert sorted(task.key for task in tasks) == [uid(1), uid(2)]
    assert next(task for task in tasks if task.key == uid(1)).series == ("HEAD",)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("path,patient", "a,DOE"), "unknown column: patient"),
        (("path,study_uid", ",1.2"), "names no path"),
        (("path,series", "a,HEAD"), "needs the study UID"),
        (("path,study_uid", "a,1.2", "b,1.2"), "Lines 2 and 3 name the same study"),
        (("path,study_uid", 'a,"1.2', ""), "no CSV"),
    ],
)
def test_a_wrong_list_is_told_with_its_line(tmp_path, lines, message):
    with pytest.raises(ConfigError, match=message) as told:
        read_list(csv_list(tmp_path, *lines))
    assert "DOE" not in told.value.message()


@pytest.mark.parametrize("text", ["no json", "[1]", '{"path": "a", "series": "HEAD", "study_uid": "1"}'])
def test_wrong_json_lines_are_told(tmp_path, text):
    path = tmp_path / "list.jsonl"
    path.write_text('{"path": "x"}\n' + text, encoding="utf-8")
    with pytest.raises(ConfigError, match="line 2"):
        read_list(path)


def test_a_list_that_is_no_text_is_told(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(b"path\n\xff\xfe")
    with pytest.raises(InputError, match="list of exams cannot be read"):
        read_list(path)
