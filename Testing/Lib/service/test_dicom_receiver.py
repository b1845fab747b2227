"""The DICOM door: who may send, what an acknowledgement means, what is refused with which status, TLS, limits."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.service.client_tls import client_context
from NeuroTriageLib.service.data_folder import DataFolder
from NeuroTriageLib.service.dicom_receiver import DicomReceiver
from NeuroTriageLib.service.exam_queue import ExamQueue
from NeuroTriageLib.service.inbox import Inbox
from NeuroTriageLib.service.ledger import Ledger
from NeuroTriageLib.service.refusals import Allowance, Rate
from NeuroTriageLib.service.site_config import Caller, Limits, Node, SiteConfig, Tls
from Testing.Lib.service.authority import Authority
from Testing.Lib.service.small_exams import send, small_image, small_site, study_uid

SUCCESS, OUT_OF_RESOURCES, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000


class Door:
    """A receiver, what it has taken, and what it has noted."""

    def __init__(self, site: SiteConfig) -> None:
        data = DataFolder(site.node.data_folder)
        data.make()
        self.ledger = Ledger(data.ledger)
        queue = ExamQueue(self.ledger, site.completeness, site.order, 3)
        self.receiver = DicomReceiver(site, Inbox(self.ledger, data, queue, site.limits), self.ledger)
        self.receiver.start()
        self.port = self.receiver.port

    def images(self) -> int:
        return len(self.ledger.rows("SELECT 1 FROM image"))

    def notes(self) -> list[str]:
        return [f"{row['event']}: {row['detail']}" for row in self.ledger.rows("SELECT * FROM audit ORDER BY id")]


@contextmanager
def door(site: SiteConfig) -> Iterator[Door]:
    opened = Door(site)
    try:
        yield opened
    finally:
        opened.receiver.stop()


def echo(port: int, calling: str = "CT1", tls: ssl.SSLContext | None = None) -> bool:
    entity = AE(ae_title=calling)
    entity.add_requested_context(Verification)
    entity.acse_timeout = entity.connection_timeout = 5
    tls_args = None if tls is None else (tls, "localhost")
    association = entity.associate("127.0.0.1", port, ae_title="NEUROTRIAGE", tls_args=tls_args)
    if not association.is_established:
        return False
    answer = association.send_c_echo()
    association.release()
    return bool(answer) and answer.Status == SUCCESS


def test_images_of_a_caller_are_acknowledged_and_its_source_and_priority_known(tmp_path: Path) -> None:
    with door(small_site(tmp_path)) as opened:
        assert echo(opened.port)
        assert send(opened.port, [small_image(1, n) for n in range(3)], priority=1) == [SUCCESS] * 3
        assert send(opened.port, [small_image(1, 2)]) == [SUCCESS]
        assert opened.images() == 3
        exam = opened.ledger.rows("SELECT * FROM exam")[0]
        assert (exam["study_uid"], exam["source"], exam["dicom_priority"]) == (study_uid(1), "CT1", 1)


@pytest.mark.parametrize(
    ("calling", "called", "addresses"),
    [("NOBODY", "NEUROTRIAGE", ()), ("CT1", "OTHER", ()), ("CT1", "NEUROTRIAGE", ("10.9.0.0/16",))],
)
def test_who_is_not_named_is_turned_away_and_noted(tmp_path: Path, calling: str, called: str, addresses: tuple) -> None:
    with door(small_site(tmp_path, callers=(Caller("CT1", addresses),))) as opened:
        assert send(opened.port, [small_image(1, 1)], calling=calling, called=called) == []
        assert opened.images() == 0
        deadline = time.monotonic() + 3
        while not (notes := opened.notes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert notes[0].startswith("refused ") and "127.0.0.1" in notes[0]


def test_only_images_and_echo_are_offered(tmp_path: Path) -> None:
    with door(small_site(tmp_path)) as opened:
        entity = AE(ae_title="CT1")
        entity.add_requested_context(Verification)
        entity.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
        entity.add_requested_context("1.2.840.10008.5.1.4.1.1.88.11")  # a structured report
        entity.add_requested_context("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1.99")  # deflated
        association = entity.associate("127.0.0.1", opened.port, ae_title="NEUROTRIAGE")
        assert [context.abstract_syntax for context in association.accepted_contexts] == [Verification]
        association.release()


def test_a_full_disk_is_told_as_out_of_resources_and_the_door_stays_open(tmp_path: Path) -> None:
    with door(small_site(tmp_path, limits=Limits(keep_free_gb=1e9))) as opened:
        assert send(opened.port, [small_image(1, n) for n in range(2)]) == [OUT_OF_RESOURCES] * 2
        assert opened.images() == 0
        assert echo(opened.port)


def test_an_image_that_contradicts_itself_is_not_taken(tmp_path: Path) -> None:
    bad = small_image(1, 1)
    del bad.StudyInstanceUID
    with door(small_site(tmp_path)) as opened:
        assert send(opened.port, [bad, small_image(1, 2)]) == [NOT_UNDERSTOOD, SUCCESS]
        assert any("refused image" in note for note in opened.notes())


def test_a_message_that_grows_over_the_limit_ends_its_association_and_no_other(tmp_path: Path) -> None:
    large = small_image(1, 1)
    large.Rows, large.Columns, large.PixelData = 512, 512, bytes(512 * 512 * 2)
    with door(small_site(tmp_path, limits=Limits(keep_free_gb=0, image_mb=0.1, idle_s=5))) as opened:
        assert send(opened.port, [large]) == [-1]
        assert send(opened.port, [small_image(1, 2)]) == [SUCCESS]
        assert opened.images() == 1


def test_more_associations_than_allowed_are_refused_for_the_moment(tmp_path: Path) -> None:
    with door(small_site(tmp_path, limits=Limits(keep_free_gb=0, associations=1))) as opened:
        entity = AE(ae_title="CT1")
        entity.add_requested_context(Verification)
        first = entity.associate("127.0.0.1", opened.port, ae_title="NEUROTRIAGE")
        assert first.is_established
        assert not echo(opened.port)
        first.release()
        deadline = time.monotonic() + 5
        while not (free := echo(opened.port)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert free


@pytest.mark.parametrize("said", [b"", b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00", b"\x04\x00\x00\x00\x00\x0a"])
def test_connections_that_end_without_asking_for_an_association_take_no_place(tmp_path: Path, said: bytes) -> None:
    with door(small_site(tmp_path, limits=Limits(keep_free_gb=0, associations=4, idle_s=60))) as opened:
        for _ in range(8):
            with socket.create_connection(("127.0.0.1", opened.port), timeout=10) as scan:
                scan.sendall(said)
        deadline = time.monotonic() + 5
        while not (free := echo(opened.port)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert free


@pytest.mark.parametrize("pdu", [b"\x01\x00\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", b"\x04\x00\x00\x00\x00\x0a"])
def test_a_stranger_who_announces_gigabytes_or_talks_nonsense_is_cut_off(tmp_path: Path, pdu: bytes) -> None:
    with door(small_site(tmp_path)) as opened:
        with socket.create_connection(("127.0.0.1", opened.port), timeout=10) as stranger:
            stranger.sendall(pdu + bytes(64))
            deadline = time.monotonic() + 10
            with pytest.raises(OSError):  # closed, or reset
                while time.monotonic() < deadline:
                    stranger.sendall(bytes(4096))
                    time.sleep(0.05)
        assert echo(opened.port)


def test_over_tls_only_clients_with_a_certificate_get_in_and_a_silent_one_blocks_nobody(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    identity = authority.identity("localhost", "DNS:localhost")
    tls = Tls(identity.certificate, identity.key, authority.certificate)
    site = small_site(tmp_path, node=Node(data_folder=tmp_path / "data", port=0, tls=tls))
    with door(site) as opened, socket.create_connection(("127.0.0.1", opened.port)):
        assert send(opened.port, [small_image(1, 1)], tls=client_context(tls)) == [SUCCESS]
        assert not echo(opened.port, tls=client_context(Tls(authorities=tls.authorities)))
        assert not echo(opened.port)
        assert echo(opened.port, tls=client_context(tls))


def test_eight_senders_at_once_lose_nothing(tmp_path: Path) -> None:
    with door(small_site(tmp_path)) as opened:
        statuses: dict[int, list[int]] = {}

        def run(study: int) -> None:
            statuses[study] = send(opened.port, [small_image(study, n) for n in range(6)])

        threads = [threading.Thread(target=run, args=(study,)) for study in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == {study: [SUCCESS] * 6 for study in range(8)}
        assert opened.images() == 48


def test_silent_connections_are_cut_off_when_they_become_too_many(tmp_path: Path) -> None:
    with door(small_site(tmp_path, limits=Limits(keep_free_gb=0, associations=1, idle_s=30))) as opened:
        silent = [socket.create_connection(("127.0.0.1", opened.port)) for _ in range(4)]
        time.sleep(0.5)
        with socket.create_connection(("127.0.0.1", opened.port), timeout=10) as late:
            late.sendall(b"\x01\x00\x00\x00\x00\x40" + bytes(64))
            assert late.recv(1) == b""
        for connection in silent:
            connection.close()


def test_refusals_are_written_down_but_not_without_end() -> None:
    seconds = [0.0]
    allowance = Allowance(3, now=lambda: seconds[0])
    assert [allowance.take() for _ in range(5)] == [True, True, True, False, False]
    seconds[0] = 61.0
    assert allowance.take()


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    with door(small_site(tmp_path)) as opened:
        site = small_site(tmp_path / "b", node=Node(data_folder=tmp_path / "b", port=opened.port))
        with pytest.raises(ConfigError, match=str(opened.port)):
            Door(site)


def test_a_rate_spreads_images_over_the_minute() -> None:
    waited: list[Any] = []
    rate = Rate(60, now=lambda: 100.0, sleep=waited.append)
    for _ in range(4):
        rate.wait()
    assert waited == [0.0, 1.0, 2.0, 3.0]
