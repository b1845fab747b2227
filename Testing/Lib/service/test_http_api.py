"""The node over HTTP: who sees what, what changes, what a page of another site or a flood of requests cannot do."""

from __future__ import annotations

import http.client
import io
import json
import logging
import ssl
import zipfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from PIL import Image

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.core.exam_bundle import unpack_bundle
from NeuroTriageLib.core.exchange import load_exam
from NeuroTriageLib.service import http_api
from NeuroTriageLib.service.site_config import Http, Tls
from NeuroTriageLib.study_files import load_series
from Testing.Lib.service.authority import Authority
from Testing.Lib.service.made_node import (
    FOUND,
    METRICS_TOKEN,
    PASSWORD,
    READ_TOKEN,
    SCRIPT_NAME,
    SEND_TOKEN,
    USER,
    USERS,
    MadeNode,
    ServedNode,
    findings_json,
    raw_answer,
    same_voxels,
)


class Browser:
    """Asks one node; redirections are not followed."""

    def __init__(self, url: str) -> None:
        self._host = url.removeprefix("http://")

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str):
        """(status, headers, body)."""
        connection = http.client.HTTPConnection(self._host, timeout=20)
        connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}, content

    def read(self, path: str, token: str = READ_TOKEN, **headers: str):
        return self.ask(path, Authorization=f"Bearer {token}", **headers)

    def log_in(self, password: str = PASSWORD, **headers: str):
        form = urlencode({"user": USER, "password": password}).encode()
        return self.ask("/login", "POST", form, **headers)


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory):
    """A node with one answered exam whose patient's name is a script: (node, exam's number, answer)."""
    node = MadeNode(tmp_path_factory.mktemp("node"))
    exam_id, answer = node.add_answered(PatientName=SCRIPT_NAME, PatientBirthDate="19500102")
    return node, exam_id, answer


def test_health_is_told_to_anybody_and_says_what_is_wrong(tmp_path: Path):
    problems: list[str] = []
    with ServedNode(MadeNode(tmp_path), problems=lambda: problems) as served:
        browser = Browser(served.url)
        assert browser.ask("/health")[0] == 200
        problems.append("The disk is almost full.")
        status, _, body = browser.ask("/health")
    assert status == 503 and json.loads(body)["problems"] == ["The disk is almost full."]


PROTECTED = (
    *("/api/worklist", "/api/exams/1", "/api/exams/1/audit", "/api/exams/1/report", "/api/exams/1/findings"),
    *("/api/exams/1/key_images/1", "/api/exams/1/review", "/metrics"),
)


@pytest.mark.parametrize("path", PROTECTED)
def test_nothing_about_an_exam_is_told_to_who_may_not_read(answered, path: str):
    with ServedNode(answered[0]) as served:
        browser = Browser(served.url)
        assert browser.ask(path)[0] == 401 and browser.read(path, "guess")[0] == 401
        assert browser.read(path, SEND_TOKEN)[0] == 403
        assert browser.read(path, METRICS_TOKEN)[0] == (200 if path == "/metrics" else 403)
        assert browser.ask(path, Authorization="Basic no-base64")[0] == 401


def test_every_address_but_health_login_and_its_style_asks_who_it_is(tmp_path: Path):
    from NeuroTriageLib.service.http_access import Access
    from NeuroTriageLib.service.http_api import HttpParts, make_app
    from NeuroTriageLib.service.stow_receiver import StowReceiver

    node = MadeNode(tmp_path)
    stow = StowReceiver(lambda *_: None, tmp_path, 1)  # type: ignore[arg-type, return-value]
    app = make_app(HttpParts(node.ledger, node.files, Access(USERS), stow))
    routes = {(method, route.path) for route in app._app.routes for method in route.methods}
    anybody = {
        ("GET", "/health"),
        ("GET", "/login"),
        ("POST", "/login"),
        ("POST", "/logout"),
        ("GET", "/assets/{name}"),
    }
    with ServedNode(node, lambda *_: None) as served:
        browser = Browser(served.url)
        for method, path in routes - anybody:
            status, headers, _ = browser.ask(path.replace("{exam_id}", "1").replace("{number}", "1"), method)
            assert status == 401 or (path == "/" and headers["location"] == "/login"), (method, path)


