"""The node over HTTP: worklist and its page, an exam's report and history, health, metrics, images by STOW-RS."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs

import jinja2
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse

from .. import __version__
from ..core.errors import InputError, NeuroTriageError
from .exam_files import ExamFiles
from .http_access import Access, TooManyTries
from .http_caller import SESSION_COOKIE, Caller, address_of, check_same_site, may
from .http_guard import REPORT_POLICY, Guard, RequestRate
from .http_metrics import LedgerCollector, RefusedRequests, metrics_text
from .ledger import Ledger
from .site_config import Order
from .stow_receiver import ANSWER_TYPE, DICOMWEB, StowReceiver, StowRequest
from .worklist import exam_of, history_of
from .worklist_answer import WorklistAnswer

log = logging.getLogger(__name__)

PAGES_FOLDER = Path(__file__).with_name("pages")
ASSETS = {"worklist.css": "text/css", "worklist.js": "text/javascript", "icon.svg": "image/svg+xml"}
HOURS, MOST_HOURS = 24.0, 31 * 24.0  # of the worklist: what is asked for when nothing is said, and at most; ours
MOST_FORM_BYTES = 4096  # of a name and a password; ours
FORM_S = 10.0  # within which they must have come: nobody without a password holds a connection for long; ours

Reader = Annotated[Caller, Depends(may("read"))]
Sender = Annotated[Caller, Depends(may("send"))]


@dataclass(frozen=True)
class HttpParts:
    """What the pages are made of.

    Args:
        ledger: the node's memory.
        files: of its exams.
        access: who may do what.
        stow: None where images are not taken over HTTP.
        body_idle_s: a sender that is silent for so long within a request is left.
        requests_per_minute: of one address.
        secure: served by https.
        order: of the node's queue.
        problems: what is wrong with the node now, in sentences without identifiers; none when it is well.
    """

    ledger: Ledger
    files: ExamFiles
    access: Access
    stow: StowReceiver | None = None
    body_idle_s: float = 60.0
    requests_per_minute: float = 600.0
    secure: bool = False
    order: Order = field(default_factory=Order)
    problems: Callable[[], list[str]] = field(default=list)


def make_app(parts: HttpParts) -> Guard:
    """The whole application (ASGI)."""
    app = FastAPI(title="NeuroTriage", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    refused = RefusedRequests()
    app.state.access = parts.access
    app.add_exception_handler(NeuroTriageError, _told)
    app.add_exception_handler(TooManyTries, _too_many)
    app.add_exception_handler(sqlite3.Error, _ledger_is_away)
    app.add_exception_handler(TimeoutError, _too_slow)
    _add_pages(app, parts)
    _add_state(app, parts, refused)
    _add_exams(app, parts)
    if parts.stow is not None:
        _add_stow(app, parts, parts.stow)
    return Guard(app, RequestRate(parts.requests_per_minute), refused, parts.secure)


def _add_pages(app: FastAPI, parts: HttpParts) -> None:
    """Worklist, login and what they load; nothing here needs a right but the worklist itself."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(PAGES_FOLDER), autoescape=True)
    login = environment.get_template("login.html")

    def login_page(problem: str, status: int) -> HTMLResponse:
        return HTMLResponse(login.render(problem=problem, version=__version__), status)

    @app.get("/")
    def page(request: Request) -> Response:
        secret = request.cookies.get(SESSION_COOKIE, "")
        if parts.access.by_session(secret) is None:
            return RedirectResponse("/login", 303)
        return FileResponse(PAGES_FOLDER / "worklist.html", media_type="text/html")

    @app.get("/assets/{name}")
    def asset(name: str) -> Response:
        if name not in ASSETS:
            raise HTTPException(404)
        return FileResponse(PAGES_FOLDER / name, media_type=ASSETS[name])

    @app.get("/login")
    def ask() -> Response:
        return login_page("", 200)

    @app.post("/login")
    async def log_in(request: Request) -> Response:
        check_same_site(request)
        name, password = _name_and_password(await asyncio.wait_for(_small_body(request), FORM_S))
        try:
            secret = await asyncio.to_thread(parts.access.log_in, name, password, address_of(request))
        except TooManyTries as error:
            return login_page(f"Too many tries. Wait {int(error.wait_s / 60) + 1} minutes.", 429)
        await asyncio.to_thread(_note, parts.ledger, "log-in" if secret else "refused log-in", address_of(request))
        if secret is None:
            return login_page("Name or password is wrong.", 401)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(SESSION_COOKIE, secret, httponly=True, secure=parts.secure, samesite="strict")
        return answer

    @app.post("/logout")
    def log_out(request: Request) -> Response:
        check_same_site(request)
        parts.access.log_out(request.cookies.get(SESSION_COOKIE, ""))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(SESSION_COOKIE, httponly=True, secure=parts.secure, samesite="strict")
        return answer


