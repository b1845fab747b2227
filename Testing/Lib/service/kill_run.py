"""Exams sent to a node that is killed again and again, while its PACS comes and goes: what became of each of them."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from NeuroTriageLib.service.data_folder import DataFolder
from NeuroTriageLib.service.ledger import Ledger
from Testing.Lib.service.pacs import Pacs
from Testing.Lib.service.small_exams import send, small_image, study_uid

ROOT = Path(__file__).resolve().parents[3]
PACE_S = 0.2  # between the tries of a sender that was turned away

SITE = """
[node]
data_folder = "data"
port = {port}
[[callers]]
ae_title = "CT1"
expected_images = {images}
[limits]
keep_free_gb = 0.0
[completeness]
quiet_s = 600
[readers]
processes = 2
time_limit_s = 60
[[destinations]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = {pacs}
objects = ["structured_report"]
timeout_s = 5
retry = {{ first_s = 0.5, longest_s = 2.0 }}
"""


@dataclass(frozen=True)
class KillPlan:
    """How many of what.

    Args:
        exams, images: exams, and images of each.
        senders: at once.
        kills: of the node, at random moments of its life, its start included.
        longest_life_s: after it has started it is killed at the latest after this; every fifth time while it starts.
        pacs_stops: how often the PACS is away; spread evenly over the kills.
        limit_s: everything must be done by then.
    """

    exams: int
    images: int = 3
    senders: int = 8
    kills: int = 2
    longest_life_s: float = 5.0
    pacs_stops: int = 1
    limit_s: float = 240.0
    seed: int = 0


@dataclass
class KillTable:
    """What was seen.

    Args:
        kills: one row for each kill.
        lost_images: acknowledged, but not on the disk or in the ledger.
        answers: Study Instance UID -> how often it was answered.
        results: SOP Instance UID -> how often the PACS got it.
        unfinished: exams that were not done at the end.
        seconds: of the whole run.
    """

    kills: list[dict[str, Any]] = field(default_factory=list)
    lost_images: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    results: dict[str, int] = field(default_factory=dict)
    unfinished: int = 0
    seconds: float = 0.0


class KillRun:
    """One run in a folder of its own."""

    def __init__(self, folder: Path, plan: KillPlan) -> None:
        self.plan, self.folder = plan, folder
        self.port = _free_port()
        self.pacs = Pacs()
        self.pacs.start()
        self.site = folder / "site.toml"
        self.site.write_text(SITE.format(port=self.port, images=plan.images, pacs=self.pacs.port), encoding="utf-8")
        data = DataFolder(folder / "data")
        data.make()
        self.data, self.ledger = data, Ledger(data.ledger)
        self.acknowledged: set[str] = set()
        self._node: subprocess.Popen | None = None
        self._log = (folder / "node.log").open("ab")
        self._begun = time.monotonic()
        self._kills = 0

    def run(self) -> KillTable:
        """Do it, and look at what became of everything."""
        table = KillTable()
        todo = list(reversed(range(self.plan.exams)))
        senders = [threading.Thread(target=self._send, args=(todo,), daemon=True) for _ in range(self.plan.senders)]
        self._start()
        for thread in senders:
            thread.start()
        try:
            self._kill_often(table)
            self._wait_for_the_end(senders)
        finally:
            assert self._node is not None
            self._node.send_signal(signal.SIGTERM)
            try:
                self._node.wait(30)
            except subprocess.TimeoutExpired:
                self._node.kill()
            self.pacs.stop()
            self._log.close()
        self._look(table)
        table.seconds = round(time.monotonic() - self._begun, 1)
        return table

    def _start(self) -> None:
        environment = os.environ | {"PYTHONPATH": f"{ROOT}"}
        command = [sys.executable, "-m", "Testing.Lib.service.quick_node", str(self.site)]
        self._node = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=self._log)

    def _wait_for_the_start(self) -> None:
        while time.monotonic() - self._begun < self.plan.limit_s:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.1)

    def _kill_often(self, table: KillTable) -> None:
        chance, plan = random.Random(self.plan.seed), self.plan
        away = {round((number + 0.5) * plan.kills / plan.pacs_stops) for number in range(plan.pacs_stops)}
        is_away = False
        for number in range(plan.kills):
            if is_away:
                self.pacs.start()
                is_away = False
            if number in away:
                self.pacs.stop()
                is_away = True
            life = chance.uniform(0.0, plan.longest_life_s)
            starts = number % 5 == 4
            if not starts:
                self._wait_for_the_start()
            time.sleep(life)
            assert self._node is not None
            self._node.kill()  # SIGKILL
            self._node.wait()
            table.kills.append(self._row(life, is_away) | {"when": "starts" if starts else "runs"})
            self._kills = number + 1
            self._start()
        if is_away:
            self.pacs.start()

    def _row(self, life: float, is_away: bool) -> dict[str, Any]:
        states = {row[0]: row[1] for row in self.ledger.rows("SELECT state, COUNT(*) FROM exam GROUP BY state")}
        return {
            "at_s": round(time.monotonic() - self._begun, 1),
            "life_s": round(life, 2),
            "pacs": "away" if is_away else "there",
            "images": self.ledger.rows("SELECT COUNT(*) FROM image")[0][0],
            "arriving": len(list(self.data.arriving.glob("*.part"))),
            **{state: states.get(state, 0) for state in ("receiving", "queued", "reading", "answered", "done")},
        }

    def _send(self, todo: list[int]) -> None:
        """A modality: what was not acknowledged is sent again until it is."""
        while True:
            try:
                study = todo.pop()
            except IndexError:
                return
            while study >= self.plan.exams * (self._kills + 1) / (self.plan.kills + 1):
                time.sleep(PACE_S)  # so that there is work between any two kills
            kind = "SLOW" if study % 4 == 0 else "HEAD"
            waiting = list(range(self.plan.images))
            while waiting:
                statuses = send(self.port, [small_image(study, number, kind) for number in waiting])
                taken = [number for number, status in zip(waiting, statuses, strict=False) if status == 0]
                self.acknowledged |= {str(small_image(study, number).SOPInstanceUID) for number in taken}
                waiting = [number for number in waiting if number not in taken]
                if waiting:
                    time.sleep(PACE_S)

    def _wait_for_the_end(self, senders: list[threading.Thread]) -> None:
        while time.monotonic() - self._begun < self.plan.limit_s:
            done = self.ledger.rows("SELECT COUNT(*) FROM exam WHERE state = 'done'")[0][0]
            if done >= self.plan.exams and not any(thread.is_alive() for thread in senders):
                return
            time.sleep(0.3)

    def _look(self, table: KillTable) -> None:
        known = {row["sop_uid"]: row["path"] for row in self.ledger.rows("SELECT sop_uid, path FROM image")}
        there = {uid for uid, path in known.items() if (self.data.inbox / path).is_file()}
        table.lost_images = len(self.acknowledged - there)
        answers = self.ledger.rows(
            "SELECT study_uid, COUNT(*) FROM audit JOIN exam ON exam.id = exam_id WHERE event = 'answered' GROUP BY 1"
        )
        table.answers = {study_uid(number): 0 for number in range(self.plan.exams)} | {r[0]: r[1] for r in answers}
        table.results = dict(self.pacs.received)
        table.unfinished = self.plan.exams - self.ledger.rows("SELECT COUNT(*) FROM exam WHERE state = 'done'")[0][0]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
