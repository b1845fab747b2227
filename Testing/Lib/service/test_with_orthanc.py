"""The node between other people's programs: DCMTK sends, Orthanc keeps, DCMTK, dicom3tools and ITK read results."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import SegmentationStorage

from NeuroTriageLib.service.http_passwords import token_hash
from NeuroTriageLib.service.node import Node
from NeuroTriageLib.service.site_config import (
    Caller,
    Completeness,
    Destination,
    Http,
    HttpUser,
    Limits,
    Readers,
    SiteConfig,
    Tls,
)
from NeuroTriageLib.service.site_config import Node as NodeSection
from Testing.Lib import tiny_packs
from Testing.Lib.ct_series import PATIENT_ID, write_series
from Testing.Lib.service.authority import Authority
from Testing.Lib.service.orthanc import Orthanc, free_port, needs_dicomweb, needs_orthanc, orthanc

# The system's own: pynetdicom installs a storescu of its own beside Python.
DCMTK = {name: shutil.which(name, path="/usr/local/bin:/usr/bin:/bin") for name in ("storescu", "findscu", "dcmdump")}
DCIODVFY = shutil.which("dciodvfy")
pytestmark = [needs_orthanc, pytest.mark.skipif(None in DCMTK.values(), reason="DCMTK is not installed")]
TOKEN = "token-of-a-sender"
LIMIT_S = 180.0


def run(program: str, *arguments: object) -> str:
    done = subprocess.run(
        [str(DCMTK.get(program, program)), *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Readers:
    pack = str(tiny_packs.save(tmp_path_factory.mktemp("packs") / "tiny"))
    return Readers(device="cpu", threads=1, ct_model=pack, first_look=False)


@contextmanager
def serving(folder: Path, readers: Readers, port: int, **sections: Any) -> Iterator[Node]:
    tls = sections.pop("tls", None)
    site = SiteConfig(
        node=NodeSection(data_folder=folder / "data", port=port, tls=tls),
        callers=(Caller("CT1", ("127.0.0.1",)), Caller("ORTHANC")),
        limits=Limits(keep_free_gb=0.0),
        completeness=Completeness(quiet_s=1.0),
        readers=readers,
        **sections,
    )
    node = Node(site)
    node.start()
    try:
        yield node
    finally:
        node.stop()


def wait_until_done(node: Node) -> None:
    until = time.monotonic() + LIMIT_S
    while True:
        rows = node.ledger.rows("SELECT * FROM exam")
        if [row["state"] for row in rows] == ["done"]:
            return
        told = [dict(row) for row in rows]
        assert time.monotonic() < until, told
        time.sleep(0.2)


def results_of(node: Node) -> dict[str, Path]:
    """SOP Instance UID -> the node's own file, of what was sent."""
    rows = node.ledger.rows("SELECT sop_uid, path FROM delivery")
    return {row["sop_uid"]: node.data.results / row["path"] for row in rows}


def volume_ml(segmentation: Path) -> dict[str, float]:
    """Segment label -> mL by ITK's reader: the frames of a segment, times the voxel's size."""
    header = pydicom.dcmread(segmentation)
    frames = sitk.GetArrayFromImage(sitk.ReadImage(str(segmentation)))
    measures = header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    between = float(measures.get("SpacingBetweenSlices") or measures.SliceThickness)
    voxel_ml = float(measures.PixelSpacing[0]) * float(measures.PixelSpacing[1]) * between / 1000.0
    found = {item.SegmentNumber: item.SegmentLabel for item in header.SegmentSequence}
    volumes = dict.fromkeys(found.values(), 0.0)
    for frame, groups in zip(frames, header.PerFrameFunctionalGroupsSequence, strict=True):
        number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        volumes[found[number]] += float((frame > 0).sum()) * voxel_ml
    return volumes


def check_at_orthanc(pacs: Orthanc, node: Node, folder: Path) -> None:
    """All results are there, are queried back, read by other programs, and hold what the node says."""
    expected = results_of(node)
    held = pacs.sop_uids()
    assert expected.keys() <= held and expected
    study = node.ledger.rows("SELECT study_uid FROM exam")[0]["study_uid"]
    for sop_uid, own in expected.items():
        path = folder / f"{own.stem}.dcm"
        path.write_bytes(pacs.file(sop_uid))
        read = run("dcmdump", "+P", "StudyInstanceUID", "+P", "PatientID", path)
        assert f"[{study}]" in read and f"[{PATIENT_ID}]" in read
        if DCIODVFY is not None:
            said = subprocess.run([DCIODVFY, str(path)], capture_output=True, text=True).stderr
            assert "Error" not in said, said
    found = run(
        *("findscu", "-S", "-aet", "NEUROTRIAGE", "-aec", "ORTHANC", "-k", "QueryRetrieveLevel=SERIES"),
        *("-k", f"StudyInstanceUID={study}", "-k", "Modality", "127.0.0.1", pacs.dicom_port),
    )
    for modality in ("SEG", "SR"):
        assert f"[{modality}" in found, found


