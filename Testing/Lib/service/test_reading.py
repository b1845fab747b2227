"""Readers in processes: one that dies, hangs or is unfit harms nothing but its own try; the real one answers."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from NeuroTriageLib.core.errors import ModelError
from NeuroTriageLib.io.inputs import open_input
from NeuroTriageLib.service.data_folder import DataFolder
from NeuroTriageLib.service.exam_queue import Arrival, ExamQueue
from NeuroTriageLib.service.first_look import FirstLook, look, thinned
from NeuroTriageLib.service.inbox import Inbox
from NeuroTriageLib.service.ledger import Ledger
from NeuroTriageLib.service.reader_process import ReaderDied, ReaderHung, ReaderProcess, Stopped
from NeuroTriageLib.service.reading_loops import FirstLookLoop, ReadingLoop, ReadingRoom
from NeuroTriageLib.service.reading_process import ExamReader, ReadJob, UnfitReader, as_a_whole
from NeuroTriageLib.service.site_config import Completeness, Limits, Order, Readers
from NeuroTriageLib.systems.nael2021_config import CRITICAL_CODES
from Testing.Lib import tiny_nael2021, tiny_packs
from Testing.Lib.ct_series import PATIENT_ID, PATIENT_NAME, write_series
from Testing.Lib.mr_phantom import write_dicom_study
from Testing.Lib.service import quick_reader
from Testing.Lib.service.small_exams import as_bytes, small_image, study_uid

QUICK = functools.partial(ReaderProcess, target=quick_reader.serve)
NEVER = threading.Event()


def silent(stage: str, fraction: float) -> None:
    pass


class Room:
    """A reading room with the quick reader."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.data = DataFolder(folder)
        self.data.make()
        self.ledger = Ledger(self.data.ledger)
        self.queue = ExamQueue(self.ledger, Completeness(), Order(), 3)
        self.inbox = Inbox(self.ledger, self.data, self.queue, Limits(keep_free_gb=0.0))
        self.has_room = True
        self.room = ReadingRoom(
            self.queue, self.data, Readers(**settings), lambda *_: None, lambda: self.has_room, QUICK
        )

    def add(self, study: int, description: str = "HEAD") -> None:
        self.inbox.receive([as_bytes(small_image(study, 0, description))], Arrival("CT1"))
        self.queue.finish(study_uid(study))

    def states(self) -> dict[str, str]:
        return {row["study_uid"]: row["state"] for row in self.ledger.rows("SELECT * FROM exam")}

    def run_until(self, loop: ReadingLoop | FirstLookLoop, done: Callable[[], bool], limit_s: float = 60.0) -> None:
        stop = threading.Event()
        thread = threading.Thread(target=loop.run, args=(stop,))
        thread.start()
        until = time.monotonic() + limit_s
        while not (happened := done()) and time.monotonic() < until:
            time.sleep(0.05)
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
        assert happened


def job(folder: Path, description: str) -> ReadJob:
    path = folder / "image.dcm"
    path.write_bytes(as_bytes(small_image(1, 1, description)))
    return ReadJob(study_uid(1), (path,), folder / "result")


def test_a_process_that_dies_or_hangs_is_told_and_the_next_job_has_a_new_one(tmp_path: Path) -> None:
    process = QUICK(Readers(), "read")
    try:
        with pytest.raises(ReaderDied, match="exit status 3"):
            process.ask(job(tmp_path, "DIES"), silent, NEVER, 30)
        with pytest.raises(ReaderHung, match="more than"):
            process.ask(job(tmp_path, "HANGS"), silent, NEVER, 2)
        assert process.ask(job(tmp_path, "HEAD"), silent, NEVER, 30).answer is not None
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.2)
        assert process.ask(job(tmp_path, "FAILS"), silent, NEVER, 30).reason == "It cannot be read."
    finally:
        process.end()


