"""How long exams wait for their answer: urgent ones against first-come order, at 50, 80 and 95 % load.

By simulation, for a hospital's day (hospital_day.py), and with --service on the node's own queue, loops and ledger,
with readers that only sleep. Prints tables and writes JSON.

    python Testing/Benchmarks/waiting_times.py [--records EXAMS_JSONL] [--days 200] [--json FILE]
    python Testing/Benchmarks/waiting_times.py --service [--load 0.8] [--exams 40] [--reading-s 2]
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.evaluation.exam_records import read_records
from NeuroTriageLib.service.data_folder import DataFolder
from NeuroTriageLib.service.exam_queue import Arrival, ExamAnswer, ExamQueue
from NeuroTriageLib.service.first_look import SYSTEM, FirstLook
from NeuroTriageLib.service.inbox import Inbox
from NeuroTriageLib.service.ledger import Ledger
from NeuroTriageLib.service.reading_loops import FirstLookLoop, ReadingLoop, ReadingRoom
from NeuroTriageLib.service.reading_process import LookJob, Told
from NeuroTriageLib.service.site_config import Completeness, Limits, Order, Readers
from Testing.Benchmarks.hospital_day import DAY_S, DayPlan, Exam, Measured, make_day, waits_s
from Testing.Lib.service.small_exams import as_bytes, small_image, study_uid

LOADS = (0.5, 0.8, 0.95)
AUC = 0.902  # of kuo2019 for any hemorrhage on 400 simulated exams (docs/evaluation.md)
NODE = Order()
FIRST_COME = Order(first_look_h=0.0, dicom_high_h=0.0, dicom_low_h=0.0)
ORDERS = {
    "first come": FIRST_COME,
    "DICOM priority": replace(NODE, first_look_h=0.0),
    "first look": replace(NODE, dicom_high_h=0.0, dicom_low_h=0.0),
    "both (the node)": NODE,
    "a perfect look": NODE,
}
RESAMPLES = 500  # of days, for the 95 % intervals; ours


def simulate(plan: DayPlan, measured: Measured, days: int, seed: int) -> list[dict[str, Any]]:
    """A row for each load and order: waits in minutes."""
    rows = []
    for load in LOADS:
        look_s = plan.look_share * load * DAY_S / plan.exams
        all_days = [make_day(plan, measured, load, np.random.default_rng((seed, number))) for number in range(days)]
        for name, order in ORDERS.items():
            seen = [_perfect(day) for day in all_days] if name == "a perfect look" else all_days
            waits = [waits_s(day, order, look_s) / 60 for day in seen]
            rows.append({"load": load, "order": name} | _figures(all_days, waits, seed))
    return rows


def _perfect(day: Sequence[Exam]) -> list[Exam]:
    return [replace(exam, urgency=float(exam.urgent)) for exam in day]


def _figures(days: Sequence[Sequence[Exam]], waits: Sequence[np.ndarray], seed: int) -> dict[str, float]:
    urgent = [wait[[exam.urgent for exam in day]] for day, wait in zip(days, waits, strict=True)]
    others = np.concatenate([w[[not exam.urgent for exam in day]] for day, w in zip(days, waits, strict=True)])
    rng = np.random.default_rng(seed)
    picks = [rng.integers(0, len(urgent), len(urgent)) for _ in range(RESAMPLES)]
    medians = [np.median(np.concatenate([urgent[n] for n in pick])) for pick in picks]
    low, high = np.percentile(medians, (2.5, 97.5))
    together = np.concatenate(urgent)
    return {
        "urgent median": float(np.median(together)),
        "from": float(low),
        "to": float(high),
        "urgent 90 %": float(np.percentile(together, 90)),
        "others median": float(np.median(others)),
        "others 90 %": float(np.percentile(others, 90)),
        "others longest": float(others.max()),
    }


class SleepingReader:
    """A reader's process that takes the time of its exam and says what is known of it.

    Args:
        day: exam number -> exam; the number is the last part of its Study Instance UID.
        look_s: of a first look.
    """

    pid = None

    def __init__(self, day: Sequence[Exam], look_s: float) -> None:
        self._day, self._look_s = day, look_s

    def start(self) -> None:
        """Nothing to start."""

    def end(self) -> None:
        """Nothing to end."""

    def ask(self, job: Any, progress: Any, stop: threading.Event, limit_s: float) -> Told:
        """Sleep, then answer."""
        if isinstance(job, LookJob):
            exam = self._day[int(job.paths[0].parent.name.rpartition(".")[2])]
            stop.wait(self._look_s)
            return Told(FirstLook(exam.urgency))
        stop.wait(self._day[int(job.study_uid.rpartition(".")[2])].reading_s)
        return Told(ExamAnswer("not_found", None, (), {}))


def serve(day: Sequence[Exam], order: Order, look_s: float) -> np.ndarray:
    """(n,) seconds from complete to answered on the node's own queue, ledger and loops."""
    with tempfile.TemporaryDirectory() as folder:
        data = DataFolder(Path(folder))
        data.make()
        ledger = Ledger(data.ledger)
        queue = ExamQueue(ledger, Completeness(), order, 3)
        inbox = Inbox(ledger, data, queue, Limits(keep_free_gb=0.0))
        room = ReadingRoom(
            queue,
            data,
            Readers(),
            lambda db, exam, answer: None,
            lambda: True,
            lambda settings, purpose: SleepingReader(day, look_s),  # type: ignore[arg-type, return-value]
        )
        stop = threading.Event()
        loops = (ReadingLoop(room, 1), FirstLookLoop(room))
        threads = [threading.Thread(target=loop.run, args=(stop,), name=loop.name) for loop in loops]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        for number, exam in enumerate(day):
            time.sleep(max(0.0, exam.complete_s - (time.monotonic() - began)))
            inbox.receive([as_bytes(small_image(number, 0))], Arrival("CT1", exam.priority, expected_images=1))
        while ledger.rows("SELECT 1 FROM exam WHERE answered_at IS NULL LIMIT 1"):
            time.sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join()
        rows = ledger.rows("SELECT study_uid, answered_at - complete_at AS wait_s FROM exam")
        waits = {row["study_uid"]: row["wait_s"] for row in rows}
        return np.array([waits[study_uid(number)] for number in range(len(day))])


