"""Mutated DICOM files and associations against the node: no crash, no hang, no growth of memory, it still answers.

    python Testing/Benchmarks/mutated_input.py [--files 8000] [--associations 2000] [--seed 1] [--json FILE]

Each mutated file goes through the inbox's door and, whether that takes it or not, beside two sound slices through the
reading of headers and pixels in a reader's process, which may die of a decoder (the node sets such an exam aside) but
must not hang. Each mutated association goes to a listening receiver. In between a sound image must be acknowledged.
Memory is that of the process (the receiver and the inbox are in it) and of the reader's, from after the first tenth
to the end. Everything follows from the seed.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import logging
import os
import platform
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.core.errors import NeuroTriageError
from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriageLib.service.commitment import REPORT_CLASSES, Commitments, event_handlers
from NeuroTriageLib.service.data_folder import DataFolder
from NeuroTriageLib.service.dicom_receiver import DicomReceiver
from NeuroTriageLib.service.exam_queue import Arrival, ExamQueue
from NeuroTriageLib.service.inbox import Inbox
from NeuroTriageLib.service.ledger import Ledger
from NeuroTriageLib.service.outbox import Outbox
from NeuroTriageLib.service.reader_process import ReaderDied, ReaderHung, ReaderProcess
from NeuroTriageLib.service.reading_process import Told
from NeuroTriageLib.service.site_config import Caller, Destination, Limits, Node, Readers, SiteConfig
from Testing.Benchmarks.mutations import mutated_association, mutated_file
from Testing.Lib.ct_series import ct_slice, head_hu
from Testing.Lib.service.small_exams import send, small_image

ROOT = Path(__file__).resolve().parents[2]
READ_LIMIT_S = 30.0  # of one small study; it takes some milliseconds
ANSWER_S = 0.1  # how long an answer of the receiver is waited for before the next message is sent all the same
PROBE_EVERY = 50
PATIENCE_S = 15.0  # until a sound image must be acknowledged; the receiver's idle_s is 5 here
SLICES = 3


@dataclass
class Outcome:
    """What happened: (what, mutation, how it ended) -> how often; and what must not happen, in words."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    longest_s: Counter[str] = field(default_factory=Counter)
    memory_mb: dict[str, list[float]] = field(default_factory=dict)

    def add(self, what: str, mutation: str, end: str, seconds: float) -> None:
        self.counts[what, mutation, end] += 1
        self.longest_s[what] = max(self.longest_s[what], seconds)  # type: ignore[assignment]

    def growth_mb(self, what: str) -> float:
        """From after the first tenth to the end; the median of a tenth each."""
        values = self.memory_mb.get(what, [])
        part = max(1, len(values) // 10)
        middle = lambda some: sorted(some)[len(some) // 2]  # noqa: E731
        return middle(values[-part:]) - middle(values[part : 2 * part]) if len(values) > 2 * part else 0.0


class Target:
    """The doors of a node over a folder: receiver with commitment, inbox, ledger."""

    def __init__(self, folder: Path) -> None:
        destination = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=1, commitment=True)
        site = SiteConfig(
            node=Node(data_folder=folder / "node", port=0),
            callers=(Caller("CT1"),),
            limits=Limits(keep_free_gb=0.0, idle_s=5.0, image_mb=8.0),
            destinations=(destination,),
        )
        data = DataFolder(site.node.data_folder)
        data.make()
        self.ledger = Ledger(data.ledger)
        queue = ExamQueue(self.ledger, site.completeness, site.order, site.readers.tries)
        self.inbox = Inbox(self.ledger, data, queue, site.limits)
        reports = event_handlers(Commitments(Outbox(self.ledger, site, data)))
        self.receiver = DicomReceiver(site, self.inbox, self.ledger, reports, REPORT_CLASSES)
        self.receiver.start()
        self._sent = 0

    def answers(self) -> bool:
        """Whether a sound image is acknowledged; a door that is full for the moment is asked again, as senders do."""
        self._sent += 1
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if send(self.receiver.port, [small_image(1, self._sent)]) == [0x0000]:
                return True
            time.sleep(0.5)
        return False


def run(files: int, associations: int, seed: int, folder: Path) -> Outcome:
    """Everything; what must not happen stands in the outcome's faults."""
    outcome, rng = Outcome(), random.Random(seed)
    threads = threading.active_count()
    target = Target(folder)
    with _ends_of_threads(outcome), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom tells of every odd value
        try:
            _send_files(outcome, rng, target, files, folder)
            _send_associations(outcome, rng, target, associations)
            if not target.answers():
                outcome.faults.append("in the end a sound image was not acknowledged")
        finally:
            target.receiver.stop()
    end = time.monotonic() + 15.0
    while threading.active_count() > threads and time.monotonic() < end:
        time.sleep(0.1)
    if threading.active_count() > threads:
        outcome.faults.append(f"{threading.active_count() - threads} threads are left")
    return outcome


@contextlib.contextmanager
def _ends_of_threads(outcome: Outcome) -> Iterator[None]:
    """Count threads of pynetdicom's that an association has ended by an error: one for each, and it ends with it."""
    before = threading.excepthook

    def count(what: Any) -> None:
        outcome.counts["thread", "of one association", f"ended: {what.exc_type.__name__}"] += 1

    threading.excepthook = count
    try:
        yield
    finally:
        threading.excepthook = before


def _send_files(outcome: Outcome, rng: random.Random, target: Target, count: int, folder: Path) -> None:
    sound = list(sound_files())
    process = ReaderProcess(Readers(exams_per_process=10**9), "read", target=serve_reading)
    try:
        for number in range(count):
            study = rng.choice(sound)
            mutation, spoiled = mutated_file(rng, study[-1])
            _through_the_door(outcome, target, mutation, spoiled)
            _through_the_reading(outcome, process, mutation, [*study[:-1], spoiled], folder / "study")
            if number % PROBE_EVERY == 0:
                _probe(outcome, target, f"after file {number}", process.pid)
    finally:
        process.end()


def _through_the_door(outcome: Outcome, target: Target, mutation: str, spoiled: bytes) -> None:
    began = time.monotonic()
    try:
        target.inbox.receive([spoiled], Arrival("CT1"))
        end = "taken"
    except NeuroTriageError:
        end = "refused"
    except Exception as error:
        end = f"fault: {type(error).__name__}"
        outcome.faults.append(f"the inbox raised {type(error).__name__} ({mutation})")
    outcome.add("inbox", mutation, end, time.monotonic() - began)


def _through_the_reading(
    outcome: Outcome, process: ReaderProcess, mutation: str, files: list[bytes], folder: Path
) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, content in enumerate(files):
        (folder / f"{number}.dcm").write_bytes(content)
    began = time.monotonic()
    try:
        told = process.ask(folder, lambda *_: None, threading.Event(), READ_LIMIT_S)  # type: ignore[arg-type]
        end = told.reason
    except ReaderDied:
        end = "the reader's process died"
    except ReaderHung:
        end = "fault: hung"
    if end.startswith("fault"):
        outcome.faults.append(f"the reading: {end} ({mutation})")
    outcome.add("reading", mutation, end, time.monotonic() - began)


def serve_reading(pipe: Connection, settings: Readers, purpose: str) -> None:
    """A reader's process that reads the headers and pixels of every series of a folder."""
    with open(os.devnull, "w") as nowhere:  # decoders in C complain there
        os.dup2(nowhere.fileno(), 2)
    while True:
        try:
            folder = pipe.recv()
        except EOFError:
            return
        pipe.send(Told(None, _read(folder)))


def _read(folder: Path) -> str:
    try:
        with open_input(folder) as studies:
            for study in studies:
                for series in study.series:
                    read_volume(series)
        return "read"
    except NeuroTriageError:
        return "refused"
    except MemoryError:
        return "fault: MemoryError"
    except Exception as error:
        return f"fault: {type(error).__name__}: {error}"[:200]


def _send_associations(outcome: Outcome, rng: random.Random, target: Target, count: int) -> None:
    calls = [recorded_store(target.receiver.port), recorded_report(target.receiver.port)]
    for number in range(count):
        mutation, messages = mutated_association(rng, rng.choice(calls))
        began = time.monotonic()
        end = _call(target.receiver.port, messages)
        outcome.add("association", mutation, end, time.monotonic() - began)
        if number % PROBE_EVERY == 0:
            _probe(outcome, target, f"after association {number}", None)


def _call(port: int, messages: list[bytes]) -> str:
    """Send messages whatever comes back; how the other side took it."""
    heard = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10.0) as sock:
            sock.settimeout(ANSWER_S)
            for message in messages:
                sock.sendall(message)
                with contextlib.suppress(TimeoutError):
                    answer = sock.recv(1 << 16)
                    if not answer:
                        break
                    heard += answer
    except OSError:
        pass
    last = heard[-10:][:1] if len(heard) == 10 else heard[:1]
    return {b"": "no answer", b"\x03": "rejected", b"\x07": "aborted"}.get(last, "answered")


