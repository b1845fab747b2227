"""An outbox over a ledger with answered exams, and small DICOM results of the right classes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
    generate_uid,
)

from NeuroTriageLib.service.data_folder import DataFolder
from NeuroTriageLib.service.exam_queue import ExamAnswer
from NeuroTriageLib.service.ledger import Ledger
from NeuroTriageLib.service.outbox import Outbox
from NeuroTriageLib.service.site_config import Destination, Listener, Node, Retry, SiteConfig

SOON = Retry(first_s=0.05, factor=1.0, longest_s=0.05, give_up_h=1.0)
PATIENT_NAME = "Doe^Jane"
FILES = {
    "structured_report.dcm": Comprehensive3DSRStorage,
    "segmentation.dcm": SegmentationStorage,
    "key_image_1.dcm": SecondaryCaptureImageStorage,
    "report.dcm": EncapsulatedPDFStorage,
}
FOUND = {"code": "IPH", "status": "found", "probability": 0.93, "volume_ml": 12.34}


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


def make_outbox(
    folder: Path,
    destinations: Iterable[Destination] = (),
    listeners: Iterable[Listener] = (),
    clock: Clock | None = None,
) -> Outbox:
    """An outbox over a ledger that may be there already."""
    data = DataFolder(folder / "node")
    data.make()
    site = SiteConfig(node=Node(data_folder=data.path), destinations=tuple(destinations), listeners=tuple(listeners))
    ledger = Ledger(data.ledger, clock) if clock else Ledger(data.ledger)
    return Outbox(ledger, site, data)


def answered_exam(outbox: Outbox, answer: str = "found", source: str = "CT1", urgency: float = 0.5) -> int:
    """A new exam with four results, answered as the queue does it; its id."""
    study_uid, ledger = generate_uid(), outbox.ledger
    write_results(outbox.data.results / study_uid / "dicom", study_uid)
    findings = () if answer == "could_not_look" else (FOUND | {"status": answer},)
    with ledger.transaction() as db:
        exam_id = db.execute(
            "INSERT INTO exam (study_uid, revision, state, source, dicom_priority, urgency, opened_at, last_image_at,"
            " complete_at, answered_at, result, findings, models)"
            " VALUES (?, 1, 'answered', ?, 0, ?, ?, ?, ?, ?, ?, ?, '{}')",
            (study_uid, source, urgency, *[ledger.now()] * 4, study_uid, json.dumps(findings)),
        ).lastrowid
        exam = db.execute("SELECT * FROM exam WHERE id = ?", (exam_id,)).fetchone()
        outbox.rows_for(db, exam, ExamAnswer(answer, study_uid, findings, {}, ""))  # type: ignore[arg-type]
    assert exam_id is not None
    return exam_id


def write_results(folder: Path, study_uid: str) -> None:
    """One object of each class; the key image is RLE-compressed, as ours are."""
    folder.mkdir(parents=True)
    for name, sop_class in FILES.items():
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, generate_uid()
        dataset.PatientName, dataset.PatientID, dataset.AccessionNumber = PATIENT_NAME, "ID4711", "A1"
        dataset.Modality, dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "OT", "1", 1, 1
        if name == "key_image_1.dcm":
            _put_pixels(dataset)
        dataset.save_as(folder / name, enforce_file_format=True)


def _put_pixels(dataset: Dataset) -> None:
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 16, 16, 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = np.arange(256, dtype=np.uint8).tobytes()
    dataset["PixelData"].VR = "OB"
    dataset.compress(RLELossless, generate_instance_uid=False)


def states(outbox: Outbox, table: str = "delivery") -> list[str]:
    """The states of a table's rows, sorted."""
    return sorted(row["state"] for row in outbox.ledger.rows(f"SELECT state FROM {table}"))


def exam_state(outbox: Outbox, exam_id: int) -> str:
    ((state,),) = outbox.ledger.rows("SELECT state FROM exam WHERE id = ?", (exam_id,))
    return str(state)
