"""DicomSource: whose exam and which images a result in DICOM belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field

COPIED_KEYWORDS = {
    # Patient (DICOM PS3.3, C.7.1.1) and Patient Study (C.7.2.2)
    **{"PatientName": "PN", "PatientID": "LO", "IssuerOfPatientID": "LO", "PatientBirthDate": "DA"},
    **{"PatientSex": "CS", "PatientAge": "AS", "PatientIdentityRemoved": "CS", "DeidentificationMethod": "LO"},
    # General Study (C.7.2.1)
    **{"StudyDate": "DA", "StudyTime": "TM", "StudyID": "SH", "StudyDescription": "LO"},
    **{"AccessionNumber": "SH", "ReferringPhysicianName": "PN"},
    # Frame of Reference (C.7.4.1)
    "PositionReferenceIndicator": "LO",
    # General Image (C.7.6.1.1.5): what was once compressed with loss must say so for ever
    **{"LossyImageCompression": "CS", "LossyImageCompressionRatio": "DS", "LossyImageCompressionMethod": "CS"},
}
"""Keyword -> value representation of all that a result takes over from its source, besides UIDs.

What is not named here is never copied: no private tags, comments, addresses or operators' names.
"""


@dataclass(frozen=True)
class DicomSource:
    """What the headers of the series that was read say about patient, study and images.

    It names the patient. It goes from the reader to the writer of DICOM objects alone, and into no message, no
    findings.json and no report.html.

    Args:
        header: keyword of COPIED_KEYWORDS -> clean text as its value representation wants it; absent when unknown.
        study_instance_uid, series_instance_uid, frame_of_reference_uid: of the series; never empty.
        sop_class_uid: of its images.
    """

    header: dict[str, str] = field(repr=False)
    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str
    sop_class_uid: str