def test_a_stop_ends_a_reading_within_seconds(tmp_path: Path) -> None:
    process, stop = QUICK(Readers(), "read"), threading.Event()
    threading.Timer(1.0, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(Stopped):
        process.ask(job(tmp_path, "HANGS"), silent, stop, 60)
    assert time.monotonic() - begun < 8 and process.pid is None


def test_a_process_is_replaced_after_its_number_of_exams(tmp_path: Path) -> None:
    process = QUICK(Readers(exams_per_process=2), "read")
    pids = []
    for _ in range(3):
        process.ask(job(tmp_path, "FAILS"), silent, NEVER, 30)
        pids.append(process.pid)
    process.end()
    assert pids[0] == pids[1] != pids[2]


def test_a_poisonous_exam_is_set_aside_after_three_tries_and_the_others_are_answered(tmp_path: Path) -> None:
    room = Room(tmp_path)
    for study, description in enumerate(("HEAD", "DIES", "FAILS", "NO SERIES")):
        room.add(study, description)

    def settled() -> bool:
        return set(room.states().values()) <= {"answered", "set_aside"}

    room.run_until(ReadingLoop(room.room, 1), settled)
    assert list(room.states().values()) == ["answered", "set_aside", "set_aside", "answered"]
    rows = room.ledger.rows("SELECT * FROM exam ORDER BY id")
    assert [row["tries"] for row in rows] == [0, 3, 3, 0]
    assert "exit status 3" in rows[1]["reason"] and rows[2]["reason"] == "It cannot be read."
    assert rows[3]["reason"] == "There is no head CT." and rows[3]["result"] is None
    assert [folder.name for folder in room.data.results.iterdir()] == [rows[0]["result"]]


def test_an_exam_that_is_read_when_the_node_stops_waits_again(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.add(1, "HANGS")
    room.run_until(ReadingLoop(room.room, 1), lambda: "reading" in room.states().values())
    row = room.ledger.rows("SELECT * FROM exam")[0]
    assert (row["state"], row["tries"]) == ("queued", 0)


def test_without_room_for_results_nothing_is_read(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.has_room = False
    room.add(1)
    threading.Timer(2.0, lambda: setattr(room, "has_room", True)).start()
    begun = time.monotonic()
    room.run_until(ReadingLoop(room.room, 1), lambda: "answered" in room.states().values())
    assert time.monotonic() - begun >= 2.0


def test_the_first_look_orders_what_waits(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.add(1)
    room.add(2, quick_reader.URGENT)

    def seen() -> bool:
        return not room.ledger.rows("SELECT 1 FROM exam WHERE first_look IS NULL")

    room.run_until(FirstLookLoop(room.room), seen)
    claimed = [room.queue.claim(), room.queue.claim()]
    assert [exam and exam.study_uid for exam in claimed] == [study_uid(2), study_uid(1)]


def test_what_kills_the_first_look_costs_no_try(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.room = ReadingRoom(
        room.queue, room.data, Readers(), lambda *_: None, lambda: True,
        functools.partial(ReaderProcess, target=os._exit),
    )  # fmt: skip
    room.add(1)
    room.run_until(FirstLookLoop(room.room), lambda: bool(room.ledger.rows("SELECT first_look FROM exam")[0][0]))
    row = room.ledger.rows("SELECT * FROM exam")[0]
    assert (row["state"], row["tries"], row["urgency"]) == ("queued", 0, 0.5)
    assert "could_not_look" in json.loads(row["first_look"])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Readers:
    packs = tmp_path_factory.mktemp("packs")
    pack, mr = str(tiny_packs.save(packs / "tiny")), str(tiny_nael2021.save(packs / "tiny-mr"))
    return Readers(device="cpu", ct_model=pack, mr_model=mr, first_look_model=pack)


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return tuple(sorted(write_series(tmp_path_factory.mktemp("head") / "study").iterdir()))


def test_the_real_reader_writes_results_and_says_what_the_ledger_keeps(
    tiny: Readers, head: tuple[Path, ...], tmp_path: Path
) -> None:
    with open_input(head) as studies:
        study = studies[0].study_instance_uid
    answer = ExamReader(tiny).read(ReadJob(study, head, tmp_path / "7_ab"), silent)
    names = {path.name for path in (tmp_path / "7_ab").iterdir()}
    assert {"findings.json", "report.html", "structured_report.dcm", "report.dcm"} <= names
    assert (answer.result, list(answer.models)) == ("7_ab", ["tiny"])
    kept = json.dumps([dict(finding) for finding in answer.findings]) + answer.reason
    assert '"any"' in kept and PATIENT_ID not in kept and PATIENT_NAME not in kept


def test_an_exam_without_a_series_that_can_be_read_is_answered_as_not_looked_at(tiny: Readers, tmp_path: Path) -> None:
    def scout(k: int, image: Any) -> None:
        image.ImageType, image.SeriesDescription = ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SCOUT SECRETNAME"

    paths = tuple(write_series(tmp_path / "study", scout).iterdir())
    with open_input(paths) as studies:
        study = studies[0].study_instance_uid
    answer = ExamReader(tiny).read(ReadJob(study, paths, tmp_path / "result"), silent)
    assert (answer.answer, answer.result) == ("could_not_look", None)
    assert "not negative" in answer.reason and "SECRETNAME" not in answer.reason


def test_a_model_that_is_not_there_is_the_readers_fault_and_not_the_exams(
    head: tuple[Path, ...], tmp_path: Path
) -> None:
    reader = ExamReader(Readers(ct_model=str(tmp_path / "none")))
    with open_input(head) as studies:
        study = studies[0].study_instance_uid
    with pytest.raises(UnfitReader) as caught:
        reader.read(ReadJob(study, head, tmp_path / "result"), silent)
    assert isinstance(caught.value, ModelError)


def test_the_first_look_sees_a_head_ct_and_tells_why_it_cannot_see_others(
    tiny: Readers, head: tuple[Path, ...], tmp_path: Path
) -> None:
    seen = look_with(tiny, head)
    assert 0.0 <= seen.urgency <= 1.0 and (seen.reason, seen.system, seen.code) == ("", "kuo2019", "any")
    path = tmp_path / "small.dcm"
    path.write_bytes(as_bytes(small_image(1, 1)))
    blind = look_with(tiny, (path,))
    assert (blind.urgency, bool(blind.reason)) == (0.5, True)


def look_with(settings: Readers, paths: Sequence[Path]) -> FirstLook:
    reader = ExamReader(settings)
    return look(paths, lambda: reader.first_system, lambda: reader.mr)


def test_the_first_look_at_a_brain_mri_tells_its_most_probable_acute_finding(tiny: Readers, tmp_path: Path) -> None:
    paths = sorted(path for path in write_dicom_study(tmp_path / "study").rglob("*") if path.is_file())
    seen = look_with(tiny, paths)
    assert seen.reason == "" and seen.system == "nael2021" and seen.code in CRITICAL_CODES
    assert seen.to_json() == {"system": "nael2021", "code": seen.code, "probability": round(seen.urgency, 4)}
    unseen = look_with(dataclasses.replace(tiny, mr_model=str(tmp_path / "none")), paths)
    assert (unseen.urgency, bool(unseen.reason)) == (0.5, True), "without a model nobody looks, and that is no failure"


def test_the_first_look_takes_slices_five_millimetres_apart(tmp_path: Path) -> None:
    def thin(k: int, image: Any) -> None:
        image.ImagePositionPatient, image.SliceThickness = [-112.0, -112.0, 1.25 * k], 1.25

    with open_input(write_series(tmp_path / "thin", thin)) as studies:
        series = studies[0].series[0]
    heights = sorted(item.header["ImagePositionPatient"][2] for item in thinned(series).instances)
    assert heights == [5.0 * index for index in range(8)]


def test_what_an_exam_says_as_a_whole() -> None:
    def whole(*statuses: str) -> str:
        return as_a_whole([{"status": status} for status in statuses])

    assert whole("not_found", "found", "could_not_look") == "found"
    assert whole("could_not_look", "not_found") == "not_found"
    assert whole("could_not_look") == whole() == "could_not_look"
