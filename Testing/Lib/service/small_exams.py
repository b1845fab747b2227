"""Very small CT images, a site that takes them, and a modality that sends them."""

from __future__ import annotations

import io
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE

from NeuroTriageLib.service.site_config import Caller, Completeness, Limits, Node, Readers, SiteConfig

PATIENT_NAME = "SECRETNAME^ANNA"
ROOT = "1.2.826.0.1.3680043.8.498.77"


def study_uid(number: int) -> str:
    return f"{ROOT}.{number}"


def small_image(study: int, number: int, description: str = "HEAD") -> Dataset:
    """An image of 8 x 8 pixels; its UIDs follow from the numbers of study and image."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = f"{study_uid(study)}.1.{number + 1}"
    image.PatientName, image.PatientID = PATIENT_NAME, "SECRETID77"
    image.StudyInstanceUID, image.SeriesInstanceUID = study_uid(study), f"{study_uid(study)}.1"
    image.StudyDate, image.Modality, image.SeriesDescription = "20200101", "CT", description
    image.Rows = image.Columns = 8
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 1
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelData = bytes(128)
    return image


def as_bytes(image: Dataset) -> bytes:
    """The image as a DICOM file."""
    stream = io.BytesIO()
    dcmwrite(stream, image, enforce_file_format=True)
    return stream.getvalue()


def small_site(folder: Path, **sections: Any) -> SiteConfig:
    """A site whose exams are complete as soon as they are quiet for a moment."""
    values: dict[str, Any] = {
        "node": Node(data_folder=folder / "data", port=0),
        "callers": (Caller("CT1"),),
        "limits": Limits(keep_free_gb=0.0, idle_s=5.0),
        "completeness": Completeness(quiet_s=0.5),
        "readers": Readers(time_limit_s=20.0),
    }
    return SiteConfig(**(values | sections))


def send(
    port: int,
    images: Iterable[Dataset],
    *,
    calling: str = "CT1",
    called: str = "NEUROTRIAGE",
    priority: int = 0,
    tls: ssl.SSLContext | None = None,
) -> list[int]:
    """The status of each image by C-STORE, -1 without an answer; [] when the association was refused."""
    entity = AE(ae_title=calling)
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 60
    tls_args = None if tls is None else (tls, "localhost")
    association = entity.associate("127.0.0.1", port, ae_title=called, tls_args=tls_args)
    if not association.is_established:
        return []
    statuses = []
    for image in images:
        try:
            answer = association.send_c_store(image, priority=priority)
        except RuntimeError:  # the association has ended
            statuses.append(-1)
            break
        statuses.append(answer.Status if "Status" in answer else -1)
    if association.is_established:
        association.release()
    return statuses
