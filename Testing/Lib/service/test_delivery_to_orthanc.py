"""Delivery to a real Orthanc: by C-STORE, by DICOMweb, over TLS, with its storage commitment, and after it was away."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE

from NeuroTriageLib.service.commitment import REPORT_CLASSES, Commitments, event_handlers
from NeuroTriageLib.service.outbox import Outbox
from NeuroTriageLib.service.site_config import Destination, Tls
from Testing.Lib.service.authority import Authority
from Testing.Lib.service.orthanc import free_port, needs_dicomweb, needs_orthanc, orthanc, tls_front
from Testing.Lib.service.pacs import at_work, until
from Testing.Lib.service.small_results import SOON, answered_exam, exam_state, make_outbox, states

pytestmark = needs_orthanc


def by_dicom(port: int, **keys: object) -> Destination:
    options = {"retry": SOON, "timeout_s": 10.0} | keys
    return Destination(name="pacs", ae_title="ORTHANC", host="127.0.0.1", port=port, **options)  # type: ignore[arg-type]


def sent_uids(outbox: Outbox) -> set[str]:
    return {row["sop_uid"] for row in outbox.ledger.rows("SELECT sop_uid FROM delivery")}


def run_until_done(outbox: Outbox, exam: int) -> None:
    with at_work(outbox):
        until(lambda: exam_state(outbox, exam) == "done", seconds=30.0)


def test_orthanc_holds_the_files_as_they_were_made(tmp_path: Path) -> None:
    with orthanc(tmp_path / "orthanc") as pacs:
        outbox = make_outbox(tmp_path, [by_dicom(pacs.dicom_port)])
        run_until_done(outbox, answered_exam(outbox))
        assert pacs.sop_uids() == sent_uids(outbox) and len(sent_uids(outbox)) == 4
        for row in outbox.ledger.rows("SELECT * FROM delivery"):
            held = dcmread(BytesIO(pacs.file(row["sop_uid"])))
            assert held == dcmread(outbox.data.results / row["path"])


@needs_dicomweb
def test_orthanc_takes_results_by_dicomweb(tmp_path: Path) -> None:
    with orthanc(tmp_path / "orthanc") as pacs:
        destination = Destination(name="web", kind="stow", url=f"{pacs.url}/dicom-web", retry=SOON)
        outbox = make_outbox(tmp_path, [destination])
        run_until_done(outbox, answered_exam(outbox))
        assert pacs.sop_uids() == sent_uids(outbox)


def test_orthanc_commits_itself_over_an_association_of_its_own(tmp_path: Path) -> None:
    port = free_port()
    with orthanc(tmp_path / "orthanc", modalities={"NEUROTRIAGE": ("127.0.0.1", port)}) as pacs:
        outbox = make_outbox(tmp_path, [by_dicom(pacs.dicom_port, commitment=True)])
        exam = answered_exam(outbox)
        entity = AE(ae_title="NEUROTRIAGE")
        for sop_class in REPORT_CLASSES:
            entity.add_supported_context(sop_class, scu_role=True, scp_role=True)
        handlers = event_handlers(Commitments(outbox))
        server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)  # type: ignore[arg-type]
        try:
            run_until_done(outbox, exam)
        finally:
            server.shutdown()
    assert states(outbox) == ["committed"] * 4


@needs_dicomweb
def test_results_reach_orthanc_over_tls_by_dicom_and_by_dicomweb(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    ours, theirs = authority.identity("node"), authority.identity("pacs")
    tls = Tls(certificate=ours.certificate, private_key=ours.key, authorities=authority.certificate)
    with (
        orthanc(tmp_path / "orthanc", tls=(authority, theirs)) as pacs,
        tls_front(pacs.http_port, authority.server(theirs, clients=True)) as https,
    ):
        dicom = by_dicom(pacs.dicom_port, tls=tls, objects=("structured_report",))
        url = f"https://127.0.0.1:{https}/dicom-web"
        web = Destination(name="web", kind="stow", url=url, tls=tls, retry=SOON, objects=("report",))
        outbox = make_outbox(tmp_path, [dicom, web])
        run_until_done(outbox, answered_exam(outbox))
        assert pacs.sop_uids() == sent_uids(outbox) and len(sent_uids(outbox)) == 2


def test_an_orthanc_that_was_stopped_in_between_holds_everything_once_in_the_end(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    outbox = make_outbox(tmp_path, [by_dicom(ports[0])])
    with at_work(outbox):
        with orthanc(tmp_path / "orthanc", ports=ports):
            first = answered_exam(outbox)
            until(lambda: exam_state(outbox, first) == "done", seconds=30.0)
        second = answered_exam(outbox)
        until(lambda: outbox.ledger.rows("SELECT max(tries) FROM delivery")[0][0] >= 2)
        with orthanc(tmp_path / "orthanc", ports=ports) as pacs:
            until(lambda: exam_state(outbox, second) == "done", seconds=30.0)
            assert pacs.sop_uids() == sent_uids(outbox) and pacs.get("/statistics")["CountInstances"] == 8
