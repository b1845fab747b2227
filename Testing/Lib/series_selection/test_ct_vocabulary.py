"""Words and kernel names that sites and vendors really use."""

from __future__ import annotations

import pytest

from NeuroTriageLib.series_selection.ct_vocabulary import body_part_said, contrast_said, kernel_sharpness, says_bone


@pytest.mark.parametrize(
    ("vendor", "kernel", "expected"),
    [
        ("SIEMENS", "H31s", "soft"),
        ("SIEMENS", "H40f", "soft"),
        ("SIEMENS", "J40s", "soft"),
        ("Siemens Healthineers", "Hr38", "soft"),
        ("SIEMENS", "B31s", "soft"),
        ("SIEMENS", "H60s", "sharp"),
        ("SIEMENS", "H70h", "sharp"),
        ("SIEMENS", "Hr68", "sharp"),
        ("SIEMENS", "U90u", "sharp"),
        ("SIEMENS", "J37s 3", "soft"),
        ("GE MEDICAL SYSTEMS", "STANDARD", "soft"),
        ("GE MEDICAL SYSTEMS", "STD+", "soft"),
        ("GE MEDICAL SYSTEMS", "SOFT", "soft"),
        ("GE MEDICAL SYSTEMS", "BONE", "sharp"),
        ("GE MEDICAL SYSTEMS", "BONEPLUS", "sharp"),
        ("GE MEDICAL SYSTEMS", "EDGE", "sharp"),
        ("GE MEDICAL SYSTEMS", "LUNG", "sharp"),
        ("GE MEDICAL SYSTEMS", "DETAIL", "unknown"),
        ("Philips", "UB", "soft"),
        ("Philips", "UA", "soft"),
        ("Philips", "B", "soft"),
        ("Philips", "D", "sharp"),
        ("Philips", "YD", "sharp"),
        ("TOSHIBA", "FC21", "soft"),
        ("TOSHIBA", "FC26", "soft"),
        ("TOSHIBA", "FC64", "soft"),
        ("TOSHIBA", "FC30", "sharp"),
        ("CANON_MEC", "FC81", "sharp"),
        ("", "H30s", "soft"),
        ("Hitachi", "Brain", "soft"),
        ("NeuroLogica", "Sharp Bone", "sharp"),
        ("SIEMENS", "", "unknown"),
        ("Philips", "", "unknown"),
        ("", "77", "unknown"),
    ],
)
def test_kernels(vendor, kernel, expected):
    assert kernel_sharpness(vendor, kernel) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CT HEAD W/O CONTRAST", "without"),
        ("CT HEAD WITHOUT CONTRAST", "without"),
        ("CT Head WO", "without"),
        ("HEAD_W/O", "without"),
        ("Head non contrast 5mm", "without"),
        ("NONCON HEAD", "without"),
        ("NCCT brain", "without"),
        ("Schaedel nativ", "without"),
        ("Kopf ohne KM", "without"),
        ("crane sans injection", "without"),
        ("CT HEAD UNENHANCED", "without"),
        ("Head C-", "without"),
        ("CT NECK SOFT TISSUE  W/ CONTR", "with"),
        ("CT HEAD W CONTRAST", "with"),
        ("CT HEAD WITH IV CONTRAST", "with"),
        ("HEAD +C", "with"),
        ("Brain C+", "with"),
        ("CTA HEAD AND NECK", "with"),
        ("Carotid Angio 1.0", "with"),
        ("CT PERFUSION", "with"),
        ("CTP 5.0", "with"),
        ("post contrast", "with"),
        ("Schaedel nach KM", "with"),
        ("CECT", "with"),
        ("CT HEAD W/WO CONTRAST", "both"),
        ("CT HEAD W & W/O", "both"),
        ("CT BRAIN WITH AND WITHOUT CONTRAST", "both"),
        ("HEAD 5.0 H31S", "unknown"),
        ("POST FOSSA 2.5", "unknown"),
        ("post op check", "unknown"),
        ("Head with tilt", "unknown"),
        ("CEREBRUM", "unknown"),
        ("Series No 5", "unknown"),
        ("NO CONTRAST", "without"),
        ("sin contraste", "without"),
        ("con contraste", "with"),
        ("Native", "without"),
        ("", "unknown"),
    ],
)
def test_contrast_words(text, expected):
    assert contrast_said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HEAD", "head"),
        ("CT BRAIN", "head"),
        ("Neuro Head 5.0", "head"),
        ("Schädel", "head"),
        ("CRANEO", "head"),
        ("Neck 1.0 B31s", "other"),
        ("C-SPINE", "other"),
        ("Sinus", "other"),
        ("Temporal bone", "other"),
        ("CT HEAD AND CERVICAL SPINE", "both"),
        ("5mm Std", "unknown"),
        ("CHIP", "unknown"),
        ("", "unknown"),
    ],
)
def test_body_parts(text, expected):
    assert body_part_said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Head bone 1mm", True), ("KNOCHEN", True), ("Bone_Algo", True), ("facial bones std", False), ("Head 5.0", False)],
)
def test_bone_words(text, expected):
    assert says_bone(text) is expected
