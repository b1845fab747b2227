"""What the node takes: storage classes of images, transfer syntaxes that can be decoded, and an image's few UIDs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pydicom

from ..core.errors import InputError

IMAGE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT Image",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT Image",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT Image",
    "1.2.840.10008.5.1.4.1.1.4": "MR Image",
    "1.2.840.10008.5.1.4.1.1.4.1": "Enhanced MR Image",
    "1.2.840.10008.5.1.4.1.1.4.4": "Legacy Converted Enhanced MR Image",
    # What lies in the same studies; it is kept with them and never read:
    "1.2.840.10008.5.1.4.1.1.4.3": "Enhanced MR Color Image",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.1": "Multi-frame Single Bit Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.2": "Multi-frame Grayscale Byte Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.3": "Multi-frame Grayscale Word Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.4": "Multi-frame True Color Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.1": "Computed Radiography Image",
    "1.2.840.10008.5.1.4.1.1.1.1": "Digital X-Ray Image for presentation",
    "1.2.840.10008.5.1.4.1.1.12.1": "X-Ray Angiographic Image",
    "1.2.840.10008.5.1.4.1.1.13.1.1": "X-Ray 3D Angiographic Image",
    "1.2.840.10008.5.1.4.1.1.20": "Nuclear Medicine Image",
    "1.2.840.10008.5.1.4.1.1.128": "Positron Emission Tomography Image",
}
"""SOP Class UID -> name (PS3.4, table B.5-1)."""

TRANSFER_SYNTAXES = (
    "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
    "1.2.840.10008.1.2",  # Implicit VR Little Endian
    "1.2.840.10008.1.2.2",  # Explicit VR Big Endian (retired)
    "1.2.840.10008.1.2.4.50",  # JPEG Baseline
    "1.2.840.10008.1.2.4.51",  # JPEG Extended
    "1.2.840.10008.1.2.4.57",  # JPEG Lossless
    "1.2.840.10008.1.2.4.70",  # JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.5",  # RLE lossless
)
"""All that io/dicom_pixels.py decodes (PS3.5, 10), uncompressed ones first. Deflated ones are not among them: they
could unpack to any size."""

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_UID_LENGTH = 64  # PS3.5, 9.1
_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


class ImageRefused(InputError):
    """An image that the node does not take, with the reason."""


@dataclass(frozen=True)
class ImageUids:
    """Who an image is; every one is a possible UID, so it may be part of a file's name."""

    sop_class: str
    sop: str
    study: str
    series: str

    @property
    def file_name(self) -> str:
        """Where it lies below the inbox."""
        return f"{self.study}/{self.sop}.dcm"


def read_image_uids(path: Path) -> ImageUids:
    """The UIDs of a DICOM file, after checking that it is an image that the node takes.

    Raises ImageRefused: no DICOM, another class or transfer syntax, a UID that is missing or none.
    """
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_UIDS))
        syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
        found = [str(dataset.get(keyword, "")) for keyword in _UIDS]
    except OSError:
        raise
    except Exception as error:  # what a made-up file makes pydicom raise is not to be foreseen; nothing is kept of it
        raise ImageRefused(f"It is no DICOM that can be understood ({type(error).__name__}).") from error
    if syntax not in TRANSFER_SYNTAXES:
        raise ImageRefused("Its transfer syntax is not one that this node takes.")
    if found[0] not in IMAGE_CLASSES:
        raise ImageRefused("It is no image of a class that this node takes.")
    for keyword, value in zip(_UIDS, found, strict=True):
        if len(value) > _UID_LENGTH or not _UID.fullmatch(value):
            raise ImageRefused(f"Its {keyword} is missing or none.")
    return ImageUids(*found)
