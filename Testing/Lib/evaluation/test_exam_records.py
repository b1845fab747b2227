"""Exam records on disk."""

from __future__ import annotations

import dataclasses

import pytest

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.evaluation.exam_records import answering_codes, append_record, read_records, systems_of
from Testing.Lib.evaluation.exam_making import called, exam, truth

RECORD = exam("e1", truth(10.0, abc2_ml=12.0), {"kuo2019": called(9.0, 8.0)}, conditions={"mimics": ["falx"]})


def test_records_come_back_from_their_file_and_a_cut_off_line_is_dropped(tmp_path):
    path = tmp_path / "records.jsonl"
    other = dataclasses.replace(RECORD, exam="e2")
    for record in (RECORD, other):
        append_record(record, path)
    path.write_text(path.read_text() + '{"exam": "cut', encoding="utf-8")
    assert read_records(path) == (RECORD, other)


def test_answers_that_were_added_later_join_the_same_exam(tmp_path):
    path = tmp_path / "records.jsonl"
    append_record(RECORD, path)
    append_record(dataclasses.replace(RECORD, answers={"consensus": RECORD.answers["kuo2019"]}), path)
    (record,) = read_records(path)
    assert systems_of([record]) == ("consensus", "kuo2019")


def test_a_damaged_line_is_an_input_error_that_names_it(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text('{"exam": 1}\n', encoding="utf-8")
    with pytest.raises(InputError, match="Line 1"):
        read_records(path)


def test_no_file_means_no_records(tmp_path):
    assert read_records(tmp_path / "none.jsonl") == ()


@pytest.mark.parametrize(
    ("group", "codes"),
    [("SDH+EDH", ("SDH", "EDH")), ("SAH+IVH", ()), ("SDH", ("SDH",)), ("any", ())],
)
def test_a_group_is_answered_by_its_own_code_or_by_all_of_its_types(group, codes):
    assert answering_codes(("SDH", "EDH", "SAH", "IPH"), group) == codes