def test_the_worklist_holds_each_exam_with_its_patient_and_is_not_sent_again_unchanged(answered):
    node, exam_id, _ = answered
    with ServedNode(node) as served:
        browser = Browser(served.url)
        _, headers, body = browser.read("/api/worklist")
        (exam,) = json.loads(body)["exams"]
        assert exam["id"] == exam_id and exam["rank"] == "found" and exam["key_images"] >= 1
        assert exam["patient"]["patient_name"] == "<script>alert(1)</script>, <svg onload>"
        assert exam["patient"]["birth_date"] == "19500102"
        status, _, body = browser.read("/api/worklist", If_None_Match=headers["etag"])
        assert (status, body) == (304, b"")
        assert browser.read("/api/worklist?hours=0")[0] == 422 and browser.read("/api/worklist?hours=1e9")[0] == 422


def test_a_change_of_the_ledger_changes_the_list(tmp_path: Path):
    node = MadeNode(tmp_path)
    exam_id = node.add("1.2", "reading", stage="network", fraction=0.25)
    with ServedNode(node) as served:
        browser = Browser(served.url)
        tag = browser.read("/api/worklist")[1]["etag"]
        node.now += 5
        assert browser.read("/api/worklist", If_None_Match=tag)[0] == 304, "time alone is no change"
        with node.ledger.transaction() as db:
            db.execute("UPDATE exam SET fraction = 0.5 WHERE id = ?", (exam_id,))
        status, _, body = browser.read("/api/worklist", If_None_Match=tag)
    assert status == 200 and json.loads(body)["exams"][0]["fraction"] == 0.5


def test_a_report_runs_nothing_and_who_opened_it_is_noted(answered):
    node, exam_id, _ = answered
    with ServedNode(node) as served:
        browser = Browser(served.url)
        status, headers, body = browser.read(f"/api/exams/{exam_id}/report")
        audit = json.loads(browser.read(f"/api/exams/{exam_id}/audit")[2])
    assert status == 200 and body.startswith(b"<!") and "sandbox" in headers["content-security-policy"]
    assert "script-src" not in headers["content-security-policy"]
    assert ("report opened", "reader") in {(line["event"], line["detail"]) for line in audit}


def test_a_key_image_is_a_picture_and_what_is_not_there_is_not_found(answered):
    node, exam_id, _ = answered
    other = node.add("9.9", "queued", minutes_ago=99999)
    with ServedNode(node) as served:
        browser = Browser(served.url)
        _, headers, body = browser.read(f"/api/exams/{exam_id}/key_images/1")
        assert headers["content-type"] == "image/png" and Image.open(io.BytesIO(body)).size[0] > 100
        missing = [f"/api/exams/{exam_id}/key_images/{n}" for n in (0, 99)]
        missing += [
            f"/api/exams/{other}/report",
            f"/api/exams/{other}/review",
            "/api/exams/777",
            "/assets/..%2fledger.py",
        ]
        assert [browser.read(path)[0] for path in missing] == [404] * len(missing)
        assert browser.read("/api/exams/1%20OR%201=1")[0] == 422


def test_the_files_for_a_review_give_the_answer_back_voxel_by_voxel(answered, tmp_path: Path):
    node, exam_id, answer = answered
    with ServedNode(node) as served:
        body = Browser(served.url).read(f"/api/exams/{exam_id}/review")[2]
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "images", [name for name in archive.namelist() if name.startswith("images/")])
        unpack_bundle(archive.read("exam_1.zip"), tmp_path / "exam")
    volume, _ = load_series([tmp_path / "images"], answer.volume.series_instance_uid)
    assert same_voxels(load_exam(tmp_path / "exam", volume), answer)


