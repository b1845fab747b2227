"""The coded concepts that the objects use: the standard's where it has one, else our own, named as such."""

from __future__ import annotations

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept

from ...core.codes import FINDING_CODES, OWN_SCHEME


def _dcm(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, "DCM", meaning)


def _sct(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, "SCT", meaning)


def _own(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, OWN_SCHEME, meaning)


# DICOM PS3.16, annex D, and context groups 7150, 7162, 7181
MORPHOLOGICALLY_ABNORMAL = _sct("49755003", "Morphologically Abnormal Structure")
HEAD = _sct("69536005", "Head")
BRAIN = _sct("12738006", "Brain")
PROCEDURES = {
    "CT": _sct("303653007", "Computed tomography of head"),
    "MR": _sct("816077007", "Magnetic resonance imaging of brain"),
}
"""Modality -> what was done."""
DOCUMENT_TITLES = {
    "CT": CodedConcept("24725-4", "LN", "CT Head Report"),
    "MR": CodedConcept("24590-2", "LN", "MRI Head Report"),
}
"""Modality -> title of a document about it (DICOM PS3.16, CID 7000)."""
ARTIFICIAL_INTELLIGENCE = _dcm("123110", "Artificial Intelligence")
PRESENCE = _dcm("121052", "Presence of property")
PRESENT, ABSENT = _dcm("121053", "Present"), _dcm("121054", "Absent")
PRESENCE_UNDETERMINED = _dcm("121059", "Presence Undetermined")
PROBABILITY = _dcm("122157", "Probability")
THRESHOLD = _dcm("122411", "Threshold Value")
VOLUME = _sct("118565006", "Volume")
COMMENT, CONCLUSION = _dcm("121106", "Comment"), _dcm("121077", "Conclusion")
NO_UNITS = CodedConcept("1", "UCUM", "no units")
MILLILITER = CodedConcept("mL", "UCUM", "milliliter")
MILLIMETER = CodedConcept("mm", "UCUM", "millimeter")

# Ours: what no context group has.
ABC2 = _own("ABC2", "ABC/2 (Kwak 1983, Kothari 1996)")
VOXEL_COUNTING = _own("VOXELS", "Sum of the mask's voxels")
A_DIAMETER = _own("ABC2-A", "A of ABC/2: largest diameter")
B_DIAMETER = _own("ABC2-B", "B of ABC/2: largest diameter perpendicular to A")
C_EXTENT = _own("ABC2-C", "C of ABC/2: extent across the slices, graded by area")
PARTS = _own("PARTS", "Number of connected parts")
DOUBT = _own("DOUBT", "Doubt: standard deviation of the systems' probabilities")
AGREEMENT = _own("AGREEMENT", "Do the systems' own answers differ")
AGREE, SPLIT = _own("AGREE", "They agree"), _own("SPLIT", "They differ")
ROLE = _own("ROLE", "Role of this group")
ANSWER, OPINION = _own("ANSWER", "The answer"), _own("OPINION", "One system's opinion that went into the answer")


def finding_concept(code: str) -> CodedConcept:
    """The concept of a finding (core/codes.py): SNOMED CT's, or our own where there is none."""
    entry = FINDING_CODES[code]
    value, meaning = entry.concept
    return CodedConcept(value, entry.scheme, meaning)


def own_scheme() -> CodingSchemeIdentificationItem:
    """Says whose the codes under OWN_SCHEME are."""
    return CodingSchemeIdentificationItem(
        designator=OWN_SCHEME, name="NeuroTriage's own concepts", responsible_organization="NeuroTriage"
    )
