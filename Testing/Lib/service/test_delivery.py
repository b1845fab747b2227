"""Delivery by DICOM: each object arrives once, whatever the PACS does; nothing waits for a destination that is away."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from pydicom.uid import RLELossless, SegmentationStorage

from NeuroTriageLib import cli
from NeuroTriageLib.service.exam_queue import ExamAnswer
from NeuroTriageLib.service.outbox import Outbox
from NeuroTriageLib.service.sending import Refusal
from NeuroTriageLib.service.site_config import Destination, Retry
from Testing.Lib.service.pacs import CLASSES, NATIVE, Pacs, at_work, running, until
from Testing.Lib.service.small_results import SOON, Clock, answered_exam, exam_state, make_outbox, states


def to(pacs: Pacs, name: str = "pacs", **keys: object) -> Destination:
    """A destination that is this PACS."""
    options = {"retry": SOON, "timeout_s": 5.0} | keys
    return Destination(name=name, ae_title="PACS", host="127.0.0.1", port=pacs.port, **options)  # type: ignore[arg-type]


def run_until_done(outbox: Outbox, exam_id: int) -> None:
    with at_work(outbox):
        until(lambda: exam_state(outbox, exam_id) == "done")


def reasons(outbox: Outbox) -> set[str]:
    return {row["reason"] for row in outbox.ledger.rows("SELECT reason FROM delivery WHERE reason IS NOT NULL")}


def test_every_result_arrives_once_and_the_exam_is_done(tmp_path: Path) -> None:
    with running(Pacs()) as pacs:
        outbox = make_outbox(tmp_path, [to(pacs)])
        exams = [answered_exam(outbox) for _ in range(3)]
        with at_work(outbox):
            until(lambda: all(exam_state(outbox, exam) == "done" for exam in exams))
    assert set(pacs.received.values()) == {1} and len(pacs.received) == 12
    assert states(outbox) == ["sent"] * 12
    assert pacs.kept[pacs.order[0]].file_meta.TransferSyntaxUID in NATIVE


def test_the_most_urgent_exam_goes_first_and_its_report_before_its_pictures(tmp_path: Path) -> None:
    with running(Pacs()) as pacs:
        outbox = make_outbox(tmp_path, [to(pacs)])
        answered_exam(outbox, urgency=0.1)
        urgent = answered_exam(outbox, urgency=0.9)
        run_until_done(outbox, urgent)
    rows = outbox.ledger.rows("SELECT * FROM delivery WHERE exam_id = ? ORDER BY id", (urgent,))
    assert pacs.order[0] == rows[0]["sop_uid"] and rows[0]["path"].endswith("structured_report.dcm")
    assert set(pacs.order[:4]) == {row["sop_uid"] for row in rows}


def test_a_compressed_picture_is_sent_as_it_is_where_that_is_taken_and_unpacked_where_not(tmp_path: Path) -> None:
    with running(Pacs()) as modern, running(Pacs(syntaxes=NATIVE)) as old:
        outbox = make_outbox(tmp_path, [to(modern, "modern"), to(old, "old")])
        run_until_done(outbox, answered_exam(outbox))
    (row,) = outbox.ledger.rows("SELECT sop_uid FROM delivery WHERE destination = 'old' AND path LIKE '%key_image%'")
    packed, plain = modern.kept[row["sop_uid"]], old.kept[row["sop_uid"]]
    assert packed.file_meta.TransferSyntaxUID == RLELossless
    assert plain.file_meta.TransferSyntaxUID in NATIVE and plain.PixelData == bytes(range(256))


def test_a_destination_gets_what_its_rule_says(tmp_path: Path) -> None:
    nowhere = {"host": "127.0.0.1", "port": 1, "ae_title": "X"}
    outbox = make_outbox(
        tmp_path,
        [
            Destination(name="found", answers=("found",), objects=("structured_report",), **nowhere),  # type: ignore
            Destination(name="ward", callers=("CT2",), **nowhere),  # type: ignore[arg-type]
        ],
    )
    for answer, source in (("found", "CT1"), ("not_found", "CT1"), ("could_not_look", "CT2")):
        answered_exam(outbox, answer, source)
    rows = outbox.ledger.rows("SELECT destination, exam_id, count(*) FROM delivery GROUP BY 1, 2")
    assert [tuple(row) for row in rows] == [("found", 1, 1), ("ward", 3, 4)]


def test_an_exam_that_nobody_wants_is_done_at_once(tmp_path: Path) -> None:
    outbox = make_outbox(tmp_path)
    exam = answered_exam(outbox)
    assert outbox.close_exams() == 1 and exam_state(outbox, exam) == "done"


def test_asking_twice_for_an_exams_rows_adds_none(tmp_path: Path) -> None:
    outbox = make_outbox(tmp_path, [to(Pacs())])
    exam_id = answered_exam(outbox)
    with outbox.ledger.transaction() as db:
        exam = db.execute("SELECT * FROM exam WHERE id = ?", (exam_id,)).fetchone()
        outbox.rows_for(db, exam, ExamAnswer("found", exam["result"], (), {}, ""))
    assert len(states(outbox)) == 4


def test_a_pacs_that_was_away_gets_everything_when_it_is_back(tmp_path: Path) -> None:
    pacs = Pacs()
    with running(pacs):
        pass  # it has a port now, and nobody listens there
    outbox = make_outbox(tmp_path, [to(pacs)])
    exams = [answered_exam(outbox) for _ in range(2)]
    with at_work(outbox):
        until(lambda: outbox.ledger.rows("SELECT max(tries) FROM delivery")[0][0] >= 2)
        with running(pacs):
            until(lambda: all(exam_state(outbox, exam) == "done" for exam in exams))
    assert set(pacs.received.values()) == {1} and len(pacs.received) == 8


def test_a_clock_that_is_set_back_holds_nothing_up(tmp_path: Path) -> None:
    clock = Clock()
    outbox = make_outbox(tmp_path, [to(Pacs())], clock=clock)
    answered_exam(outbox)
    clock.seconds -= 86400.0
    rows = outbox.due_deliveries("pacs", 10)
    assert len(rows) == 4
    outbox.failed("delivery", rows, Refusal("It is away."), Retry(first_s=30.0))
    assert not outbox.due_deliveries("pacs", 10)
    clock.seconds += 30.0
    assert len(outbox.due_deliveries("pacs", 10)) == 4


def test_a_pacs_that_is_back_after_a_day_does_not_wait_for_the_longest_pause(tmp_path: Path) -> None:
    slow = Retry(first_s=3600.0, longest_s=3600.0)
    with running(Pacs()) as pacs:
        outbox = make_outbox(tmp_path, [to(pacs, retry=slow)])
        old = answered_exam(outbox)
        with outbox.ledger.transaction() as db:
            db.execute("UPDATE delivery SET tries = 9, next_try_at = ?", (outbox.ledger.now() + 3600.0,))
        new = answered_exam(outbox)
        with at_work(outbox):
            until(lambda: exam_state(outbox, new) == exam_state(outbox, old) == "done")


def test_one_destination_that_is_away_holds_up_no_other(tmp_path: Path) -> None:
    away = Pacs()
    with running(away):
        pass
    with running(Pacs()) as pacs:
        outbox = make_outbox(tmp_path, [to(away, "away"), to(pacs)])
        exam = answered_exam(outbox)
        with at_work(outbox):
            until(lambda: len(pacs.received) == 4)
            assert exam_state(outbox, exam) == "answered"


def test_what_is_sent_is_not_sent_again_after_a_restart(tmp_path: Path) -> None:
    with running(Pacs()) as pacs:
        destination = to(pacs)
        outbox = make_outbox(tmp_path, [destination])
        run_until_done(outbox, answered_exam(outbox))
        outbox.ledger.close()
        again = make_outbox(tmp_path, [destination])
        run_until_done(again, answered_exam(again))
    assert set(pacs.received.values()) == {1} and len(pacs.received) == 8


def test_a_full_pacs_is_tried_again_until_it_has_room(tmp_path: Path) -> None:
    with running(Pacs()) as pacs:
        left = iter([0xA700] * 6)
        pacs.status = lambda dataset: next(left, 0x0000)
        outbox = make_outbox(tmp_path, [to(pacs)])
        run_until_done(outbox, answered_exam(outbox))
    assert states(outbox) == ["sent"] * 4 and set(pacs.received.values()) == {1}


def test_objects_that_are_refused_for_good_are_given_up_and_the_others_arrive(tmp_path: Path) -> None:
    classes = [item for item in CLASSES if item != SegmentationStorage]
    with running(Pacs(classes=classes)) as pacs:
        pacs.status = lambda dataset: 0xC000 if dataset.Modality == "OT" and "Rows" in dataset else 0x0000
        outbox = make_outbox(tmp_path, [to(pacs)])
        exam = answered_exam(outbox)
        run_until_done(outbox, exam)
    assert states(outbox) == ["given_up", "given_up", "sent", "sent"]
    assert reasons(outbox) == {"It does not take Segmentation Storage.", "It refused the object (0xC000)."}


def test_a_pacs_that_takes_none_of_the_classes_is_not_away(tmp_path: Path) -> None:
    with running(Pacs(classes=())) as pacs:
        outbox = make_outbox(tmp_path, [to(pacs, objects=("segmentation",))])
        run_until_done(outbox, answered_exam(outbox))
    assert states(outbox) == ["given_up"] and reasons(outbox) == {"It does not take Segmentation Storage."}


def test_a_node_that_does_not_know_us_is_tried_for_the_whole_time_and_then_given_up(tmp_path: Path) -> None:
    clock = Clock()
    with running(Pacs()) as pacs:
        destination = Destination(name="pacs", ae_title="OTHER", host="127.0.0.1", port=pacs.port)
        outbox = make_outbox(tmp_path, [destination], clock=clock)
        exam = answered_exam(outbox)
        tries = []
        with at_work(outbox):
            for _ in range(8):
                count = len(tries) + 1
                until(lambda count=count: outbox.ledger.rows("SELECT min(tries) FROM delivery")[0][0] >= count)
                (row,) = outbox.ledger.rows("SELECT min(next_try_at) FROM delivery")
                tries.append(row[0] - clock.seconds)
                clock.seconds = row[0]
            clock.seconds += 72 * 3600.0
            until(lambda: exam_state(outbox, exam) == "done")
    assert tries == [30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1800.0, 1800.0]
    assert states(outbox) == ["given_up"] * 4 and reasons(outbox) == {"It refuses the association."}


def test_a_silent_pacs_holds_up_no_stop_and_its_silence_at_the_stop_is_no_failure(tmp_path: Path) -> None:
    with running(Pacs()) as pacs:
        pacs.pause_s = 6.0
        outbox = make_outbox(tmp_path, [to(pacs, timeout_s=60.0)])
        answered_exam(outbox)
        with at_work(outbox) as stop:
            time.sleep(1.0)
            began = time.monotonic()
            stop.set()
            until(lambda: not [t for t in threading.enumerate() if t.name.startswith("courier")], seconds=5.0)
        assert time.monotonic() - began < 5.0
    rows = outbox.ledger.rows("SELECT tries, state FROM delivery")
    assert {tuple(row) for row in rows} == {(0, "waiting")}


def test_a_pacs_that_answers_too_slowly_is_away(tmp_path: Path) -> None:
    with running(Pacs()) as pacs:
        pacs.pause_s = 2.0
        outbox = make_outbox(tmp_path, [to(pacs, timeout_s=0.5)])
        exam = answered_exam(outbox)
        with at_work(outbox):
            until(lambda: reasons(outbox) != set())
            assert reasons(outbox) == {"It did not answer in time, or ended the association."}
            pacs.pause_s = 0.0
            until(lambda: exam_state(outbox, exam) == "done")
    assert len(pacs.kept) == 4


def test_a_lost_result_file_is_given_up_with_its_reason(tmp_path: Path) -> None:
    with running(Pacs()) as pacs:
        outbox = make_outbox(tmp_path, [to(pacs)])
        exam = answered_exam(outbox)
        next(outbox.data.results.rglob("report.dcm")).unlink()
        run_until_done(outbox, exam)
    assert states(outbox) == ["given_up", "sent", "sent", "sent"]
    assert reasons(outbox) == {"The result file is missing or damaged."}


def test_a_destination_that_left_the_sites_file_holds_no_exam_open(tmp_path: Path) -> None:
    outbox = make_outbox(tmp_path, [to(Pacs(), "left")])
    exam = answered_exam(outbox)
    outbox.ledger.close()
    changed = make_outbox(tmp_path)
    run_until_done(changed, exam)
    assert reasons(changed) == {"The site's file knows no left."}


def test_what_was_given_up_is_sent_when_somebody_asks_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pacs = Pacs(classes=CLASSES[:1])
    with running(pacs):
        destination = to(pacs)
        outbox = make_outbox(tmp_path, [destination])
        exam = answered_exam(outbox)
        run_until_done(outbox, exam)
    site = tmp_path / "site.toml"
    site.write_text(f'[node]\ndata_folder = "{outbox.data.path}"\n', encoding="utf-8")
    ((study,),) = outbox.ledger.rows("SELECT study_uid FROM exam")
    assert cli.main(["node", "resend", "--config", str(site), study]) == 0
    assert "3 results" in capsys.readouterr().out
    mended = Pacs()
    mended.port = pacs.port
    with running(mended):
        run_until_done(outbox, exam)
    assert len(mended.received) == 3 and states(outbox) == ["sent"] * 4
    assert cli.main(["node", "resend", "--config", str(site), study]) == 2


def test_commitment_of_a_web_server_is_refused_in_the_sites_file() -> None:
    with pytest.raises(ValueError, match="DICOM service"):
        Destination(name="web", kind="stow", url="http://127.0.0.1/x", commitment=True)
