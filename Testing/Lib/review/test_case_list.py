"""Case lists: what is done, what remains, and what a blind second reader finds."""

from __future__ import annotations

import pytest

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.review.case_list import CaseEntry, CaseList, cases_in_csv, cases_in_folder
from NeuroTriageLib.review.versions import Viewer
from Testing.Lib.review.store_making import entry, open_store, random_label, small_exam, started

ENTRIES = tuple(CaseEntry(f"1.2.{n}", f"case {n}") for n in range(4))


@pytest.fixture
def store(tmp_path):
    """Case 0 approved and 1 flagged by AB, 2 a draft of CD, 3 never opened."""
    store = open_store(tmp_path / "reviews")
    for number, (reader, status) in enumerate((("AB", "approved"), ("AB", "flagged"), ("CD", "draft"))):
        case = started(store, small_exam(f"9.{number}"), ENTRIES[number].key)
        store.add_version(case, random_label(number), entry(reader, status))
    return store


def states(case_list: CaseList) -> list[str]:
    return [row.state for row in case_list.rows()]


def test_rows_know_what_is_done_and_what_remains(store):
    cases = CaseList(ENTRIES, store, Viewer("AB"))
    assert states(cases) == ["approved", "flagged", "draft", "new"]
    assert cases.counts() == {"new": 1, "draft": 1, "flagged": 1, "approved": 1}
    assert [row.reader for row in cases.rows()] == ["AB", "AB", "CD", ""]
    assert cases.next_case() == ENTRIES[2]
    assert cases.next_case(after=ENTRIES[2]) == ENTRIES[3]
    assert cases.next_case(after=ENTRIES[3]) == ENTRIES[2], "from the top again"


def test_a_blind_reader_starts_with_a_fresh_list(store):
    cases = CaseList(ENTRIES, store, Viewer("CD", blind=True))
    assert states(cases) == ["new", "new", "draft", "new"]
    assert [row.reader for row in cases.rows()] == ["", "", "CD", ""]
    assert cases.next_case() == ENTRIES[0]


def test_the_list_ends_when_everything_is_signed(store):
    for number in (2, 3):
        case = started(store, small_exam(f"9.{number}"), ENTRIES[number].key)
        store.add_version(case, random_label(7), entry("AB", "approved"))
    cases = CaseList(ENTRIES, store, Viewer("AB"))
    assert cases.next_case() is None and cases.next_case(after=ENTRIES[1]) is None


def test_a_new_program_finds_the_same_state(store):
    again = CaseList(ENTRIES, open_store(store.root), Viewer("AB"))
    assert states(again) == ["approved", "flagged", "draft", "new"]


def test_a_row_whose_series_was_changed_counts_the_one_saved_last(store):
    case = started(store, small_exam("9.99"), ENTRIES[0].key)
    assert CaseList(ENTRIES, store, Viewer("AB")).row(ENTRIES[0]).state == "approved", (
        "nothing saved for the new series"
    )
    store.add_version(case, random_label(7), entry("AB"))
    row = CaseList(ENTRIES, store, Viewer("AB")).row(ENTRIES[0])
    assert (row.state, row.case_id) == ("draft", case)


def test_a_folder_gives_its_exams(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("a.nii.gz", "c.zip", "notes.txt", ".hidden"):
        (tmp_path / name).touch()
    assert [case.name for case in cases_in_folder(tmp_path)] == ["a.nii.gz", "b", "c.zip"]
    with pytest.raises(InputError, match="no cases"):
        cases_in_folder(tmp_path / "b")
    with pytest.raises(InputError, match="does not exist"):
        cases_in_folder(tmp_path / "d")


def test_a_table_gives_its_exams(tmp_path):
    table = tmp_path / "cases.csv"
    table.write_text("name,path,study_instance_uid\nfirst,a/1,\n,,1.2.3\nagain,a/1,\n", encoding="utf-8-sig")
    first, second = cases_in_csv(table)
    assert (first.name, first.path) == ("first", tmp_path / "a" / "1")
    assert (second.name, second.key, second.path) == ("1.2.3", "1.2.3", None)
    table.write_text("name,path\nfirst,\n")
    with pytest.raises(InputError, match="Line 2"):
        cases_in_csv(table)
    table.write_text("name,path\n")
    with pytest.raises(InputError, match="no cases"):
        cases_in_csv(table)
    with pytest.raises(InputError, match="cannot be read"):
        cases_in_csv(tmp_path / "missing.csv")
