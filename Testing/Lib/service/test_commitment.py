"""Storage commitment: an exam is done when the PACS has said that it keeps its results; late, never and wrongly too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE

from NeuroTriageLib.service.commitment import (
    INVALID_ARGUMENT,
    NO_SUCH_EVENT,
    REPORT_CLASSES,
    SUCCESS,
    Commitments,
    event_handlers,
)
from NeuroTriageLib.service.outbox import Outbox
from NeuroTriageLib.service.site_config import Destination, Retry
from Testing.Lib.service.pacs import Pacs, at_work, running, until
from Testing.Lib.service.small_results import SOON, Clock, answered_exam, exam_state, make_outbox, states


def keeping(pacs: Pacs, **keys: object) -> Destination:
    """A destination that is asked for commitment."""
    options = {"retry": SOON, "timeout_s": 5.0} | keys
    return Destination(
        name="pacs",
        ae_title="PACS",
        host="127.0.0.1",
        port=pacs.port,
        commitment=True,
        **options,  # type: ignore
    )


@contextmanager
def our_entity(outbox: Outbox) -> Iterator[int]:
    """Our own AE as the node starts it, and its port."""
    entity = AE(ae_title="NEUROTRIAGE")
    entity.require_called_aet = True
    for sop_class in REPORT_CLASSES:
        entity.add_supported_context(sop_class, scu_role=True, scp_role=True)
    handlers = event_handlers(Commitments(outbox))
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)  # type: ignore[arg-type]
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@pytest.mark.parametrize("role", [True, False])
def test_an_exam_is_done_when_its_results_are_committed(tmp_path: Path, role: bool) -> None:
    with running(Pacs()) as pacs:
        outbox = make_outbox(tmp_path, [keeping(pacs)])
        exam = answered_exam(outbox)
        with our_entity(outbox) as port, at_work(outbox):
            until(lambda: len(pacs.asked) == 1)
            assert exam_state(outbox, exam) == "answered" and states(outbox) == ["sent"] * 4
            assert pacs.report(port, pacs.answer(), role=role) == SUCCESS
            until(lambda: exam_state(outbox, exam) == "done")
    assert states(outbox) == ["committed"] * 4
    assert UID(pacs.asked[0].TransactionUID).is_valid and len(pacs.asked[0].TransactionUID) <= 64


def test_what_a_pacs_has_taken_and_forgotten_is_sent_again(tmp_path: Path) -> None:
    with running(Pacs()) as pacs:
        pacs.forgets = True
        outbox = make_outbox(tmp_path, [keeping(pacs)])
        exam = answered_exam(outbox)
        with our_entity(outbox) as port, at_work(outbox):
            until(lambda: len(pacs.asked) == 1)
            pacs.forgets = False
            assert pacs.report(port, pacs.answer()) == SUCCESS
            until(lambda: len(pacs.asked) == 2)
            assert pacs.report(port, pacs.answer()) == SUCCESS
            until(lambda: exam_state(outbox, exam) == "done")
    assert set(pacs.received.values()) == {2} and states(outbox) == ["committed"] * 4


def test_a_pacs_that_cannot_be_asked_now_is_asked_later_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    with running(Pacs()) as pacs:
        pacs.action_status = 0x0110
        outbox = make_outbox(tmp_path, [keeping(pacs)])
        answered_exam(outbox)
        with at_work(outbox):
            until(lambda: outbox.ledger.rows("SELECT min(tries) FROM delivery")[0][0] >= 2)
            ((reason,),) = outbox.ledger.rows("SELECT DISTINCT reason FROM delivery")
            pacs.action_status = 0x0000
            until(lambda: len(pacs.asked) == 1)
    assert "refused to commit" in reason and "0x0110" in reason
    assert set(pacs.received.values()) == {1}


def test_a_pacs_that_never_commits_gets_it_again_each_day_and_is_given_up_in_the_end(tmp_path: Path) -> None:
    clock = Clock()
    with running(Pacs()) as pacs:
        destination = keeping(pacs, commitment_wait_h=24.0, retry=Retry(first_s=1.0, factor=1.0, give_up_h=72.0))
        outbox = make_outbox(tmp_path, [destination], clock=clock)
        exam = answered_exam(outbox)
        with at_work(outbox):
            for day in range(3):
                until(lambda day=day: len(pacs.asked) == day + 1)
                clock.seconds += 24 * 3600.0
                until(lambda: states(outbox) != ["sent"] * 4 or len(pacs.asked) > 3)
                clock.seconds += 1.0
            until(lambda: exam_state(outbox, exam) == "done")
    assert states(outbox) == ["given_up"] * 4 and set(pacs.received.values()) == {3}


def test_an_answer_that_comes_after_days_still_counts(tmp_path: Path) -> None:
    clock = Clock()
    with running(Pacs()) as pacs:
        outbox = make_outbox(tmp_path, [keeping(pacs, retry=Retry(first_s=1.0))], clock=clock)
        exam = answered_exam(outbox)
        with our_entity(outbox) as port, at_work(outbox):
            until(lambda: len(pacs.asked) == 1)
            clock.seconds += 25 * 3600.0
            until(lambda: outbox.ledger.rows("SELECT min(tries) FROM delivery")[0][0] == 1)
            clock.seconds += 1.0
            until(lambda: len(pacs.asked) == 2)
            first, second = (question.TransactionUID for question in pacs.asked)
            assert first != second
            assert pacs.report(port, pacs.answer(0)) == SUCCESS  # about the first question
            until(lambda: exam_state(outbox, exam) == "done")
    assert states(outbox) == ["committed"] * 4


def test_bad_news_about_an_earlier_question_does_not_undo_a_later_sending(tmp_path: Path) -> None:
    outbox, commitments, answer = _asked_once(tmp_path)
    answer.TransactionUID = str(answer.TransactionUID).rpartition(".")[0] + ".1"
    answer.FailedSOPSequence, answer.ReferencedSOPSequence = answer.ReferencedSOPSequence, []
    assert commitments.report(2, answer) == SUCCESS
    assert states(outbox) == ["sent"] * 4


def test_an_answer_commits_only_what_it_names_and_only_of_its_own_question(tmp_path: Path) -> None:
    outbox, commitments, answer = _asked_once(tmp_path)
    answer.ReferencedSOPSequence = list(answer.ReferencedSOPSequence)[:1]
    other = answered_exam(outbox)
    (row,) = outbox.ledger.rows("SELECT * FROM delivery WHERE exam_id = ? LIMIT 1", (other,))
    foreign = Dataset()
    foreign.ReferencedSOPClassUID, foreign.ReferencedSOPInstanceUID = row["sop_class_uid"], row["sop_uid"]
    answer.ReferencedSOPSequence.append(foreign)
    assert commitments.report(1, answer) == SUCCESS
    assert states(outbox) == ["committed", "sent", "sent", "sent"] + ["waiting"] * 4


@pytest.mark.filterwarnings("ignore:.*Invalid value for VR UI")
@pytest.mark.parametrize("transaction", ["", "1.2.3", "2.25.1", "%", "2.25.", "x" * 10_000])
def test_an_answer_to_a_question_that_was_never_asked_changes_nothing(tmp_path: Path, transaction: str) -> None:
    outbox, commitments, answer = _asked_once(tmp_path)
    answer.TransactionUID = transaction
    assert commitments.report(1, answer) == INVALID_ARGUMENT
    assert commitments.report(7, answer) == NO_SUCH_EVENT
    assert states(outbox) == ["sent"] * 4


@pytest.mark.filterwarnings("ignore:End of file reached")
def test_an_answer_that_is_nonsense_gets_an_error_and_the_node_lives_on(tmp_path: Path) -> None:
    with running(Pacs()) as pacs:
        outbox = make_outbox(tmp_path, [keeping(pacs)])
        with our_entity(outbox) as port:
            nonsense = Dataset()
            nonsense.TransactionUID = "2.25.1.1"
            nonsense.add_new(0x00081199, "OB", b"\xff" * 34)  # where the sequence should be
            assert pacs.report(port, nonsense) == INVALID_ARGUMENT
            nothing = Dataset()
            nothing.RetrieveAETitle = "PACS"
            assert pacs.report(port, nothing) == INVALID_ARGUMENT


def _asked_once(folder: Path) -> tuple[Outbox, Commitments, Dataset]:
    """One exam, sent and asked about, and the PACS's answer that it keeps all."""
    destination = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=1, commitment=True)
    outbox = make_outbox(folder, [destination])
    answered_exam(outbox)
    for row in outbox.due_deliveries("pacs", 10):
        outbox.taken(row)
    commitments = Commitments(outbox)
    (rows,) = commitments.to_ask(destination)
    answer = Dataset()
    answer.TransactionUID = commitments.asking(rows, destination)
    answer.ReferencedSOPSequence = []
    for row in rows:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = row["sop_class_uid"], row["sop_uid"]
        answer.ReferencedSOPSequence.append(item)
    return outbox, commitments, answer
