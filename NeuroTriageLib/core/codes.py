"""Finding codes: their names, colours and SNOMED CT terminology, one literal table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ANY = "any"
"""The combined finding: any acute intracranial hemorrhage."""

CT_HEMORRHAGE_CODES = ("IPH", "IVH", "SDH", "EDH", "SAH")
"""Hemorrhage types in label order: voxel value n in a label map is CT_HEMORRHAGE_CODES[n - 1]."""

ABNORMAL, ACUTE_INFARCT, ACUTE_HEMORRHAGE, MASS_EFFECT = "abnormal", "acute_infarct", "acute_hemorrhage", "mass_effect"
MR_CODES = (ABNORMAL, ACUTE_INFARCT, ACUTE_HEMORRHAGE, MASS_EFFECT)
"""Findings on brain MRI (Nael 2021): each is answered by itself, none is a type of another."""


def answered_codes(codes: Iterable[str]) -> tuple[str, ...]:
    """What a system with these codes answers: any hemorrhage before its types; the findings on MRI alone."""
    codes = tuple(codes)
    return codes if codes and set(codes) <= set(MR_CODES) else (ANY, *codes)


OWN_SCHEME = "99NEUROTRIAGE"
"""Coding scheme of what no public terminology has a confirmed concept for (private ones begin with 99: PS3.16, 8.2)."""


@dataclass(frozen=True)
class FindingCode:
    """One finding's names and codes.

    Args:
        code: our short code.
        name: name shown to a reader.
        color_rgb: 0-1, the segment's colour in every output.
        concept: (code value, meaning) of the scheme; that of IVH is not confirmed by an authority.
        scheme: coding scheme of the concept: SNOMED CT ("SCT") or our own.
    """

    code: str
    name: str
    color_rgb: tuple[float, float, float]
    concept: tuple[str, str]
    scheme: str = "SCT"

    def slicer_terminology_entry(self) -> str:
        """The segment tag "TerminologyEntry" in Slicer's serialised form."""
        value, meaning = self.concept
        return (
            "Segmentation category and type - DICOM master list"
            "~SCT^49755003^Morphologically Altered Structure"
            f"~{self.scheme}^{value}^{meaning}~^^"
            "~Anatomic codes - DICOM master list~SCT^12738006^Brain~^^"
        )


FINDING_CODES: dict[str, FindingCode] = {
    entry.code: entry
    for entry in (
        FindingCode("any", "Intracranial hemorrhage", (0.90, 0.10, 0.10), ("1386000", "Intracranial hemorrhage")),
        FindingCode("IPH", "Intraparenchymal hemorrhage", (0.89, 0.10, 0.11), ("274100004", "Cerebral hemorrhage")),
        FindingCode(
            "IVH", "Intraventricular hemorrhage", (1.00, 0.50, 0.00), ("23276006", "Intraventricular hemorrhage")
        ),
        FindingCode("SDH", "Subdural hemorrhage", (0.20, 0.63, 0.17), ("35486000", "Subdural hemorrhage")),
        FindingCode("EDH", "Epidural hemorrhage", (0.12, 0.47, 0.71), ("82999001", "Epidural hemorrhage")),
        # No SNOMED CT concept covers subdural and epidural hemorrhage alone; the next broader one is that of "any".
        FindingCode(
            "SDH+EDH", "Subdural or epidural hemorrhage", (0.10, 0.62, 0.60), ("1386000", "Intracranial hemorrhage")
        ),
        FindingCode("SAH", "Subarachnoid hemorrhage", (0.65, 0.34, 0.84), ("21454007", "Subarachnoid hemorrhage")),
        # Context groups 7194 and 7199 of DICOM PS3.16 hold it; whatever is not normal is a lesion here, large or small.
        FindingCode(ABNORMAL, "Abnormal brain", (0.60, 0.60, 0.60), ("301766008", "Lesion of brain")),
        FindingCode(ACUTE_INFARCT, "Acute infarct", (0.10, 0.75, 0.85), ("432504007", "Cerebral infarction")),
        FindingCode(ACUTE_HEMORRHAGE, "Acute hemorrhage", (0.80, 0.15, 0.35), ("1386000", "Intracranial hemorrhage")),
        # Displaced brain, whatever displaces it: no concept of a public terminology is confirmed.
        FindingCode(
            MASS_EFFECT, "Mass effect", (0.95, 0.75, 0.10), ("MASS-EFFECT", "Brain displaced by a mass"), OWN_SCHEME
        ),
    )
}
