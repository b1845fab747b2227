"""Delivery over TLS: only to a server whose certificate is trusted and names it, and with our own where it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.service.client_tls import client_context
from NeuroTriageLib.service.outbox import Outbox
from NeuroTriageLib.service.site_config import Destination, Listener, Tls
from Testing.Lib.service.authority import Authority
from Testing.Lib.service.pacs import Pacs, at_work, running, until
from Testing.Lib.service.small_results import SOON, answered_exam, exam_state, make_outbox
from Testing.Lib.service.web_server import WebSite, serving


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def to(pacs: Pacs, tls: Tls | None) -> Destination:
    return Destination(
        name="pacs", ae_title="PACS", host="127.0.0.1", port=pacs.port, tls=tls, retry=SOON, timeout_s=3.0
    )


def reason(outbox: Outbox, table: str = "delivery") -> str:
    """Why nothing was sent, after a few tries."""
    with at_work(outbox):
        until(lambda: outbox.ledger.rows(f"SELECT max(tries) FROM {table}")[0][0] >= 2)
    ((said,),) = outbox.ledger.rows(f"SELECT DISTINCT reason FROM {table}")
    return str(said)


def test_results_are_sent_over_tls_with_both_certificates(tmp_path: Path, authority: Authority) -> None:
    ours = authority.identity("node")
    tls = Tls(certificate=ours.certificate, private_key=ours.key, authorities=authority.certificate)
    with running(Pacs(tls=authority.server(authority.identity("pacs"), clients=True))) as pacs:
        outbox = make_outbox(tmp_path, [to(pacs, tls)])
        exam = answered_exam(outbox)
        with at_work(outbox):
            until(lambda: exam_state(outbox, exam) == "done")
    assert len(pacs.received) == 4


def test_nothing_is_sent_to_a_node_whose_certificate_is_not_trusted(tmp_path: Path, authority: Authority) -> None:
    other = Authority(tmp_path / "other")
    with running(Pacs(tls=other.server(other.identity("pacs")))) as pacs:
        outbox = make_outbox(tmp_path, [to(pacs, Tls(authorities=authority.certificate))])
        answered_exam(outbox)
        assert reason(outbox) == "It does not answer."
    assert not pacs.received


def test_nothing_is_sent_to_a_node_whose_certificate_names_another(tmp_path: Path, authority: Authority) -> None:
    identity = authority.identity("elsewhere", "IP:127.0.0.2")
    with running(Pacs(tls=authority.server(identity))) as pacs:
        outbox = make_outbox(tmp_path, [to(pacs, Tls(authorities=authority.certificate))])
        answered_exam(outbox)
        assert reason(outbox) == "It does not answer."
    assert not pacs.received


def test_nothing_is_sent_in_the_clear_to_a_node_without_tls(tmp_path: Path, authority: Authority) -> None:
    with running(Pacs()) as pacs:
        outbox = make_outbox(tmp_path, [to(pacs, Tls(authorities=authority.certificate))])
        answered_exam(outbox)
        assert reason(outbox) == "It does not answer."
    assert not pacs.received


def test_a_web_server_is_told_over_https_only_when_its_certificate_is_trusted(
    tmp_path: Path, authority: Authority
) -> None:
    with serving(WebSite(), authority.server(authority.identity("web"))) as site:
        outbox = make_outbox(
            tmp_path / "trusting", [], [Listener(name="hook", url=site.url, tls=Tls(authorities=authority.certificate))]
        )
        exam = answered_exam(outbox)
        with at_work(outbox):
            until(lambda: exam_state(outbox, exam) == "done")
        stranger = make_outbox(tmp_path / "stranger", [], [Listener(name="hook", url=site.url, retry=SOON)])
        answered_exam(stranger)
        assert "certificate is not trusted" in reason(stranger, "notice")
    assert len(site.requests) == 1


def test_a_certificate_that_cannot_be_used_is_a_clear_error(tmp_path: Path, authority: Authority) -> None:
    one, two = authority.identity("one"), authority.identity("two")
    with pytest.raises(ConfigError, match="cannot be used"):
        client_context(Tls(authorities=tmp_path / "missing.pem"))
    with pytest.raises(ConfigError, match="cannot be used"):
        client_context(Tls(certificate=one.certificate, private_key=two.key))
