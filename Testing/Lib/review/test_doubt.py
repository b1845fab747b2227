"""What to label next: the exams on which systems disagree most, then those near a threshold."""

from __future__ import annotations

import dataclasses
import json

import pytest

from NeuroTriageLib import cli
from NeuroTriageLib.core.errors import InputError, OutputError
from NeuroTriageLib.datasets.next_to_label import next_to_label
from NeuroTriageLib.review.case_list import CaseEntry, CaseList, cases_in_csv
from NeuroTriageLib.review.doubt import Doubt, doubt_of
from NeuroTriageLib.review.versions import Viewer
from Testing.Lib.review.store_making import entry, open_store, reference, small_exam


def finding(code: str, probability: float | None, threshold: float | None = 0.5, doubt: float | None = None) -> dict:
    return {"code": code, "probability": probability, "threshold": threshold, "doubt": doubt}


def test_the_finding_in_which_systems_disagree_most_counts():
    found = doubt_of(
        [finding("any", 0.9, doubt=0.05), finding("SDH", 0.5, doubt=0.31), finding("SAH", 0.2, doubt=None)]
    )
    assert found == Doubt(True, 0.31, "SDH")


def test_of_one_system_the_probability_nearest_to_its_threshold_counts():
    found = doubt_of([finding("any", 0.9, 0.5), finding("IVH", 0.28, 0.3)])
    assert (found.of_systems, found.code) == (False, "IVH") and found.value == pytest.approx(0.48)


def test_what_could_not_be_looked_at_has_no_doubt():
    assert doubt_of([finding("any", None)]) is None and doubt_of([]) is None


def test_disagreement_comes_before_a_near_threshold():
    assert Doubt(True, 0.01, "any") > Doubt(False, 0.5, "any")


def exam_with_doubt(uid: str, doubt: float):
    exam = small_exam(uid)
    findings = tuple(dataclasses.replace(each, doubt=doubt) for each in exam.findings)
    return dataclasses.replace(exam, findings=findings)


def fill(store, doubts: dict[str, float]) -> dict[str, str]:
    """A case per series with the model's answer; series -> case."""
    cases = {}
    for uid, doubt in doubts.items():
        exam = exam_with_doubt(uid, doubt)
        cases[uid] = store.register(reference(exam), entry_key=uid)
        store.add_model_version(cases[uid], exam)
    return cases


def test_a_store_gives_its_unsigned_cases_the_most_doubtful_first(tmp_path):
    store = open_store(tmp_path / "store")
    cases = fill(store, {"1.1": 0.1, "1.2": 0.4, "1.3": 0.3, "1.4": 0.2})
    store.add_version(cases["1.2"], store.label(cases["1.2"], 0), entry(status="approved"))
    store.add_version(cases["1.1"], store.label(cases["1.1"], 0), entry(status="draft"))
    assert [exam.series_instance_uid for exam in next_to_label(tmp_path / "store")] == ["1.3", "1.4", "1.1"]


def test_the_list_of_cases_can_be_ordered_by_doubt_and_the_next_case_follows(tmp_path):
    store = open_store(tmp_path / "store")
    fill(store, {"1.1": 0.1, "1.2": 0.4})
    entries = [CaseEntry(uid, uid) for uid in ("9.9", "1.1", "1.2")]
    ordered = CaseList(entries, store, Viewer("AB")).by_doubt()
    assert [row.entry.key for row in ordered.rows()] == ["1.2", "1.1", "9.9"]
    assert ordered.next_case().key == "1.2" and ordered.rows()[2].doubt is None


def results(folder, name: str, uid: str, findings: list[dict]) -> None:
    (folder / name).mkdir(parents=True)
    document = {"input": {"series_instance_uid": uid}, "findings": findings}
    (folder / name / "findings.json").write_text(json.dumps(document))


def test_results_are_ordered_and_become_a_list_of_cases_without_those_that_are_signed(tmp_path, capsys):
    store = open_store(tmp_path / "store")
    cases = fill(store, {"1.2": 0.4})
    store.add_version(cases["1.2"], store.label(cases["1.2"], 0), entry(status="approved"))
    out = tmp_path / "results"
    results(out, "a", "1.1", [finding("any", 0.5, doubt=0.1)])
    results(out, "b", "1.2", [finding("any", 0.5, doubt=0.5)])
    results(out, "c", "1.3", [finding("any", 0.5, doubt=0.3)])
    results(out, "d", "1.4", [finding("any", None)])
    arguments = ["labels", "next", str(out), "--store", str(tmp_path / "store"), "--csv", str(tmp_path / "cases.csv")]
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.splitlines() == ["c  any 0.30", "a  any 0.10", "d  could not be looked at"]
    assert [case.key for case in cases_in_csv(tmp_path / "cases.csv")] == ["1.3", "1.1", "1.4"]
    assert cli.main(arguments) == OutputError.exit_code, "a list is not overwritten"


def test_a_folder_of_neither_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match="neither a review store nor holds results"):
        next_to_label(tmp_path)