def short_day(plan: DayPlan, measured: Measured, load: float, reading_s: float, seed: int) -> list[Exam]:
    """Exams of which one takes reading_s on average, in the time in which that makes the load."""
    rng = np.random.default_rng(seed)
    day = make_day(plan, measured, load, rng)
    times = np.sort(rng.random(len(day))) * plan.exams * reading_s / load
    faster = reading_s / (load * DAY_S / plan.exams)
    return [
        replace(exam, complete_s=float(at), reading_s=exam.reading_s * faster)
        for exam, at in zip(day, times, strict=True)
    ]


def measure_service(options: argparse.Namespace, plan: DayPlan, measured: Measured) -> list[dict[str, Any]]:
    """A row for each order, on the node and by simulation of the same exams, in seconds."""
    plan = replace(plan, exams=options.exams, urgent_share=options.urgent_share)
    day = short_day(plan, measured, options.load, options.reading_s, options.seed)
    look_s, rows = plan.look_share * options.reading_s, []
    urgent = [exam.urgent for exam in day]
    for name in ("first come", "both (the node)"):
        pairs = {"node": serve(day, ORDERS[name], look_s), "simulated": waits_s(day, ORDERS[name], look_s)}
        for how, waits in pairs.items():
            others = waits[[not item for item in urgent]]
            figures = {"urgent median s": np.median(waits[urgent]), "urgent 90 % s": np.percentile(waits[urgent], 90)}
            figures |= {"others median s": np.median(others), "others longest s": others.max()}
            rows.append({"order": name, "how": how} | {key: float(value) for key, value in figures.items()})
    return rows


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """As Markdown."""
    columns = list(rows[0])
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for row in rows:
        print("| " + " | ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()) + " |")


def main() -> None:
    """Measure, print, write."""
    options = _options()
    measured = Measured.of_records(read_records(options.records), SYSTEM) if options.records else Measured.of_auc(AUC)
    plan = DayPlan()
    print(f"First look: AUC {measured.auc:.3f}.\n")
    rows = measure_service(options, plan, measured) if options.service else simulate(plan, measured, options.days, 0)
    print_table(rows)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        document = {"machine": platform.platform(), "plan": asdict(plan), "auc": measured.auc, "rows": rows}
        options.json.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, help="exams.jsonl of `neurotriage evaluate`; else an AUC of 0.902")
    parser.add_argument("--days", type=int, default=200)
    parser.add_argument("--service", action="store_true", help="on the node's own parts, with sleeping readers")
    parser.add_argument("--load", type=float, default=0.8)
    parser.add_argument("--exams", type=int, default=40)
    parser.add_argument("--reading-s", type=float, default=2.0)
    parser.add_argument("--urgent-share", type=float, default=0.25, help="of the short run; more, so that it has some")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