def _add_state(app: FastAPI, parts: HttpParts, refused: RefusedRequests) -> None:
    """Health for anybody, metrics for who may."""

    @app.get("/health")
    def health() -> Response:
        try:
            parts.ledger.rows("SELECT 1 FROM exam LIMIT 1")
            problems = parts.problems()
        except sqlite3.Error:
            problems = ["The ledger cannot be read."]
        status = "degraded" if problems else "ok"
        answer = {"status": status, "version": __version__, "problems": problems}
        return JSONResponse(answer, 503 if problems else 200)

    @app.get("/metrics", dependencies=[Depends(may("metrics"))])
    def metrics() -> Response:
        return Response(metrics_text(LedgerCollector(parts.ledger), refused), media_type="text/plain; version=0.0.4")


def _add_exams(app: FastAPI, parts: HttpParts) -> None:
    """The worklist and what is known of each exam."""
    ledger, files = parts.ledger, parts.files
    answer = WorklistAnswer(ledger, files, parts.order)

    @app.get("/api/worklist", dependencies=[Depends(may("read"))])
    def exams(request: Request, hours: Annotated[float, Query(gt=0, le=MOST_HOURS)] = HOURS) -> Response:
        """Unchanged since the last time (If-None-Match): 304 without the list, as the page asks every few seconds."""
        tag, content = answer.get(hours)
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        return Response(content, headers={"etag": tag}, media_type="application/json")

    @app.get("/api/exams/{exam_id}", dependencies=[Depends(may("read"))])
    def exam(exam_id: int) -> Any:
        return answer.listed(exam_of(ledger, exam_id)) | {"now": ledger.now()} | history_of(ledger, exam_id)

    @app.get("/api/exams/{exam_id}/audit", dependencies=[Depends(may("read"))])
    def audit(exam_id: int) -> Any:
        exam_of(ledger, exam_id)
        return history_of(ledger, exam_id)["audit"]

    @app.get("/api/exams/{exam_id}/report")
    def report(exam_id: int, caller: Reader) -> Response:
        path = files.report(exam_id)
        _note(ledger, "report opened", caller.name, exam_id)
        return FileResponse(path, media_type="text/html", headers={"content-security-policy": REPORT_POLICY})

    @app.get("/api/exams/{exam_id}/findings", dependencies=[Depends(may("read"))])
    def findings(exam_id: int) -> Response:
        return FileResponse(files.findings(exam_id), media_type="application/json")

    @app.get("/api/exams/{exam_id}/key_images/{number}", dependencies=[Depends(may("read"))])
    def key_image(exam_id: int, number: int) -> Response:
        return Response(files.key_image_png(exam_id, number), media_type="image/png")

    @app.get("/api/exams/{exam_id}/review")
    def review(exam_id: int, caller: Reader) -> Response:
        pieces = files.review(exam_id)
        _note(ledger, "taken for review", caller.name, exam_id)
        return StreamingResponse(pieces, media_type="application/zip")


def _add_stow(app: FastAPI, parts: HttpParts, stow: StowReceiver) -> None:
    """PS3.18, 10.5: the study that the address names, or any."""

    async def body(request: Request) -> AsyncIterator[bytes]:
        stream = request.stream()
        while True:
            try:
                piece = await asyncio.wait_for(anext(stream), parts.body_idle_s)
            except StopAsyncIteration:
                return
            yield piece

    @app.post("/dicomweb/studies")
    @app.post("/dicomweb/studies/{study_uid}")
    async def store(request: Request, caller: Sender, study_uid: str | None = None) -> Response:
        if caller.by_cookie:  # a page in the same browser could make it send
            raise HTTPException(403)
        told = StowRequest(request.headers.get("content-type", ""), DICOMWEB + caller.name, study_uid)
        try:
            status, answer = await stow.receive(told, body(request))
        except InputError as error:
            return JSONResponse({"error": error.message()}, 400)
        return JSONResponse(answer, status, media_type=ANSWER_TYPE)


def _name_and_password(form: bytes) -> tuple[str, str]:
    try:
        fields = parse_qs(form.decode("utf-8", "replace"), max_num_fields=4)
    except ValueError as error:
        raise HTTPException(400) from error
    return fields.get("user", [""])[0], fields.get("password", [""])[0]


async def _small_body(request: Request) -> bytes:
    content = b""
    async for piece in request.stream():
        content += piece
        if len(content) > MOST_FORM_BYTES:
            raise HTTPException(413)
    return content


def _note(ledger: Ledger, event: str, detail: str, exam_id: int | None = None) -> None:
    """A line of the audit trail; a full disk does not keep a reader from the report."""
    try:
        with ledger.transaction() as db:
            ledger.note(db, event, detail, exam_id)
    except sqlite3.OperationalError:
        log.error('the audit trail lacks "%s"', event)


def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, NeuroTriageError)
    return JSONResponse({"error": error.what, "next_step": error.next_step}, 404)


def _too_many(request: Request, error: Exception) -> Response:
    assert isinstance(error, TooManyTries)
    return JSONResponse({"error": "Too many tries."}, 429, {"retry-after": str(int(error.wait_s) + 1)})


def _too_slow(request: Request, error: Exception) -> Response:
    """Closing, as RFC 9110, 15.5.9 asks for: what is left of the request may come for ever."""
    return JSONResponse({"error": "The sender was silent for too long."}, 408, {"connection": "close"})


def _ledger_is_away(request: Request, error: Exception) -> Response:
    log.error("the ledger cannot be used: %s", type(error).__name__)
    return JSONResponse({"error": "The node's ledger cannot be used."}, 503)
