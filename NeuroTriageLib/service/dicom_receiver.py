"""The DICOM door: C-ECHO and C-STORE for the callers of the site's file, and nobody else.

An image is acknowledged (0x0000) when it is on the disk and in the ledger. Everything else is a refusal that the sender
sees: 0xA700 out of room or over a limit, 0xA900 not what it was announced to be, 0xC000 not understood (PS3.4, B.2.3).
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Sequence
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.dsutils import encode_file_meta
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from ..core.errors import ConfigError, NeuroTriageError, OutputError
from .accepted_images import IMAGE_CLASSES, TRANSFER_SYNTAXES, ImageRefused
from .exam_queue import Arrival
from .inbox import MB, Inbox
from .ledger import Ledger
from .refusals import Rate, Refusals
from .server_tls import server_context
from .site_config import Caller, SiteConfig

SUCCESS, OUT_OF_RESOURCES, NO_MATCH, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xA900, 0xC000
# A-ASSOCIATE-RJ (PS3.8, 9.3.4): result, source, reason
REJECTED_CALLER = (1, 1, 3)
NOT_AUTHORIZED = 0x0124  # PS3.7, C.5.18
PREAMBLE = bytes(128) + b"DICM"
REQUEST_S = 10.0  # a connection asks for its association within this, and answers a release; ours
PDU_BYTES = 1 << 17  # what a caller may send at once; fewer and larger ones are faster; ours
CONNECTIONS_FOR_EACH = 4  # so many connections as associations are allowed, before anything was said; ours
LARGEST_PDU_BYTES = 1 << 20  # no association request is near this (128 contexts of a few kB); ours

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Handler = tuple[Any, ...]
"""(event, function[, arguments]) as pynetdicom takes it."""

log = logging.getLogger(__name__)


class DicomReceiver:
    """Listens in threads of pynetdicom's, one for each association.

    Args:
        site: who may call, and how much.
        inbox: takes the images.
        ledger: keeps what was refused.
        further: handlers of events that other parts wait for (storage commitment reports).
        further_classes: SOP Class UIDs that these need; the callers may only be their providers.
    """

    def __init__(
        self,
        site: SiteConfig,
        inbox: Inbox,
        ledger: Ledger,
        further: Sequence[Handler] = (),
        further_classes: Sequence[str] = (),
    ) -> None:
        self._site, self._inbox = site, inbox
        self._rates = {caller.ae_title: Rate(caller.images_per_minute) for caller in site.callers}
        self._further, self._further_classes = list(further), further_classes
        self._bytes: dict[Any, int] = {}
        self._refusals = Refusals(ledger)
        self._server: Any = None

    @property
    def port(self) -> int:
        """Where it listens; of interest when the site's file says 0."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Listen. Raises ConfigError when the address is taken or the certificates cannot be used."""
        node = self._site.node
        handlers: list[Handler] = [
            (evt.EVT_CONN_OPEN, self._on_connected),
            (evt.EVT_REQUESTED, self._on_requested),
            (evt.EVT_REJECTED, self._on_rejected),
            (evt.EVT_PDU_RECV, self._on_pdu),
            (evt.EVT_DIMSE_RECV, self._on_message),
            (evt.EVT_CONN_CLOSE, self._on_closed),
            (evt.EVT_C_STORE, self._on_store),
            *self._further,
        ]
        context = None if node.tls is None else server_context(node.tls)
        try:
            self._server = self._entity().start_server(
                (node.address, node.port), block=False, evt_handlers=handlers, ssl_context=context
            )
        except OSError as error:
            raise ConfigError(
                f"DICOM cannot be received there: {error.strerror or error}.",
                where=f"{node.address}:{node.port}",
                next_step="Is another node running? Ports below 1024 need the right to bind them (docs/node.md).",
            ) from error

    def stop(self) -> None:
        """End associations and stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _entity(self) -> AE:
        node, limits = self._site.node, self._site.limits
        entity = AE(ae_title=node.ae_title)
        entity.require_called_aet = True
        entity.maximum_pdu_size = PDU_BYTES
        entity.maximum_associations = limits.associations
        entity.network_timeout = limits.idle_s
        entity.acse_timeout = min(REQUEST_S, limits.idle_s)
        entity.dimse_timeout = limits.idle_s
        entity.add_supported_context(Verification)
        for sop_class in IMAGE_CLASSES:
            entity.add_supported_context(sop_class, list(TRANSFER_SYNTAXES))
        for sop_class in self._further_classes:
            entity.add_supported_context(sop_class, scu_role=True, scp_role=True)
        return entity

    # who may call --------------------------------------------------------------------------------------------------

    def _on_connected(self, event: Any) -> None:
        """Bound what a connection can cost before anything is known of it; pynetdicom itself reads any length."""
        sock = event.assoc.dul.socket
        sock.socket.settimeout(self._site.limits.idle_s)
        crowded = len(event.assoc.ae.active_associations) >= CONNECTIONS_FOR_EACH * self._site.limits.associations
        read, welcome = sock.recv, not crowded and self._is_known_address(_address(event.assoc))

        def recv(nr_bytes: int) -> bytearray:
            if not welcome or nr_bytes > LARGEST_PDU_BYTES:
                raise OSError("refused")
            return read(nr_bytes)  # type: ignore[no-any-return]

        sock.recv = recv
        if not welcome:
            self._refusals.note("refused connection", f"from {event.assoc.requestor.address}")

    def _on_requested(self, event: Any) -> None:
        """Turn away whom the site's file does not name, before pynetdicom looks at the request."""
        assoc = event.assoc
        if self._caller(assoc) is None and not self._reports(assoc):
            assoc.acse.send_reject(*REJECTED_CALLER)
            evt.trigger(assoc, evt.EVT_REJECTED, {})
            assoc.kill()

    def _caller(self, assoc: Any) -> Caller | None:
        """The entry of the site's file for this association, None when it is nobody's."""
        title, address = _calling_title(assoc), _address(assoc)
        return next((c for c in self._site.callers if c.ae_title == title and _holds(c, address)), None)

    def _reports(self, assoc: Any) -> bool:
        """True for a destination that answers a request for storage commitment; it may send no images."""
        title = _calling_title(assoc)
        return any(item.commitment and item.ae_title == title for item in self._site.destinations)

    def _is_known_address(self, address: Address) -> bool:
        anywhere = any(item.commitment for item in self._site.destinations)
        return anywhere or any(_holds(caller, address) for caller in self._site.callers)

    def _on_rejected(self, event: Any) -> None:
        request = event.assoc.requestor.primitive
        where = event.assoc.requestor.address
        titles = f"{_shown(request.calling_ae_title)} -> {_shown(request.called_ae_title)}"
        self._refusals.note("refused association", f"{titles} from {where}")

    # how much ------------------------------------------------------------------------------------------------------

    def _on_pdu(self, event: Any) -> None:
        """End an association whose message grows over the limit: it is held in memory until it is whole."""
        data = getattr(event.pdu, "presentation_data_value_items", None)
        if data is None:
            return
        size = self._bytes.get(event.assoc, 0) + sum(len(item.presentation_data_value or b"") for item in data)
        self._bytes[event.assoc] = size
        if size > self._site.limits.image_mb * MB + (1 << 16):  # and its command set
            self._bytes.pop(event.assoc)
            self._refusals.note("ended association", "a message was larger than the limit")
            event.assoc.abort()  # does not wait inside a handler

    def _on_message(self, event: Any) -> None:
        self._bytes.pop(event.assoc, None)

    def _on_closed(self, event: Any) -> None:
        self._bytes.pop(event.assoc, None)
        if event.assoc.requestor.primitive is None:
            # It never asked for an association. pynetdicom's thread would wait for that until acse_timeout and count
            # among the associations: sixteen port scans or health checks would shut the door.
            event.assoc.dul.to_user_queue.put(None)

    # images --------------------------------------------------------------------------------------------------------

    def _on_store(self, event: Any) -> int:
        caller = self._caller(event.assoc)
        if caller is None:
            return NOT_AUTHORIZED
        self._rates[caller.ae_title].wait()
        request = event.request
        arrival = Arrival(caller.ae_title, request.Priority or 0, caller.expected_images)
        try:
            blocks = (PREAMBLE, encode_file_meta(event.file_meta), request.DataSet.getbuffer())
            receipt = self._inbox.receive(blocks, arrival)
        except ImageRefused as refusal:
            self._refusals.note("refused image", f"{caller.ae_title}: {refusal.what}")
            return NOT_UNDERSTOOD
        except OutputError as error:
            log.warning("image not taken", extra={"reason": error.what})
            return OUT_OF_RESOURCES
        except NeuroTriageError as error:
            log.error("image not taken", extra={"reason": error.what})
            return OUT_OF_RESOURCES
        if receipt.uids.sop != str(request.AffectedSOPInstanceUID):
            return NO_MATCH
        return SUCCESS


def _calling_title(assoc: Any) -> str:
    return str(assoc.requestor.primitive.calling_ae_title).strip()


def _address(assoc: Any) -> Address:
    """Where an association comes from; an IPv4 address in IPv6's form is the IPv4 address."""
    address = ipaddress.ip_address(assoc.requestor.address)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _holds(caller: Caller, address: Address) -> bool:
    return not caller.addresses or any(address in ipaddress.ip_network(net) for net in caller.addresses)


def _shown(title: Any) -> str:
    """An AE title of a stranger as plain text for log and audit."""
    return "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in str(title))[:16].strip()