@needs_dicomweb
def test_a_study_sent_by_storescu_is_answered_in_orthanc_with_results_that_others_read(
    readers: Readers, tmp_path: Path
) -> None:
    files = sorted(write_series(tmp_path / "study").iterdir())
    port = free_port()
    with orthanc(tmp_path / "orthanc", modalities={"NEUROTRIAGE": ("127.0.0.1", port)}) as pacs:
        place = {"ae_title": "ORTHANC", "host": "127.0.0.1", "port": pacs.dicom_port}
        destination = Destination("pacs", **place, commitment=True)  # type: ignore[arg-type]
        with serving(tmp_path, readers, port, destinations=(destination,)) as node:
            run("storescu", "-aet", "CT1", "-aec", "NEUROTRIAGE", "127.0.0.1", port, *files)
            wait_until_done(node)
            assert {row["state"] for row in node.ledger.rows("SELECT state FROM delivery")} == {"committed"}
            fetched = tmp_path / "fetched"
            fetched.mkdir()
            check_at_orthanc(pacs, node, fetched)
            result = node.data.results / node.ledger.rows("SELECT result FROM exam")[0]["result"]
            findings = json.loads((result / "findings.json").read_text())
            segmentation = next(
                path for path in fetched.iterdir() if pydicom.dcmread(path).SOPClassUID == SegmentationStorage
            )
            told = {finding["volume_ml"] for finding in findings["findings"] if finding["status"] == "found"}
            for volume in volume_ml(segmentation).values():
                assert any(abs(volume - value) < 0.01 * max(1.0, value) for value in told)


@needs_dicomweb
def test_the_same_over_tls_and_dicomweb(readers: Readers, tmp_path: Path) -> None:
    files = sorted(write_series(tmp_path / "study").iterdir())
    authority = Authority(tmp_path / "tls")
    ours, theirs = authority.identity("node"), authority.identity("orthanc")
    tls = Tls(ours.certificate, ours.key, authority.certificate)
    port, http_port = free_port(), free_port()
    user = HttpUser("modality", None, token_hash(TOKEN), ("send",))
    http = Http(port=http_port, users=(user,), stow=True)
    with orthanc(tmp_path / "orthanc", tls=(authority, theirs)) as pacs:
        place = {"ae_title": "ORTHANC", "host": "127.0.0.1", "port": pacs.dicom_port, "tls": tls}
        destinations = (
            Destination("pacs", **place, objects=("structured_report",)),  # type: ignore[arg-type]
            Destination("web", kind="stow", url=f"{pacs.url}/dicom-web", objects=("segmentation", "report")),
        )
        with serving(tmp_path, readers, port, destinations=destinations, http=http, tls=tls) as node:
            half = len(files) // 2
            keys = ("+tls", ours.key, ours.certificate, "+cf", authority.certificate)
            run("storescu", *keys, "-aet", "CT1", "-aec", "NEUROTRIAGE", "127.0.0.1", port, *files[:half])
            assert stow(http_port, files[half:]) == 200
            wait_until_done(node)
            assert node.ledger.rows("SELECT COUNT(*) FROM image")[0][0] == len(files)
            expected = results_of(node)
            assert len(expected) == 3 and expected.keys() == pacs.sop_uids()


def stow(port: int, files: list[Path]) -> int:
    """Store the files by STOW-RS and return the status."""
    parts = [b"--b\r\nContent-Type: application/dicom\r\n\r\n" + path.read_bytes() + b"\r\n" for path in files]
    request = urllib.request.Request(f"http://127.0.0.1:{port}/dicomweb/studies", b"".join(parts) + b"--b--\r\n")
    request.add_header("Content-Type", 'multipart/related; type="application/dicom"; boundary=b')
    request.add_header("Authorization", f"Bearer {TOKEN}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return int(answer.status)