def test_metrics_count_exams_and_hold_neither_patient_nor_study(answered):
    node, *_ = answered
    with node.ledger.transaction() as db:
        db.execute(
            "INSERT OR IGNORE INTO delivery (exam_id, destination, sop_class_uid, sop_uid, path, state, next_try_at)"
            " VALUES (1, 'PACS', '1', '1.2', 'x', 'waiting', 0)"
        )
    with ServedNode(node) as served:
        text = Browser(served.url).read("/metrics", METRICS_TOKEN)[2].decode()
    assert 'neurotriage_exams{state="answered"} 1.0' in text
    assert 'neurotriage_delivery{destination="PACS",state="waiting"} 1.0' in text
    assert (
        'neurotriage_reading_seconds_bucket{le="40.0"} 1.0' in text and "neurotriage_reading_seconds_sum 30.0" in text
    )
    study = node.ledger.rows("SELECT study_uid FROM exam WHERE id = 1")[0]["study_uid"]
    assert study not in text and "script" not in text and "SECRET" not in text


def test_a_password_opens_the_page_and_logging_out_closes_it(answered):
    node, *_ = answered
    with ServedNode(node) as served:
        browser = Browser(served.url)
        assert browser.ask("/")[1]["location"] == "/login"
        assert browser.log_in("wrong")[0] == 401
        status, headers, _ = browser.log_in()
        cookie, kept = headers["set-cookie"].partition(";")[::2]
        assert status == 303 and "HttpOnly" in kept and "samesite=strict" in kept.lower()
        assert browser.ask("/", Cookie=cookie)[0] == 200 and browser.ask("/api/worklist", Cookie=cookie)[0] == 200
        assert browser.ask("/logout", "POST", Cookie=cookie)[0] == 303
        assert browser.ask("/api/worklist", Cookie=cookie)[0] == 401
    events = [(row["event"], row["detail"]) for row in node.ledger.rows("SELECT * FROM audit WHERE exam_id IS NULL")]
    assert events[-2:] == [("refused log-in", "127.0.0.1"), ("log-in", "127.0.0.1")]


def test_another_sites_form_cannot_log_in_and_a_large_one_is_refused(tmp_path: Path):
    with ServedNode(MadeNode(tmp_path)) as served:
        browser = Browser(served.url)
        assert browser.log_in(Origin="https://elsewhere.example")[0] == 403
        assert browser.log_in(Origin=served.url)[0] == 303
        assert browser.ask("/login", "POST", b"user=" + b"x" * 10_000)[0] == 413
        assert browser.ask("/login", "POST", b"\xff&&=&user&password")[0] == 400
        assert browser.ask("/login", "POST", b"\xff=\xfe&user")[0] == 401


def test_a_form_that_does_not_come_holds_no_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http_api, "FORM_S", 0.2)
    with ServedNode(MadeNode(tmp_path)) as served:
        begun = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nuser="
        assert b"408" in raw_answer(served.url, begun, stop=False, wait_s=3.0).splitlines()[0]


def test_every_answer_tells_the_browser_to_load_and_run_nothing_from_elsewhere(tmp_path: Path):
    with ServedNode(MadeNode(tmp_path)) as served:
        browser = Browser(served.url)
        for path in ("/", "/login", "/health", "/api/worklist", "/assets/worklist.js", "/nothing"):
            headers = browser.ask(path)[1]
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
            assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
            assert "server" not in headers and "access-control-allow-origin" not in headers


def test_a_name_with_line_ends_adds_no_header(tmp_path: Path):
    with ServedNode(MadeNode(tmp_path)) as served:
        browser = Browser(served.url)
        status, headers, _ = browser.ask("/assets/x%0d%0aSet-Cookie:%20a=b")
        assert status == 404 and "set-cookie" not in headers
        endless = b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"y" * 20_000
        assert b"400" in raw_answer(served.url, endless, stop=False).splitlines()[0]


def test_a_flood_from_one_address_is_slowed_and_counted(tmp_path: Path):
    with ServedNode(MadeNode(tmp_path), requests_per_minute=5) as served:
        browser = Browser(served.url)
        answers = [browser.ask("/health") for _ in range(7)]
    assert [status for status, *_ in answers[:5]] == [200] * 5
    assert answers[-1][0] == 429 and int(answers[-1][1]["retry-after"]) >= 1


