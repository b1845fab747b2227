"""One DICOM file's header as plain values, one Instance per image or frame, without any patient's name or ID."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydicom
from pydicom.datadict import dictionary_VM
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.valuerep import DSdecimal, DSfloat

from ..core.errors import DicomError
from ..core.study import Instance
from .private_tags import PRIVATE_TAGS, comment_values, private_values

KEPT_KEYWORDS = (
    # which object, and how it is stored
    *("SOPClassUID", "ImageType", "Modality", "Manufacturer", "ManufacturerModelName", "NumberOfFrames"),
    *("LossyImageCompression", "SeriesNumber", "AcquisitionNumber", "InstanceNumber"),
    # what it shows, in the words of the site
    *("StudyDescription", "SeriesDescription", "ProtocolName", "RequestedProcedureDescription", "BodyPartExamined"),
    *("ContrastBolusAgent", "ConvolutionKernel", "TemporalPositionIdentifier", "TemporalPositionIndex"),
    *("EchoNumbers", "KVP"),
    # where it lies
    *("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "SliceLocation", "SliceThickness"),
    *("PixelSpacing", "Rows", "Columns"),
    # what the numbers mean
    *("SamplesPerPixel", "BitsAllocated", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("RescaleIntercept", "RescaleSlope", "RescaleType"),
    # how an MR image was made
    *("ScanningSequence", "SequenceVariant", "ScanOptions", "SequenceName", "PulseSequenceName", "MRAcquisitionType"),
    *("EchoTime", "RepetitionTime", "InversionTime", "FlipAngle", "PixelBandwidth", "EchoTrainLength", "AngioFlag"),
    *("DiffusionBValue", "DiffusionDirectionality"),
    # the same in enhanced MR (PS3.3 C.8.13.4 and C.8.13.5)
    *("EffectiveEchoTime", "InversionTimes", "RFEchoTrainLength", "AcquisitionContrast", "EchoPulseSequence"),
    *("EchoPlanarPulseSequence", "InversionRecovery", "ComplexImageComponent"),
)
"""The DICOM keywords that Instance.header may hold. Beside them stand TransferSyntaxUID from the file meta information,
and for MR what vendors write elsewhere: ScanningTechnique, WaterFatShift, SingleBandReference, RealWorldUnit."""

_IDENTITY = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "StudyDate", "PatientID", "PatientName"]
_MULTI_FRAME = ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ContrastBolusAgentSequence"]
_READ = [*KEPT_KEYWORDS, *_IDENTITY, *_MULTI_FRAME, "ImageComments", "RealWorldValueMappingSequence"]
_READ_TAGS = [*(Tag(keyword) for keyword in _READ), *(Tag(tag) for tag in PRIVATE_TAGS)]

# Attributes that enhanced CT keeps under another keyword in its functional groups (DICOM PS3.3, C.8.15.3).
_FRAME_KEYWORDS = {"FrameType": "ImageType", "FrameAcquisitionNumber": "AcquisitionNumber"}

MAX_FRAMES = 20_000
"""More frames than this in one object are a damaged header (ours)."""

MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
"""SOP class of a DICOMDIR."""


@dataclass(frozen=True)
class ParsedFile:
    """What one file says about itself; patient_key is a one-way hash, "" when the file names nobody."""

    study_instance_uid: str
    series_instance_uid: str
    patient_key: str
    study_date: str
    instances: tuple[Instance, ...]


@dataclass
class PatientKeys:
    """One-way keys of patients: the same name and ID give the same key, and the key does not give them back.

    Key stretching makes guessing from a list of names slow (PBKDF2 with 20 000 rounds, ours: about 10 ms a patient).
    """

    _known: dict[bytes, str] = field(default_factory=dict)

    def key(self, patient_id: str, patient_name: str) -> str:
        """The key of one patient, "" when ID and name are both empty."""
        name = " ".join(patient_name.upper().replace("^", " ").replace("=", " ").split())
        if not (patient_id.strip() or name):
            return ""
        identity = f"{patient_id.strip()}\n{name}".encode()
        short = hashlib.blake2b(identity).digest()
        if short not in self._known:
            self._known[short] = hashlib.pbkdf2_hmac("sha256", identity, b"NeuroTriage patient key", 20_000).hex()[:32]
        return self._known[short]


def is_dicom(start: bytes) -> bool:
    """True when a file that begins with these 132 (or fewer) bytes may be DICOM.

    A file without the 128-byte preamble counts when it begins with an element of group 0002 or 0008 whose value
    representation or length is possible.
    """
    if start[128:132] == b"DICM":
        return True
    if len(start) < 8 or start[:2] not in (b"\x08\x00", b"\x02\x00") or start[3] != 0:
        return False
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    return explicit or int.from_bytes(start[4:8], "little") <= 64


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom from printing and from refusing values that merely break the standard's spelling."""
    settings, logger = pydicom.config.settings, logging.getLogger("pydicom")
    mode, level = settings.reading_validation_mode, logger.level
    settings.reading_validation_mode = pydicom.config.IGNORE
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        settings.reading_validation_mode = mode
        logger.setLevel(level)


