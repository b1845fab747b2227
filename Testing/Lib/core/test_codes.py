"""Finding codes: one entry per type, SNOMED CT codes, and Slicer's serialised terminology."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from NeuroTriageLib.core.codes import ANY, CT_HEMORRHAGE_CODES, FINDING_CODES, MR_CODES, OWN_SCHEME
from NeuroTriageLib.core.opinions import SDH_OR_EDH

# SNOMED CT concepts and their meaning, from public sources and not from our table; the one of IVH is still unconfirmed.
SNOMED = {
    "any": "1386000",  # Intracranial hemorrhage (disorder)
    "IPH": "274100004",  # Cerebral hemorrhage (disorder)
    "IVH": "23276006",  # Ventricular hemorrhage (disorder)
    "SDH": "35486000",  # Subdural intracranial hemorrhage (disorder)
    "EDH": "82999001",  # Epidural intracranial hemorrhage (disorder)
    "SDH+EDH": "1386000",  # no concept for the two together: the broader one of "any"
    "SAH": "21454007",  # Subarachnoid intracranial hemorrhage (disorder)
    "abnormal": "301766008",  # Lesion of brain (finding)
    "acute_infarct": "432504007",  # Cerebral infarction (disorder)
    "acute_hemorrhage": "1386000",  # Intracranial hemorrhage (disorder)
}


def test_every_type_and_any_has_an_entry():
    assert set(FINDING_CODES) == {ANY, *CT_HEMORRHAGE_CODES, SDH_OR_EDH, *MR_CODES}


def test_what_has_no_snomed_concept_has_one_of_our_own_scheme():
    assert set(FINDING_CODES) - SNOMED.keys() == {"mass_effect"}
    assert FINDING_CODES["mass_effect"].scheme == OWN_SCHEME and OWN_SCHEME.startswith("99")


@pytest.mark.parametrize("code", SNOMED)
def test_the_snomed_code_is_the_concepts_own(code):
    assert FINDING_CODES[code].scheme == "SCT"
    assert FINDING_CODES[code].concept[0] == SNOMED[code]


@pytest.mark.parametrize("code", SNOMED)
def test_the_snomed_code_has_a_right_check_digit(code):
    value = FINDING_CODES[code].concept[0]
    assert verhoeff(value) == 0
    assert verhoeff(value[:-1] + str((int(value[-1]) + 1) % 10)) != 0


def verhoeff(digits: str) -> int:
    """0 for a right SNOMED CT identifier (Verhoeff 1969: permutations, then products in the dihedral group of ten)."""
    first = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    check = 0
    for place, character in enumerate(reversed(digits)):
        digit = int(character)
        for _ in range(place % 8):
            digit = first[digit]
        turned = check >= 5
        turn = -(digit % 5) if turned else digit % 5
        check = (check % 5 + turn) % 5 + (5 if turned != (digit >= 5) else 0)
    return check


def test_pydicoms_dictionary_knows_the_combined_finding():
    assert codes.SCT.IntracranialHemorrhage.value == SNOMED[ANY]
    assert codes.SCT.IntracranialHemorrhage.meaning.startswith(FINDING_CODES[ANY].concept[1])


@pytest.mark.parametrize("code", FINDING_CODES)
def test_slicers_terminology_entry_has_its_seven_parts(code):
    parts = FINDING_CODES[code].slicer_terminology_entry().split("~")
    assert len(parts) == 7
    assert parts[0] == "Segmentation category and type - DICOM master list"
    assert parts[4] == "Anatomic codes - DICOM master list"
    category, kind, kind_modifier, region, region_modifier = (parts[n].split("^") for n in (1, 2, 3, 5, 6))
    assert category == ["SCT", "49755003", "Morphologically Altered Structure"]
    assert kind[:2] == [FINDING_CODES[code].scheme, SNOMED.get(code, "MASS-EFFECT")]
    assert region == ["SCT", "12738006", "Brain"]
    assert kind_modifier == region_modifier == ["", "", ""]


def test_colours_are_in_range_and_tell_the_findings_apart():
    colors = [entry.color_rgb for entry in FINDING_CODES.values()]
    assert all(0.0 <= channel <= 1.0 for color in colors for channel in color)
    assert len(set(colors)) == len(colors)
