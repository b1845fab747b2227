"""Reads from a series' header whose exam it is, as clean text in any character set, for results in DICOM."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from ..core.dicom_source import COPIED_KEYWORDS, DicomSource
from ..core.errors import ConfigError, DicomError
from ..core.plain_text import one_line
from ..core.study import Series
from .dicom_headers import quiet_pydicom

# Longest values and possible ones (DICOM PS3.5, table 6.2-1); of a person's name it is the length of each of the three
# component groups.
_MAX_LENGTH = {"PN": 64, "LO": 64, "SH": 16}
_POSSIBLE = {
    "DA": re.compile(r"(18|19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"),
    "TM": re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?"),
    "AS": re.compile(r"\d{3}[DWMY]"),
    "CS": re.compile(r"[A-Z0-9_ ]{1,16}"),
    "DS": re.compile(r"\d{1,10}(\.\d{1,5})?"),
}
_UID = re.compile(r"[0-9][0-9.]{0,63}")
# What a PACS files a result by: shortened or with characters left out it could be another patient's.
_FILED_BY = ("PatientID", "IssuerOfPatientID", "AccessionNumber")
_SEXES = ("M", "F", "O")
_UNDECODED = "\ufffd"


def read_dicom_source(series: Series) -> DicomSource:
    """Read whose exam a series is. Its files must still be there (a zip is unpacked only while it is open).

    Text is decoded as its SpecificCharacterSet says. Control characters go, what is longer than DICOM allows is cut,
    and dates, times and codes that are impossible count as unknown.

    Raises:
        ConfigError: no DICOM series: it does not say which patient and study it belongs to.
        DicomError: a UID is missing or impossible; an ID that results are filed by is not a possible one; the images
            are of several kinds.
    """
    if series.file_format != "dicom":
        raise ConfigError(
            f"Results in DICOM need a DICOM source: a {series.file_format.upper()} file does not say which patient and "
            "study it belongs to.",
            next_step="Leave out --dicom, or name the exam's DICOM files.",
        )
    first = series.instances[0]
    with quiet_pydicom():
        dataset = pydicom.dcmread(first.path, stop_before_pixels=True, force=True, specific_tags=_tags())
        header = {keyword: text for keyword in COPIED_KEYWORDS if (text := _text_of(dataset, keyword))}
        study_uid = _text_of_uid(dataset, "StudyInstanceUID")
        frame_uid = _text_of_uid(dataset, "FrameOfReferenceUID", needed=False)
    if header.get("PatientIdentityRemoved") == "YES" and "DeidentificationMethod" not in header:
        header["DeidentificationMethod"] = "not stated by the source"  # required then (PS3.3, C.7.1.1)
    series_uid = _checked_uid(series.series_instance_uid, "SeriesInstanceUID")
    for item in series.instances:
        _checked_uid(item.sop_instance_uid, "SOPInstanceUID")
    return DicomSource(
        header=header,
        study_instance_uid=study_uid,
        series_instance_uid=series_uid,
        frame_of_reference_uid=frame_uid or _own_frame_of_reference(series_uid),
        sop_class_uid=_one_class(series),
    )


def _tags() -> list[Any]:
    return [*COPIED_KEYWORDS, "StudyInstanceUID", "FrameOfReferenceUID", "SpecificCharacterSet"]


def _text_of(dataset: Dataset, keyword: str) -> str:
    """The clean text of an attribute, "" when there is none or an impossible one."""
    kind = COPIED_KEYWORDS[keyword]
    value = _value(dataset, keyword)
    if keyword.startswith("LossyImageCompression"):
        value = value.split("\\")[0]  # compressed several times: the first time stands for all
    clean = one_line(value).replace("\\", "")
    if keyword in _FILED_BY:
        if clean != value or len(clean) > _MAX_LENGTH[kind] or _UNDECODED in clean:
            raise DicomError(
                f"{keyword} is not a possible one: it is too long or holds characters that DICOM does not allow.",
                next_step="Results could be filed under another patient; correct the exam's header first.",
            )
        return clean
    if kind == "PN":
        return _person_name(clean)
    if kind in _POSSIBLE:
        clean = clean.upper() if kind in ("CS", "AS") else clean
        known = bool(_POSSIBLE[kind].fullmatch(clean)) and (keyword != "PatientSex" or clean in _SEXES)
        return clean if known else ""
    return clean[: _MAX_LENGTH[kind]].strip()


def _value(dataset: Dataset, keyword: str) -> str:
    """The decoded value without padding; several values where DICOM knows one are joined as they were written."""
    value = dataset.get(keyword)
    if value is None:
        return ""
    parts = [str(part) for part in value] if isinstance(value, MultiValue) else [str(value)]
    return "\\".join(parts).strip(" \0")


def _person_name(text: str) -> str:
    """Up to three component groups (alphabetic=ideographic=phonetic) of up to five components (PS3.5, 6.2.1)."""
    groups = []
    for group in text.split("=")[:3]:
        cut = "^".join(component.strip() for component in group.split("^")[:5])[: _MAX_LENGTH["PN"]]
        groups.append(cut.rstrip("^ "))
    return "=".join(groups).rstrip("=")


def _text_of_uid(dataset: Dataset, keyword: str, *, needed: bool = True) -> str:
    value = _value(dataset, keyword)
    return _checked_uid(value, keyword) if value or needed else ""


def _checked_uid(value: str, keyword: str) -> str:
    """The UID as it is: real ones with leading zeros must stay so that a PACS recognises them."""
    if not _UID.fullmatch(value):
        raise DicomError(
            f"{keyword} is {'not a possible UID' if value else 'missing'}; a result could not refer to its source.",
            next_step="Export the exam again, or leave out --dicom.",
        )
    return value


def _own_frame_of_reference(series_uid: str) -> str:
    """A frame of reference for a series that names none: the same one each time, and no other series'."""
    digest = hashlib.sha256(f"neurotriage|frame of reference|{series_uid}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _one_class(series: Series) -> str:
    kinds = {str(item.header.get("SOPClassUID", "")) for item in series.instances}
    if len(kinds) > 1:
        raise DicomError("The series holds images of several kinds.", next_step="Leave out --dicom.")
    return _checked_uid(kinds.pop(), "SOPClassUID")
