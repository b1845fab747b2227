"""A PACS in the test's own process: takes, refuses, forgets, is slow or away, commits itself now, late, or never."""

from __future__ import annotations

import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from NeuroTriageLib.service.courier import Courier
from NeuroTriageLib.service.outbox import Outbox

NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
CLASSES = (Comprehensive3DSRStorage, SegmentationStorage, SecondaryCaptureImageStorage, EncapsulatedPDFStorage)


class Pacs:
    """Its knobs may be turned while it runs.

    Args:
        classes: SOP classes that it takes.
        syntaxes: transfer syntaxes that it takes.
        tls: context of the server.
    """

    def __init__(
        self,
        classes: Sequence[str] = CLASSES,
        syntaxes: Sequence[str] = (*NATIVE, RLELossless),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.received: Counter[str] = Counter()
        """SOP Instance UID -> how often it was stored."""
        self.kept: dict[str, Dataset] = {}
        self.order: list[str] = []
        self.asked: list[Dataset] = []
        self.status: Callable[[Dataset], int] = lambda dataset: 0x0000
        self.pause_s = 0.0
        self.forgets = False
        self.action_status = 0x0000
        self.port = 0
        self._classes, self._syntaxes, self._tls = classes, syntaxes, tls
        self._server: Any = None

    def start(self) -> None:
        """Listen; on the same port as before when it was started before."""
        entity = AE(ae_title="PACS")
        entity.require_called_aet = True
        for sop_class in self._classes:
            entity.add_supported_context(sop_class, list(self._syntaxes))
        entity.add_supported_context(StorageCommitmentPushModel)
        handlers = [(evt.EVT_C_STORE, self._on_store), (evt.EVT_N_ACTION, self._on_action)]
        self._server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=handlers, ssl_context=self._tls
        )
        self.port = self._server.server_address[1]

    def stop(self) -> None:
        self._server.shutdown()

    def report(self, port: int, answer: Dataset, *, role: bool = True, title: str = "NEUROTRIAGE") -> int:
        """Say what is kept, on an association of its own; the status of the reply."""
        entity = AE(ae_title="PACS")
        entity.add_requested_context(StorageCommitmentPushModel)
        roles = [build_role(StorageCommitmentPushModel, scp_role=True)] if role else []
        association = entity.associate("127.0.0.1", port, ae_title=title, ext_neg=roles)
        assert association.is_established
        event = 2 if "FailedSOPSequence" in answer else 1
        status, _ = association.send_n_event_report(
            answer, event, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        association.release()
        return int(status.Status)

    def answer(self, number: int = -1) -> Dataset:
        """What it has to say to a question: what it keeps, and what not."""
        question, answer = self.asked[number], Dataset()
        answer.TransactionUID = question.TransactionUID
        kept = [item for item in question.ReferencedSOPSequence if item.ReferencedSOPInstanceUID in self.kept]
        lost = [item for item in question.ReferencedSOPSequence if item.ReferencedSOPInstanceUID not in self.kept]
        if kept:
            answer.ReferencedSOPSequence = kept
        for item in lost:
            item.FailureReason = 0x0112  # no such object instance
        if lost:
            answer.FailedSOPSequence = lost
        return answer

    def _on_store(self, event: Any) -> int:
        time.sleep(self.pause_s)
        dataset = event.dataset
        status = self.status(dataset)
        if status == 0x0000:
            uid = str(dataset.SOPInstanceUID)
            dataset.file_meta = event.file_meta
            self.received[uid] += 1
            self.order.append(uid)
            if not self.forgets:
                self.kept[uid] = dataset
        return status

    def _on_action(self, event: Any) -> tuple[int, None]:
        if self.action_status == 0x0000:
            self.asked.append(event.action_information)
        return self.action_status, None


@contextmanager
def running(pacs: Pacs) -> Iterator[Pacs]:
    pacs.start()
    try:
        yield pacs
    finally:
        pacs.stop()


@contextmanager
def at_work(outbox: Outbox) -> Iterator[threading.Event]:
    """An outbox's courier in a thread of its own; it must end within seconds after the event is set."""
    stop = threading.Event()
    thread = threading.Thread(target=Courier(outbox, poll_s=0.05).run, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(8.0)
        assert not thread.is_alive()


def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait for something; fail when it does not come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")
