"""A node's folder filled by hand: exams in every state, images that name a patient, an answer with all its files."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from NeuroTriageLib.core.findings import ExamResult
from NeuroTriageLib.io.dicom_source import read_dicom_source
from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriageLib.outputs.dicom.writer import write_dicom
from NeuroTriageLib.outputs.folder import write_outputs
from NeuroTriageLib.service.exam_files import ExamFiles
from NeuroTriageLib.service.http_access import Access
from NeuroTriageLib.service.http_api import HttpParts, make_app
from NeuroTriageLib.service.http_passwords import password_hash, token_hash
from NeuroTriageLib.service.http_server import HttpServer
from NeuroTriageLib.service.ledger import Ledger
from NeuroTriageLib.service.review_files import write_review_files
from NeuroTriageLib.service.site_config import Http, HttpUser
from NeuroTriageLib.service.stow_receiver import StowReceiver
from Testing.Lib import ct_series
from Testing.Lib.exam_builder import IPH_AND_SDH, ExamSettings, build_exam

NOW = 1_800_000_000.0
READ_TOKEN, SEND_TOKEN, METRICS_TOKEN = "token-of-a-reader", "token-of-a-sender", "token-of-prometheus"
USER, PASSWORD = "reader", "correct horse"
USERS = (
    HttpUser("reader", password_hash(PASSWORD, cost=2**10), token_hash(READ_TOKEN), ("read",)),
    HttpUser("modality", None, token_hash(SEND_TOKEN), ("send",)),
    HttpUser("prometheus", None, token_hash(METRICS_TOKEN), ("metrics",)),
)
SCRIPT_NAME = "<script>alert(1)</script>^<svg onload>"

FOUND = (("any", "found", 0.97, 31.4), ("IPH", "found", 0.96, 30.1), ("SDH", "not_found", 0.12, 0.0))
NOTHING = (("any", "not_found", 0.03, 0.0), ("IPH", "not_found", 0.01, 0.0))
NOT_LOOKED = (("any", "could_not_look", None, None),)


def findings_json(items: tuple[tuple[str, str, float | None, float | None], ...]) -> str:
    """What the ledger keeps of an answer."""
    return json.dumps([dict(zip(("code", "status", "probability", "volume_ml"), item, strict=True)) for item in items])


@dataclass
class MadeNode:
    """A data folder and its ledger; the clock stands still."""

    folder: Path
    now: float = NOW
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        for name in ("inbox", "results", "arriving"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.ledger = Ledger(self.folder / "node.sqlite", now=lambda: self.now)

    @property
    def files(self) -> ExamFiles:
        """Anew, so that nothing is remembered."""
        return ExamFiles(self.ledger, self.folder / "inbox", self.folder / "results")

    def add(self, study_uid: str, state: str = "queued", *, minutes_ago: float = 10.0, **values: Any) -> int:
        """One exam in the ledger; its number."""
        came = self.now - 60 * minutes_ago
        row = {"revision": 1, "source": "CT1", "dicom_priority": 0, "urgency": 0.5, "opened_at": came}
        row |= {
            "complete_at": None if state == "receiving" else came,
            "last_image_at": came,
            "study_uid": study_uid,
            "state": state,
        } | values
        if state in ("answered", "done"):
            row = {"answered_at": came + 90, "started_at": came + 60, "complete_at": came + 30} | row
        with self.ledger.transaction() as db:
            names = ", ".join(row)
            cursor = db.execute(f"INSERT INTO exam ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
            self.ledger.note(db, "opened", "", cursor.lastrowid)
        return int(cursor.lastrowid or 0)

    def add_image(self, exam_id: int, dataset: pydicom.Dataset) -> None:
        """One image in the inbox and the ledger."""
        path = Path(dataset.StudyInstanceUID, f"{dataset.SOPInstanceUID}.dcm")
        (self.folder / "inbox" / path).parent.mkdir(exist_ok=True)
        dataset.save_as(self.folder / "inbox" / path, enforce_file_format=True)
        with self.ledger.transaction() as db:
            db.execute(
                "INSERT INTO image VALUES (?, ?, ?, ?, 1000, '', ?)",
                (dataset.SOPInstanceUID, exam_id, dataset.SeriesInstanceUID, str(path), self.now),
            )

    def add_answered(self, **changes: Any) -> tuple[int, ExamResult]:
        """An exam with images and a whole answer: report, key images, what a review needs."""
        series = ct_series.write_series(self.folder / "sent")
        datasets = [pydicom.dcmread(path) for path in sorted(series.iterdir())]
        for dataset in datasets:
            for keyword, value in changes.items():
                setattr(dataset, keyword, value)
        with open_input(series) as studies:
            volume, source = read_volume(studies[0].series[0])[0], read_dicom_source(studies[0].series[0])
        answer = answer_on(volume, datasets[0].StudyInstanceUID)
        shutil.rmtree(series)
        exam_id = self.add(datasets[0].StudyInstanceUID, "answered", findings=findings_json(FOUND), result="first")
        for dataset in datasets:
            self.add_image(exam_id, dataset)
        folder = self.folder / "results" / "first"
        write_outputs(answer, folder, write_dicom=lambda result, out: write_dicom(result, out, source=source))
        write_review_files([answer], folder)
        return exam_id, answer


def answer_on(volume: Any, study_uid: str) -> ExamResult:
    """A made answer about a real series: the made exam's findings, its masks in the middle of the volume."""
    shape = volume.grid.shape_kji
    made = build_exam(ExamSettings(blood=IPH_AND_SDH, shape_kji=shape))
    reading = made.readings[0]
    return replace(
        made,
        volume=volume,
        study_instance_uid=study_uid,
        readings=(reading,),
        abc2=(),
        judgements=(replace(made.judgements[0], series_instance_uid=volume.series_instance_uid),),
    )


class ServedNode:
    """The made node on a port of its own.

    Args:
        node: what is served.
        options: of HttpParts.
    """

    def __init__(self, node: MadeNode, store: Callable[..., Any] | None = None, **options: Any) -> None:
        settings = options.pop("settings", Http(port=0, users=USERS))
        stow = StowReceiver(store, node.folder / "arriving", 1_000_000) if store else None
        parts = HttpParts(node.ledger, node.files, Access(USERS), stow, **options)
        self._server = HttpServer(settings, make_app(parts))
        self.url = f"http://127.0.0.1:{self._server.port}"

    def __enter__(self) -> ServedNode:
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop()


def raw_answer(url: str, request: bytes, *, stop: bool = True, wait_s: float = 20.0) -> bytes:
    """What the server says to some bytes; with stop it hears that no more will come."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=wait_s) as connection:
        connection.sendall(request)
        if stop:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def same_voxels(first: ExamResult, second: ExamResult) -> bool:
    """True when images and masks of two exams are the same."""
    masks = np.array_equal(first.readings[0].label_kji, second.readings[0].label_kji)
    return masks and np.array_equal(first.volume.array_kji, second.volume.array_kji)
