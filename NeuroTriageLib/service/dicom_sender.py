"""Sends result objects to a DICOM node (C-STORE, PS3.4 B), and asks it to commit itself to keeping them (PS3.4 J)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance  # type: ignore

from .client_tls import client_context
from .sending import Answered, Refusal, SentObject, Unreachable, refused
from .site_config import Tls

CONNECT_S = 10.0  # to open a TCP connection; a node that needs longer is away (ours)
NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
ACTION_REQUEST_COMMITMENT = 1  # PS3.4, table J.3.2-1

# How a C-STORE ends (PS3.4, B.2.3): success; stored with remarks; 0x0111: it has this object already (PS3.7, C.5.9).
TAKEN = (0x0000, 0xB000, 0xB006, 0xB007, 0x0111)


@dataclass(frozen=True)
class DicomPeer:
    """The node that is called.

    Args:
        ae_title, host, port: its own.
        calling_ae_title: ours.
        tls: None sends without TLS.
        timeout_s: of each answer.
    """

    ae_title: str
    host: str
    port: int
    calling_ae_title: str
    tls: Tls | None = None
    timeout_s: float = 60.0

    def __str__(self) -> str:
        return f"{self.ae_title} at {self.host}:{self.port}"


class DicomSender:
    """Calls one node; one thread sends, any other may cancel."""

    def __init__(self, peer: DicomPeer) -> None:
        self.peer = peer
        self._association: Association | None = None
        self._cancelled = False

    def send(self, objects: Sequence[SentObject], answered: Answered) -> None:
        """Send objects over one association; see sending.Sender."""
        readable: dict[SentObject, UID] = {}
        for item in objects:
            syntax = _transfer_syntax(item.path)
            if syntax is None:
                answered(item, Refusal("The result file is missing or damaged.", lasting=True))
            else:
                readable[item] = syntax
        if not readable:
            return
        association = self._associate(_storage_contexts(readable))
        try:
            for item, syntax in readable.items():
                answered(item, self._store(association, item, syntax))
        finally:
            self._leave(association)

    def ask_for_commitment(self, transaction_uid: str, objects: Sequence[SentObject]) -> None:
        """Ask the node whether it keeps these objects; its answer comes later, on an association of its own.

        Raises Unreachable: the node was not asked, or does not know storage commitment.
        """
        request = Dataset()
        request.TransactionUID = transaction_uid
        request.ReferencedSOPSequence = []
        for item in objects:
            reference = Dataset()
            reference.ReferencedSOPClassUID = item.sop_class_uid
            reference.ReferencedSOPInstanceUID = item.sop_uid
            request.ReferencedSOPSequence.append(reference)
        association = self._associate([build_context(StorageCommitmentPushModel, list(NATIVE))])
        try:
            if not association.accepted_contexts:
                raise self._unreachable("It does not know storage commitment")
            status, _ = association.send_n_action(
                request,
                ACTION_REQUEST_COMMITMENT,
                StorageCommitmentPushModel,
                StorageCommitmentPushModelInstance,
            )
        except (ValueError, RuntimeError) as error:
            raise self._unreachable("The association ended") from error
        finally:
            self._leave(association)
        if "Status" not in status:
            raise self._unreachable("It did not answer in time")
        if status.Status != 0x0000:
            raise self._unreachable(f"It refused to commit itself (status 0x{status.Status:04X})")

    def cancel(self) -> None:
        """End what another thread is sending."""
        self._cancelled = True
        association = self._association
        if association is not None:
            association.abort()
            # Wakes the thread that waits for an answer, as an abort by the other side does; pynetdicom's own does not.
            association.dimse.msg_queue.put((None, None))

    def _associate(self, contexts: list[PresentationContext]) -> Association:
        entity = AE(ae_title=self.peer.calling_ae_title)
        entity.connection_timeout = CONNECT_S
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = self.peer.timeout_s
        tls: tuple[ssl.SSLContext, str] | None = None
        if self.peer.tls is not None:
            tls = (client_context(self.peer.tls), self.peer.host)
        association = entity.associate(
            self.peer.host,
            self.peer.port,
            contexts=contexts,
            ae_title=self.peer.ae_title,
            tls_args=tls,
            evt_handlers=[(evt.EVT_CONN_OPEN, _send_at_once)],
        )
        # The other side took the association and none of its contexts: pynetdicom ends it, and every object is refused.
        if association.rejected_contexts and not association.accepted_contexts:
            return association
        if not association.is_established:
            raise self._unreachable("It refuses the association" if association.is_rejected else "It does not answer")
        self._association = association
        if self._cancelled:
            association.abort()
        return association

    def _store(self, association: Association, item: SentObject, syntax: UID) -> Refusal | None:
        """One C-STORE: None when the object was taken. Raises Unreachable: no answer."""
        accepted = [c for c in association.accepted_contexts if c.abstract_syntax == item.sop_class_uid]
        if not accepted:
            return Refusal(f"It does not take {UID(item.sop_class_uid).name}.", lasting=True)
        try:
            dataset = dcmread(item.path)
            if syntax.is_compressed and not any(syntax in context.transfer_syntax for context in accepted):
                dataset.decompress(generate_instance_uid=False)
            status = association.send_c_store(dataset)
        except RuntimeError as error:
            raise self._unreachable("The association ended") from error
        except (OSError, InvalidDicomError, AttributeError, ValueError) as error:
            return Refusal(f"The result cannot be encoded for it ({type(error).__name__}).", lasting=True)
        if "Status" not in status:
            raise self._unreachable("It did not answer in time, or ended the association")
        return None if status.Status in TAKEN else refused(status.Status)

    def _leave(self, association: Association) -> None:
        self._association = None
        if association.is_established and not self._cancelled:  # an aborted one would be waited for
            association.release()

    def _unreachable(self, what: str) -> Unreachable:
        return Unreachable(
            f"{what}.", where=str(self.peer), next_step="Check address, AE titles and whether the node knows ours."
        )


def _send_at_once(event: evt.Event) -> None:
    """Nagle's algorithm holds back small messages; without it a quarter of the time of sending is saved (measured)."""
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _storage_contexts(objects: dict[SentObject, UID]) -> list[PresentationContext]:
    """For each class its own compressed form alone, then the native ones, so that the other side can choose."""
    wanted = dict.fromkeys((item.sop_class_uid, syntax) for item, syntax in objects.items() if syntax.is_compressed)
    contexts = [build_context(sop_class, [syntax]) for sop_class, syntax in wanted]
    for sop_class in dict.fromkeys(item.sop_class_uid for item in objects):
        contexts.append(build_context(sop_class, list(NATIVE)))
    return contexts


def _transfer_syntax(path: Path) -> UID | None:
    """Of a DICOM file; None when it cannot be read."""
    try:
        return UID(dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"]).file_meta.TransferSyntaxUID)
    except (OSError, InvalidDicomError, AttributeError):
        return None