def test_what_goes_wrong_inside_is_told_without_a_trace_or_a_name(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    node = MadeNode(tmp_path)
    exam_id, _ = node.add_answered(PatientName="SECRET^NAME")
    (node.folder / "results" / "first" / "key_image_1.dcm").write_bytes(b"broken SECRET")
    with caplog.at_level(logging.DEBUG), ServedNode(node) as served:
        status, _, body = Browser(served.url).read(f"/api/exams/{exam_id}/key_images/1")
    assert status == 500 and b"Traceback" not in body and b"SECRET" not in body
    assert "SECRET" not in caplog.text


def test_the_history_of_an_exam_survives_its_files(tmp_path: Path):
    node = MadeNode(tmp_path)
    exam_id = node.add("1.2", "deleted", findings=findings_json(FOUND), result="gone")
    with ServedNode(node) as served:
        browser = Browser(served.url)
        exam = json.loads(browser.read(f"/api/exams/{exam_id}")[2])
        assert exam["has_result"] is False and exam["audit"] and exam["patient"]["patient_name"] == ""
        assert browser.read(f"/api/exams/{exam_id}/report")[0] == 404


def test_a_port_that_is_taken_and_a_certificate_that_is_none_are_told(tmp_path: Path):
    with ServedNode(MadeNode(tmp_path)) as served, pytest.raises(ConfigError):
        ServedNode(MadeNode(tmp_path), settings=Http(port=int(served.url.rsplit(":", 1)[1]), users=USERS))
    (tmp_path / "no.pem").write_text("nothing")
    broken = Tls(certificate=tmp_path / "no.pem", private_key=tmp_path / "no.pem")
    with pytest.raises(ConfigError):
        ServedNode(MadeNode(tmp_path), settings=replace(Http(port=0, users=USERS), tls=broken))


def test_over_tls_the_session_never_leaves_it_and_a_client_without_its_certificate_stays_outside(tmp_path: Path):
    authority = Authority(tmp_path / "tls")
    ours, theirs = authority.identity("node"), authority.identity("reader")
    tls = Tls(ours.certificate, ours.key, authority.certificate)
    with ServedNode(MadeNode(tmp_path / "node"), settings=Http(port=0, tls=tls, users=USERS), secure=True) as served:
        port = int(served.url.rsplit(":", 1)[1])
        known = ssl.create_default_context(cafile=str(authority.certificate))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _asked_over_tls(port, known)
        known.load_cert_chain(str(theirs.certificate), str(theirs.key))
        status, headers = _asked_over_tls(port, known)
    assert status == 303 and "Secure" in headers["set-cookie"] and "strict-transport-security" in headers


def _asked_over_tls(port: int, context: ssl.SSLContext):
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
    connection.request("POST", "/login", urlencode({"user": USER, "password": PASSWORD}))
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, {key.lower(): value for key, value in answer.getheaders()}


def test_an_image_whose_header_cannot_be_read_leaves_its_exam_in_the_list_without_a_name(tmp_path: Path):
    node = MadeNode(tmp_path)
    for study, content in (("1.2", b"no dicom"), ("1.3", bytes(128) + b"DICM" + b"\xff" * 300), ("1.4", None)):
        exam_id = node.add(study, "queued")
        if content is not None:
            (tmp_path / "inbox" / f"{study}.dcm").write_bytes(content)
        with node.ledger.transaction() as db:
            values = (f"{study}.1", exam_id, f"{study}.dcm")
            db.execute("INSERT INTO image VALUES (?, ?, '1', ?, 1, '', 0)", values)
    with ServedNode(node) as served:
        exams = json.loads(Browser(served.url).read("/api/worklist")[2])["exams"]
    assert {exam["study_uid"]: exam["patient"]["patient_name"] for exam in exams} == {"1.2": "", "1.3": "", "1.4": ""}