def _probe(outcome: Outcome, target: Target, when: str, reader: int | None) -> None:
    began = time.monotonic()
    if not target.answers():
        outcome.faults.append(f"{when} a sound image was not acknowledged")
    outcome.add("sound image", "", "acknowledged or a fault", time.monotonic() - began)
    gc.collect()
    outcome.memory_mb.setdefault("node", []).append(memory_mb(os.getpid()))
    if reader is not None:
        outcome.memory_mb.setdefault("reader", []).append(memory_mb(reader))


def sound_files() -> Iterator[list[bytes]]:
    """Small head CT studies of three slices, uncompressed and compressed."""
    for number, syntax in enumerate((ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless)):
        files = []
        for k, hu_ji in enumerate(head_hu()[:SLICES, ::2, ::2]):
            image = ct_slice(k, hu_ji.copy(), f"2.25.{number + 1}", f"2.25.{number + 1}.1")
            image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"2.25.{number + 1}.1.{k + 1}"
            image.Rows, image.Columns = hu_ji.shape
            if syntax != ExplicitVRLittleEndian:
                image.compress(syntax, generate_instance_uid=False)
            stream = BytesIO()
            image.save_as(stream, enforce_file_format=True)
            files.append(stream.getvalue())
        yield files


def recorded_store(port: int) -> list[bytes]:
    """The messages of a caller that sends an image, one for each PDU."""
    sent: list[bytes] = []
    entity = AE(ae_title="CT1")
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title="NEUROTRIAGE", evt_handlers=_recording(sent))
    association.send_c_store(small_image(2, 1))
    association.release()
    return sent


