"""The worklist: what stands first, what is said of each exam."""

from __future__ import annotations

from pathlib import Path

import pytest

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.service.site_config import Order
from NeuroTriageLib.service.worklist import exam_of, history_of, worklist
from Testing.Lib.service.made_node import FOUND, NOT_LOOKED, NOTHING, MadeNode, findings_json

DAY_S = 86400.0


def studies(node: MadeNode, window_s: float = DAY_S) -> list[str]:
    return [exam.study_uid for exam in worklist(node.ledger, window_s, Order())]


def test_findings_stand_before_what_could_not_be_looked_at_and_that_before_what_waits_and_what_is_clear(tmp_path: Path):
    node = MadeNode(tmp_path)
    node.add("clear", "done", findings=findings_json(NOTHING))
    node.add("waits", "queued")
    node.add("set aside", "set_aside", reason="unreadable")
    node.add("not looked", "done", findings=findings_json(NOT_LOOKED), minutes_ago=5)
    node.add("found", "answered", findings=findings_json(FOUND))
    assert studies(node) == ["found", "set aside", "not looked", "waits", "clear"]
    assert [exam.rank for exam in worklist(node.ledger, DAY_S, Order())] == [
        "found",
        "look",
        "look",
        "pending",
        "nothing",
    ]


def test_within_a_group_the_senders_priority_counts_first_then_probability_then_age(tmp_path: Path):
    node = MadeNode(tmp_path)
    for name, share, minutes, priority in (
        ("new", 0.9, 1, 0),
        ("old", 0.9, 9, 0),
        ("sure", 0.99, 1, 0),
        ("stat", 0.6, 1, 1),
    ):
        items = (("any", "found", share, 1.0),)
        node.add(name, "done", findings=findings_json(items), minutes_ago=minutes, dicom_priority=priority)
    assert studies(node) == ["stat", "sure", "old", "new"]


def test_what_waits_is_listed_as_it_will_be_read(tmp_path: Path):
    node = MadeNode(tmp_path)
    node.add("comes", "receiving", dicom_priority=1)
    for name, minutes, urgency in (("calm", 50, 0.1), ("likely", 9, 0.9), ("likelier", 5, 0.99)):
        node.add(name, "queued", minutes_ago=minutes, complete_at=node.now - 60 * minutes, urgency=urgency)
    node.add("read", "reading", urgency=0.0)
    assert studies(node) == ["read", "likelier", "likely", "calm", "comes"]
    assert [exam.place for exam in worklist(node.ledger, DAY_S, Order())] == [None, 1, 2, 3, None]


def test_a_finding_outweighs_another_that_could_not_be_looked_at_and_a_mixture_without_one_is_no_negative(
    tmp_path: Path,
):
    node = MadeNode(tmp_path)
    node.add("a", "done", findings=findings_json((*FOUND, *NOT_LOOKED)))
    node.add("b", "done", findings=findings_json((*NOTHING, *NOT_LOOKED)))
    node.add("c", "done", findings="[]")
    assert [exam.rank for exam in worklist(node.ledger, DAY_S, Order())] == ["found", "look", "look"]


def test_a_line_names_the_precise_findings_with_the_volume_of_all_blood(tmp_path: Path):
    node = MadeNode(tmp_path)
    items = (("any", "found", 0.97, 12.5), ("IPH", "found", 0.9, 4.0), ("SDH", "found", 0.8, 8.5))
    exam = exam_of(node.ledger, node.add("1.2", "done", findings=findings_json(items)))
    assert exam.finding == "Subdural hemorrhage, intraparenchymal hemorrhage"
    assert (exam.probability, exam.volume_ml) == (0.9, 12.5)


def test_on_mri_the_volume_is_that_of_the_largest_finding_and_a_system_without_masks_has_none(tmp_path: Path):
    node = MadeNode(tmp_path)
    items = (
        ("abnormal", "found", 0.99, None),
        ("acute_infarct", "found", 0.8, 6.0),
        ("acute_hemorrhage", "found", 0.7, 2.0),
    )
    exam = exam_of(node.ledger, node.add("1.2", "done", findings=findings_json(items)))
    assert exam.finding == "Acute infarct, acute hemorrhage" and exam.volume_ml == 6.0
    bare = exam_of(node.ledger, node.add("1.3", "done", findings=findings_json((("any", "found", 0.9, None),))))
    assert bare.finding == "Intracranial hemorrhage" and bare.volume_ml is None


def test_old_exams_leave_the_list_unless_they_still_wait(tmp_path: Path):
    node = MadeNode(tmp_path)
    node.add("old", "done", findings=findings_json(FOUND), minutes_ago=3 * 1440)
    node.add("old and waiting", "queued", minutes_ago=3 * 1440)
    node.add("removed", "deleted")
    assert studies(node) == ["old and waiting"]
    assert studies(node, 4 * DAY_S) == ["old", "old and waiting"]


def test_the_older_answer_of_a_study_stays_until_there_is_the_newer_one(tmp_path: Path):
    node = MadeNode(tmp_path)
    node.add("study", "done", findings=findings_json(FOUND))
    node.add("study", "reading", revision=2)
    assert [(exam.revision, exam.rank) for exam in worklist(node.ledger, DAY_S, Order())] == [
        (1, "found"),
        (2, "pending"),
    ]
    with node.ledger.transaction() as db:
        db.execute("UPDATE exam SET state = 'answered', findings = ? WHERE revision = 2", (findings_json(NOTHING),))
    assert [(exam.revision, exam.rank) for exam in worklist(node.ledger, DAY_S, Order())] == [(2, "nothing")]


def test_what_is_on_its_way_or_lost_is_counted_and_the_history_is_told(tmp_path: Path):
    node = MadeNode(tmp_path)
    exam_id = node.add("1.2", "answered", findings=findings_json(FOUND))
    with node.ledger.transaction() as db:
        for number, state in enumerate(("waiting", "sent", "given_up")):
            db.execute(
                "INSERT INTO delivery (exam_id, destination, sop_class_uid, sop_uid, path, state, next_try_at)"
                " VALUES (?, 'PACS', '1', ?, 'x', ?, 0)",
                (exam_id, str(number), state),
            )
        db.execute(
            "INSERT INTO notice (exam_id, listener, payload, state, next_try_at) VALUES (?, 'RIS', '{}', 'waiting', 0)",
            (exam_id,),
        )
        node.ledger.note(db, "answered", "", exam_id)
    exam, history = exam_of(node.ledger, exam_id), history_of(node.ledger, exam_id)
    assert (exam.waiting, exam.given_up) == (2, 1)
    assert [row["event"] for row in history["audit"]] == ["opened", "answered"]
    assert len(history["deliveries"]) == 3 and "payload" not in history["notices"][0]


def test_an_exam_that_the_ledger_does_not_know_is_an_error(tmp_path: Path):
    with pytest.raises(InputError):
        exam_of(MadeNode(tmp_path).ledger, 5)
