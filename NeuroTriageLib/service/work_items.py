"""Creates a work item for the reader of an answered exam in the PACS's own worklist (UPS-RS, PS3.18, 11.4)."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset

from .. import __version__
from ..core.codes import FINDING_CODES
from .http_post import HttpPoster, WebServer
from .sending import Refusal, Unreachable

INTERPRETATION = ("110005", "DCM", "Interpretation")  # CID 9231, the work that is to be done
PATIENT_KEYWORDS = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "AccessionNumber"),
    *("StudyInstanceUID", "SpecificCharacterSet"),
)
# Of PS3.4, table CC.2.5-3: must be there at creation, and may be empty.
EMPTY_SEQUENCES = (
    *("ScheduledProcessingParametersSequence", "ScheduledStationNameCodeSequence"),
    *("ScheduledStationClassCodeSequence", "ScheduledStationGeographicLocationCodeSequence"),
    *("IssuerOfAdmissionIDSequence", "AdmittingDiagnosesCodeSequence", "ReferencedRequestSequence"),
    *("ProcedureStepProgressInformationSequence", "UnifiedProcedureStepPerformedProcedureSequence"),
    *("IssuerOfPatientIDQualifiersSequence", "OtherPatientIDsSequence"),
)
EMPTY_TEXTS = ("TransactionUID", "AdmissionID", "AdmittingDiagnosesDescription")


class WorkItems:
    """One UPS-RS service; one thread tells, any other may cancel."""

    def __init__(self, server: WebServer) -> None:
        self._poster = HttpPoster(server)

    def create(self, listener: str, payload: str, header_file: Path) -> Refusal | None:
        """Create the work item of a notice; None when it is there (201), or was there before (409).

        Args:
            listener: name of the service; another one gets an item with a UID of its own.
            payload: the notice's JSON.
            header_file: a DICOM file of the exam: whose it is stands only there.

        Raises:
            Unreachable: no answer, or one that passes by itself.
            ConfigError: a secret or certificate cannot be read.
        """
        notice = json.loads(payload)
        try:
            header = dcmread(header_file, stop_before_pixels=True, specific_tags=list(PATIENT_KEYWORDS))
            body = json.dumps([work_item(notice, header).to_json_dict()]).encode()
        except Exception:  # what a made-up image makes pydicom raise is not to be foreseen; nothing is kept of it
            return Refusal("The file that says whose exam it is is damaged.", lasting=True)
        path = f"/workitems?{work_item_uid(listener, notice)}"
        status = self._poster.post(path, [body], len(body), {"Content-Type": "application/dicom+json"}).status
        if status in (401, 403, 404):  # passes when somebody mends login or address
            raise Unreachable(f"The service answered with status {status}.", next_step="Check url and login.")
        if status in (200, 201, 409):
            return None
        return Refusal(f"It refused the work item (status {status}).", lasting=True)

    def cancel(self) -> None:
        """End what another thread is telling."""
        self._poster.cancel()


def work_item_uid(listener: str, notice: dict[str, Any]) -> str:
    """The same for the same notice, so that creating it twice is seen (PS3.5, B.2: 128 bits under 2.25)."""
    digest = hashlib.sha256(f"work item|{listener}|{notice['notice']}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def work_item(notice: dict[str, Any], header: Dataset) -> Dataset:
    """What is to be read, how urgent it is, and what the models found; attributes of PS3.4, table CC.2.5-3."""
    now = datetime.now().strftime("%Y%m%d%H%M%S")
    item = Dataset()
    item.SpecificCharacterSet = "ISO_IR 192"
    for keyword in PATIENT_KEYWORDS[:-1]:
        setattr(item, keyword, header.get(keyword, ""))
    for keyword in EMPTY_SEQUENCES:
        setattr(item, keyword, [])
    for keyword in EMPTY_TEXTS:
        setattr(item, keyword, "")
    # Never LOW: an exam in which nothing was found must not be read later than it would be without us.
    item.ScheduledProcedureStepPriority = "HIGH" if notice["answer"] == "found" else "MEDIUM"
    item.ProcedureStepLabel = "Read exam answered by NeuroTriage"
    item.WorklistLabel = "NeuroTriage"
    item.ScheduledProcedureStepStartDateTime = item.ScheduledProcedureStepModificationDateTime = now
    item.ScheduledWorkitemCodeSequence = [_code(*INTERPRETATION)]
    item.CommentsOnTheScheduledProcedureStep = said(notice)
    item.InputReadinessState = "READY"
    item.InputInformationSequence = _inputs(notice)
    item.ProcedureStepState = "SCHEDULED"
    return item


def said(notice: dict[str, Any]) -> str:
    """The answer in a few sentences of plain text."""
    lines = []
    for finding in notice["findings"]:
        known = FINDING_CODES.get(finding["code"])
        name = known.name if known else finding["code"]
        figures = []
        if finding.get("probability") is not None:
            figures.append(f"probability {finding['probability']:.2f}")
        if finding.get("volume_ml") is not None:
            figures.append(f"{finding['volume_ml']:.1f} mL")
        status = {"found": "found", "not_found": "not found", "could_not_look": "could not look"}[finding["status"]]
        lines.append(f"{name}: {status}{' (' + ', '.join(figures) + ')' if figures else ''}.")
    if not lines:
        lines.append("The exam could not be looked at; this is not a negative answer.")
    return " ".join((*lines, f"NeuroTriage {__version__}, research software."))


def _inputs(notice: dict[str, Any]) -> list[Dataset]:
    """The results as what the reader takes, one item for each series (PS3.3, table 10-3b)."""
    parts: dict[str, Dataset] = {}
    for result in notice["results"]:
        part = parts.setdefault(result["series_instance_uid"], Dataset())
        part.TypeOfInstances = "DICOM"
        part.StudyInstanceUID = notice["study_instance_uid"]
        part.SeriesInstanceUID = result["series_instance_uid"]
        reference = Dataset()
        reference.ReferencedSOPClassUID = result["sop_class_uid"]
        reference.ReferencedSOPInstanceUID = result["sop_instance_uid"]
        part.ReferencedSOPSequence = [*part.get("ReferencedSOPSequence", []), reference]
    return list(parts.values())


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code
