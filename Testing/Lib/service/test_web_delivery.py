"""Delivery to web servers: STOW-RS, signed webhooks, work items; what fails is tried again, what is wrong is told."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from pathlib import Path

import pytest

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.service.exam_queue import Arrival, ExamAnswer, ExamQueue
from NeuroTriageLib.service.http_post import WebServer, read_secret
from NeuroTriageLib.service.inbox import Inbox
from NeuroTriageLib.service.outbox import Outbox
from NeuroTriageLib.service.site_config import Completeness, Destination, Limits, Listener, Login, Order, Retry
from Testing.Lib.service.pacs import at_work, until
from Testing.Lib.service.small_exams import as_bytes, small_image
from Testing.Lib.service.small_results import (
    FOUND,
    PATIENT_NAME,
    SOON,
    Clock,
    answered_exam,
    exam_state,
    make_outbox,
    states,
    write_results,
)
from Testing.Lib.service.web_server import WebSite, failed_response, serving


def stow(site: WebSite, **keys: object) -> Destination:
    options = {"retry": SOON, "timeout_s": 5.0} | keys
    return Destination(name="web", kind="stow", url=site.url, **options)  # type: ignore[arg-type]


def hook(site: WebSite, **keys: object) -> Listener:
    options = {"retry": SOON, "timeout_s": 5.0} | keys
    return Listener(name="hook", url=site.url, **options)  # type: ignore[arg-type]


def run_until_done(outbox: Outbox, exam: int) -> None:
    with at_work(outbox):
        until(lambda: exam_state(outbox, exam) == "done")


def reasons(outbox: Outbox, table: str) -> set[str]:
    return {row["reason"] for row in outbox.ledger.rows(f"SELECT reason FROM {table} WHERE reason IS NOT NULL")}


def secret(folder: Path, text: str = "s3cret") -> Path:
    path = folder / "secret"
    path.write_text(text + "\n")
    return path


def test_every_result_is_stored_once_by_stow(tmp_path: Path) -> None:
    with serving(WebSite()) as site:
        outbox = make_outbox(tmp_path, [stow(site)])
        run_until_done(outbox, answered_exam(outbox))
    stored = [instance for request in site.requests for instance in request.instances()]
    rows = outbox.ledger.rows("SELECT sop_uid FROM delivery")
    assert sorted(item.SOPInstanceUID for item in stored) == sorted(row["sop_uid"] for row in rows)
    assert {request.path for request in site.requests} == {"/web/studies"}
    assert all('type="application/dicom"' in request.headers["content-type"] for request in site.requests)


def test_a_login_is_sent_and_its_secret_is_read_each_time(tmp_path: Path) -> None:
    token = secret(tmp_path, "first")
    with serving(WebSite(status=503)) as site:
        outbox = make_outbox(tmp_path, [stow(site, login=Login(token_file=token), objects=("report",))])
        exam = answered_exam(outbox)
        with at_work(outbox):
            until(lambda: bool(site.requests))
            secret(tmp_path, "second")
            until(lambda: site.requests[-1].headers["authorization"] == "Bearer second")
            site.status = 200
            until(lambda: exam_state(outbox, exam) == "done")
    assert site.requests[0].headers["authorization"] == "Bearer first"


def test_user_and_password_are_sent_as_basic_login(tmp_path: Path) -> None:
    login = Login(user="node", password_file=secret(tmp_path))
    with serving(WebSite()) as site:
        outbox = make_outbox(tmp_path, [], [hook(site, login=login)])
        run_until_done(outbox, answered_exam(outbox))
    assert site.requests[0].headers["authorization"] == "Basic bm9kZTpzM2NyZXQ="


def test_a_login_is_never_sent_without_encryption_to_another_machine(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without encryption"):
        WebServer("http://pacs.example.org/web", Login(token_file=secret(tmp_path)))


@pytest.mark.parametrize("text", ["a\nX-Evil: 1", "", "a\x00b"])
def test_a_secret_that_could_add_a_header_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="one line"):
        read_secret(secret(tmp_path, text))


def test_a_server_that_refuses_one_object_keeps_the_others(tmp_path: Path) -> None:
    with serving(WebSite()) as site:
        outbox = make_outbox(tmp_path, [stow(site)])
        exam = answered_exam(outbox)
        (row,) = outbox.ledger.rows("SELECT sop_uid FROM delivery WHERE path LIKE '%report.dcm' LIMIT 1")
        site.answer = failed_response(row["sop_uid"], 0xA900)  # told although the status is 200
        run_until_done(outbox, exam)
    assert states(outbox) == ["given_up", "sent", "sent", "sent"]
    assert reasons(outbox, "delivery") == {"It refused the object (0xA900)."}


@pytest.mark.parametrize(
    "answer", [b"{", b"[]", b'{"00081198": 7}', b'{"00081198": {"Value": [{}]}}', b"\xff" * 100, b"[" * 100_000]
)
def test_an_answer_that_is_no_dicom_json_counts_by_its_status(tmp_path: Path, answer: bytes) -> None:
    with serving(WebSite(answer=answer)) as site:
        outbox = make_outbox(tmp_path, [stow(site, objects=("report",))])
        run_until_done(outbox, answered_exam(outbox))
    assert states(outbox) == ["sent"]


@pytest.mark.parametrize("status", [301, 307, 400, 409, 413])
def test_a_redirect_is_not_followed_and_a_refusal_is_told(tmp_path: Path, status: int) -> None:
    with serving(WebSite()) as other, serving(WebSite(status=status)) as site:
        site.headers = {"Location": other.url}
        outbox = make_outbox(tmp_path, [stow(site, objects=("report",))])
        run_until_done(outbox, answered_exam(outbox))
    assert states(outbox) == ["given_up"] and not other.requests
    assert reasons(outbox, "delivery") == {f"It refused the object (status {status})."}


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 503])
def test_what_passes_by_itself_or_by_mending_the_site_is_tried_for_the_whole_time(tmp_path: Path, status: int) -> None:
    with serving(WebSite(status=status)) as site:
        outbox = make_outbox(tmp_path, [stow(site, objects=("report",))])
        exam = answered_exam(outbox)
        with at_work(outbox):
            until(lambda: len(site.requests) > 6)
            site.status = 200
            until(lambda: exam_state(outbox, exam) == "done")
    assert states(outbox) == ["sent"]


def test_a_server_that_asks_for_a_pause_gets_it(tmp_path: Path) -> None:
    clock = Clock()
    with serving(WebSite(status=503, headers={"Retry-After": "900"})) as site:
        outbox = make_outbox(tmp_path, [], [hook(site)], clock)
        answered_exam(outbox)
        with at_work(outbox):
            until(lambda: reasons(outbox, "notice") != set())
        ((at,),) = outbox.ledger.rows("SELECT next_try_at FROM notice")
    assert at == clock.seconds + 900.0


def test_a_silent_server_holds_up_no_stop(tmp_path: Path) -> None:
    with serving(WebSite(pause_s=6.0)) as site:
        outbox = make_outbox(tmp_path, [stow(site, timeout_s=60.0)], [hook(site, timeout_s=60.0)])
        answered_exam(outbox)
        with at_work(outbox) as stop:
            until(lambda: len(site.requests) == 2)
            began = time.monotonic()
            stop.set()
            until(lambda: not [t for t in threading.enumerate() if t.name.startswith("courier")], seconds=4.0)
            assert time.monotonic() - began < 4.0
    assert [tuple(row) for row in outbox.ledger.rows("SELECT DISTINCT tries, state FROM delivery")] == [(0, "waiting")]


def test_a_webhook_tells_the_findings_signed_and_never_whose_they_are(tmp_path: Path) -> None:
    with serving(WebSite(status=204)) as site:
        outbox = make_outbox(tmp_path, [], [hook(site, secret_file=secret(tmp_path))])
        exam = answered_exam(outbox)
        run_until_done(outbox, exam)
    (request,) = site.requests
    told = json.loads(request.body)
    (row,) = outbox.ledger.rows("SELECT study_uid FROM exam")
    assert told["answer"] == "found" and told["study_instance_uid"] == row["study_uid"]
    assert told["findings"] == [{"code": "IPH", "status": "found", "probability": 0.93, "volume_ml": 12.34}]
    assert len(told["results"]) == 4 and told["format"] == 1
    digest = hmac.new(b"s3cret", request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-neurotriage-signature"] == f"sha256={digest}"
    assert request.headers["idempotency-key"] == told["notice"]
    assert request.path == "/web"
    for word in ("Doe", "ID4711", "A1"):
        assert word not in request.body.decode()


def test_every_field_of_a_notice_is_described(tmp_path: Path) -> None:
    outbox = make_outbox(tmp_path, [], [hook(WebSite(url="http://127.0.0.1:1"))])
    answered_exam(outbox)
    ((payload,),) = outbox.ledger.rows("SELECT payload FROM notice")
    told = json.loads(payload)
    names = set(told) | set(told["findings"][0]) | set(told["results"][0])
    document = (Path(__file__).parents[3] / "docs" / "delivery.md").read_text(encoding="utf-8")
    assert not [name for name in names if f"`{name}`" not in document]


def test_a_notice_is_told_once_and_a_listener_that_refuses_it_for_good_is_given_up(tmp_path: Path) -> None:
    with serving(WebSite()) as site, serving(WebSite(status=422)) as wrong:
        listeners = [hook(site), Listener(name="wrong", url=wrong.url, retry=SOON)]
        outbox = make_outbox(tmp_path, [], listeners)
        run_until_done(outbox, answered_exam(outbox))
    assert len(site.requests) == 1 and states(outbox, "notice") == ["given_up", "sent"]
    assert reasons(outbox, "notice") == {"It refused the notice (status 422)."}


class SetAside:
    """An outbox with one exam that no reader could read; it is told of, and may be answered after all."""

    def __init__(self, folder: Path, listener: Listener, header: bytes | None = None) -> None:
        self.outbox = make_outbox(folder, [], [listener])
        ledger, data = self.outbox.ledger, self.outbox.data
        self.queue = ExamQueue(ledger, Completeness(), Order(), max_tries=1)
        inbox = Inbox(ledger, data, self.queue, Limits(keep_free_gb=0.0))
        self.study = inbox.receive([as_bytes(small_image(1, 1))], Arrival("CT1")).uids.study
        if header is not None:
            next(data.inbox.rglob("*.dcm")).write_bytes(header)
        self.queue.finish(self.study)
        self.queue.failed(self._claimed(), "The reader ended unexpectedly.", self.outbox.rows_for)

    def answer_after_all(self) -> int:
        self.queue.try_again(self.study)
        exam_id = self._claimed()
        write_results(self.outbox.data.results / "folder", self.study)
        self.queue.answer(exam_id, ExamAnswer("found", "folder", (FOUND,), {}), self.outbox.rows_for)
        return exam_id

    def _claimed(self) -> int:
        exam = self.queue.claim()
        assert exam is not None
        return exam.id


def test_an_exam_that_was_set_aside_is_told_with_its_reason_and_so_is_its_later_answer(tmp_path: Path) -> None:
    with serving(WebSite()) as site:
        exam = SetAside(tmp_path, hook(site))
        with at_work(exam.outbox):
            until(lambda: states(exam.outbox, "notice") == ["sent"])
        run_until_done(exam.outbox, exam.answer_after_all())
    first, second = (json.loads(request.body) for request in site.requests)
    assert (first["event"], first["answer"]) == ("exam_set_aside", "could_not_look")
    assert (first["reason"], first["findings"]) == ("The reader ended unexpectedly.", [])
    assert (second["event"], second["answer"], len(second["results"])) == ("exam_answered", "found", 4)
    keys = {request.headers["idempotency-key"] for request in site.requests}
    assert keys == {f"{exam.study}/1/set_aside", f"{exam.study}/1"}


def test_an_answer_that_comes_while_its_exam_is_told_to_be_set_aside_is_told_too(tmp_path: Path) -> None:
    exam = SetAside(tmp_path, hook(WebSite(url="http://127.0.0.1:1")))
    (row,) = exam.outbox.due_notices("hook", 1)
    exam.answer_after_all()
    exam.outbox.told(row)
    assert states(exam.outbox, "notice") == ["waiting"]


def test_a_set_aside_exams_notice_that_was_given_up_is_told_again_on_demand(tmp_path: Path) -> None:
    with serving(WebSite(status=422)) as site:
        exam = SetAside(tmp_path, hook(site))
        with at_work(exam.outbox):
            until(lambda: states(exam.outbox, "notice") == ["given_up"])
            site.status = 200
            assert exam.outbox.send_again(exam.study) == 1
            until(lambda: states(exam.outbox, "notice") == ["sent"])
    assert [row["state"] for row in exam.outbox.ledger.rows("SELECT state FROM exam")] == ["set_aside"]


@pytest.mark.parametrize("header", [b"no DICOM", bytes(128) + b"DICM\x10\x00\x20\x00ZZ\x04\x004711"])  # ZZ: no VR
def test_a_header_that_nobody_understands_gives_up_its_work_item_and_no_other(tmp_path: Path, header: bytes) -> None:
    with serving(WebSite(status=201)) as site:
        exam = SetAside(tmp_path, hook(site, kind="ups"), header)
        run_until_done(exam.outbox, answered_exam(exam.outbox))
        with at_work(exam.outbox):
            until(lambda: states(exam.outbox, "notice") == ["given_up", "sent"])


def test_a_work_item_names_patient_study_priority_and_findings(tmp_path: Path) -> None:
    with serving(WebSite(status=201)) as site:
        outbox = make_outbox(tmp_path, [], [hook(site, kind="ups")])
        run_until_done(outbox, answered_exam(outbox))
    (request,) = site.requests
    (item,) = json.loads(request.body)
    path, uid = request.path.split("?")
    assert path == "/web/workitems" and uid.startswith("2.25.")
    assert request.headers["content-type"] == "application/dicom+json"
    assert item["00100010"]["Value"] == [{"Alphabetic": PATIENT_NAME}] and item["00100020"]["Value"] == ["ID4711"]
    assert item["00741200"]["Value"] == ["HIGH"] and item["00741000"]["Value"] == ["SCHEDULED"]
    assert "Intraparenchymal hemorrhage: found (probability 0.93, 12.3 mL)." in item["00400400"]["Value"][0]
    (row,) = outbox.ledger.rows("SELECT study_uid FROM exam")
    assert {part["0020000D"]["Value"][0] for part in item["00404021"]["Value"]} == {row["study_uid"]}
    assert item["00081195"] == {"vr": "UI"}  # no transaction before somebody claims it


@pytest.mark.parametrize(("answer", "priority"), [("not_found", "MEDIUM"), ("could_not_look", "MEDIUM")])
def test_an_exam_without_findings_is_never_put_behind_the_others(tmp_path: Path, answer: str, priority: str) -> None:
    with serving(WebSite(status=201)) as site:
        outbox = make_outbox(tmp_path, [], [hook(site, kind="ups")])
        run_until_done(outbox, answered_exam(outbox, answer))
    (item,) = json.loads(site.requests[0].body)
    assert item["00741200"]["Value"] == [priority]
    if answer == "could_not_look":
        assert "not a negative" in item["00400400"]["Value"][0]


def test_a_work_item_that_is_there_already_counts_as_created(tmp_path: Path) -> None:
    with serving(WebSite(status=409)) as site:
        outbox = make_outbox(tmp_path, [], [hook(site, kind="ups")])
        run_until_done(outbox, answered_exam(outbox))
    assert states(outbox, "notice") == ["sent"]


def test_a_login_that_cannot_work_is_an_error_of_the_site_and_no_thread_dies_of_it(tmp_path: Path) -> None:
    with serving(WebSite()) as site:
        missing = Login(token_file=tmp_path / "missing")
        outbox = make_outbox(tmp_path, [stow(site, login=missing, retry=Retry(first_s=0.05, longest_s=0.05))])
        exam = answered_exam(outbox)
        with at_work(outbox):
            until(lambda: reasons(outbox, "delivery") != set())
            assert reasons(outbox, "delivery") == {"A secret cannot be read."}
            (tmp_path / "missing").write_text("token")
            until(lambda: exam_state(outbox, exam) == "done")