def recorded_report(port: int) -> list[bytes]:
    """The messages of a destination that answers about storage commitment."""
    sent: list[bytes] = []
    entity = AE(ae_title="PACS")
    entity.add_requested_context(StorageCommitmentPushModel)
    association = entity.associate("127.0.0.1", port, ae_title="NEUROTRIAGE", evt_handlers=_recording(sent))
    answer = small_image(2, 1)
    answer.TransactionUID = "2.25.1.1"
    association.send_n_event_report(answer, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
    association.release()
    return sent


def _recording(sent: list[bytes]) -> Any:
    return [(evt.EVT_DATA_SENT, lambda event: sent.append(event.data))]


def memory_mb(pid: int) -> float:
    """What a process holds in memory (Linux); 0 elsewhere."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def table(outcome: Outcome) -> str:
    """How each mutation ended, in columns."""
    lines = []
    for (what, mutation, end), count in sorted(outcome.counts.items()):
        lines.append(f"{what:12} {mutation:24} {end[:60]:60} {count:6}")
    lines += [f"longest {what}: {seconds:.2f} s" for what, seconds in outcome.longest_s.items()]
    lines += [f"memory of the {what}: {outcome.growth_mb(what):+.1f} MB" for what in outcome.memory_mb]
    lines += [f"FAULT: {fault}" for fault in outcome.faults] or ["no fault"]
    return "\n".join(lines)


def main() -> int:
    """Print the table; 1 when there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=8000)
    parser.add_argument("--associations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    began = time.monotonic()
    logging.disable(logging.WARNING)  # each refusal is told there
    with tempfile.TemporaryDirectory(prefix="mutated-") as folder:
        outcome = run(options.files, options.associations, options.seed, Path(folder))
    print(table(outcome))
    if options.json:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
        about = {"commit": commit, "machine": platform.platform(), "cores": os.cpu_count(), "seed": options.seed}
        about |= {"files": options.files, "associations": options.associations, "seconds": time.monotonic() - began}
        rows = [[*key, count] for key, count in sorted(outcome.counts.items())]
        growth = {what: outcome.growth_mb(what) for what in outcome.memory_mb}
        longest = dict(outcome.longest_s)
        found = {"rows": rows, "faults": outcome.faults, "growth_mb": growth, "longest_s": longest}
        options.json.write_text(json.dumps(about | found, indent=1))
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