def read_header(path: Path, patients: PatientKeys) -> ParsedFile | None:
    """Read one file's header without its pixels; None for a DICOMDIR. Call it within quiet_pydicom().

    Raises:
        DicomError: the file is damaged, or has no series UID.
    """
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=_READ_TAGS)
        if str(dataset.file_meta.get("MediaStorageSOPClassUID", "")) == MEDIA_DIRECTORY:
            return None
        series_uid = str(dataset.get("SeriesInstanceUID", "") or "").strip()
        header = _plain_header(dataset)
        instances = tuple(_instances(path, dataset, header)) if series_uid else ()
        name, patient_id = str(dataset.get("PatientName", "") or ""), str(dataset.get("PatientID", "") or "")
    except (MemoryError, DicomError):
        raise
    except Exception as error:  # pydicom raises many kinds on damaged bytes; each means the same to a user
        if isinstance(error, OSError) and error.errno is not None:  # without a number it is pydicom's own
            raise
        raise DicomError(
            f"A DICOM file is damaged ({type(error).__name__}).", where=str(path), next_step="Copy or export it again."
        ) from error
    if not series_uid:
        raise DicomError(
            "A file has no DICOM series UID: it is not DICOM, or its header is damaged.",
            where=str(path),
            next_step="Export the series again as DICOM.",
        )
    return ParsedFile(
        study_instance_uid=str(dataset.get("StudyInstanceUID", "") or "").strip(),
        series_instance_uid=series_uid,
        patient_key=patients.key(patient_id, name),
        study_date=str(dataset.get("StudyDate", "") or ""),
        instances=instances,
    )


def _plain_header(dataset: Dataset) -> dict[str, Any]:
    header = _kept_values(dataset)
    header["TransferSyntaxUID"] = str(dataset.file_meta.get("TransferSyntaxUID", "") or "")
    agents = dataset.get("ContrastBolusAgentSequence")
    if agents and not header.get("ContrastBolusAgent"):
        header["ContrastBolusAgent"] = str(agents[0].get("CodeMeaning", "") or "contrast agent")
    return header | (_mr_values(dataset, header) if header.get("Modality") == "MR" else {})


def _mr_values(dataset: Dataset, header: dict[str, Any]) -> dict[str, Any]:
    """What stands in private elements, units and comments. Comments are free text and are not kept themselves."""
    values = comment_values(str(dataset.get("ImageComments", "") or "")) | private_values(dataset)
    return {key: value for key, value in values.items() if key not in header} | _real_world_unit(dataset)


def _real_world_unit(item: Dataset) -> dict[str, Any]:
    """The UCUM unit of a real-world value mapping, {} without one."""
    mappings = item.get("RealWorldValueMappingSequence")
    units = mappings[0].get("MeasurementUnitsCodeSequence") if mappings else None
    return {"RealWorldUnit": str(units[0].get("CodeValue", ""))} if units else {}


def _kept_values(dataset: Dataset) -> dict[str, Any]:
    """Keyword -> plain value of the kept elements that are there and not empty."""
    values = {}
    for element in dataset:
        keyword = _FRAME_KEYWORDS.get(element.keyword, element.keyword)
        if keyword in _KEPT_SET:
            value = _plain(element.value)
            if value not in (None, "", []) and not _is_one_too_many(element, value):
                values[keyword] = value
    return values


def _is_one_too_many(element: DataElement, value: Any) -> bool:
    """True for several values where the standard has one; they count as missing. Free text may hold a backslash."""
    if not isinstance(value, list) or element.VR not in ("UI", "US", "CS", "FD"):
        return False
    return dictionary_VM(element.tag) == "1"  # every kept keyword is in the dictionary


_KEPT_SET = frozenset(KEPT_KEYWORDS)


def _plain(value: Any) -> Any:
    """A pydicom value as str, int, float, list of them, or None."""
    if isinstance(value, MultiValue | list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, DSfloat | DSdecimal):
        return float(value)
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return int(value)
    if value is None or isinstance(value, bytes | Sequence):
        return None
    return str(value).strip("\0 ")


def _instances(path: Path, dataset: Dataset, header: dict[str, Any]) -> Iterator[Instance]:
    uid = str(dataset.get("SOPInstanceUID", "") or "").strip()
    frames = dataset.get("PerFrameFunctionalGroupsSequence")
    if not frames:
        count = header.get("NumberOfFrames", 1)
        if isinstance(count, int) and count > MAX_FRAMES:
            raise DicomError(f"The header claims {count} frames: it is damaged.", where=str(path))
        for frame in range(1, count + 1) if isinstance(count, int) and count > 1 else (0,):
            yield Instance(path=path, sop_instance_uid=uid, frame_number=frame, header=header)
        return
    shared = dataset.get("SharedFunctionalGroupsSequence")
    common = header | (_group_values(shared[0]) if shared else {})
    for number, group in enumerate(frames, start=1):
        values = common | _group_values(group)
        if values.pop("ContrastAdministered", None) == "NO":
            values.pop("ContrastBolusAgent", None)
        yield Instance(path=path, sop_instance_uid=uid, frame_number=number, header=values)


def _group_values(group: Dataset) -> dict[str, Any]:
    """The kept values of all functional groups in one item of a functional groups sequence."""
    values: dict[str, Any] = {}
    for element in group:
        if element.VR != "SQ" or not element.value:
            continue
        item = element.value[0]
        values |= _kept_values(item)
        if element.keyword == "RealWorldValueMappingSequence":
            values |= _real_world_unit(group)
        if element.keyword == "FrameAnatomySequence" and item.get("AnatomicRegionSequence"):
            values["BodyPartExamined"] = str(item.AnatomicRegionSequence[0].get("CodeMeaning", ""))
        if element.keyword == "ContrastBolusUsageSequence":
            values["ContrastAdministered"] = str(item.get("ContrastBolusAgentAdministered", ""))
    return values
