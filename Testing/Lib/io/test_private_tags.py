"""Vendors' private elements give the standard's diffusion attributes, whatever state their values are in."""

from __future__ import annotations

import struct

import pytest
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from NeuroTriageLib.io.dicom_headers import PatientKeys, quiet_pydicom, read_header
from NeuroTriageLib.io.private_tags import comment_values
from Testing.Lib.io.dicom_builder import axial, slices

VENDORS = {
    "Siemens": ((0x0019, "SIEMENS MR HEADER"), [(0x0C, "IS", "1000"), (0x0D, "CS", "DIRECTIONAL")], "DIRECTIONAL"),
    "GE": ((0x0043, "GEMS_PARM_01"), [(0x39, "IS", [1000001000, 8, 0, 0]), (0x30, "SS", 15)], "ISOTROPIC"),
    "Philips": ((0x2001, "Philips Imaging DD 001"), [(0x03, "FL", 1000.0), (0x04, "CS", "I")], "ISOTROPIC"),
    "UIH": ((0x0065, "Image Private Header"), [(0x09, "FD", 1000.0)], None),
}


def header_of(tmp_path, vendor: str, *, implicit: bool = False, **tags) -> dict:
    """The plain header of a file with the vendor's private elements."""
    (group, creator), elements, _ = VENDORS[vendor]
    item = slices(axial(1))[0]
    item.Modality = "MR"
    block = item.private_block(group, creator, create=True)
    for element, representation, value in elements:
        block.add_new(element, representation, value)
    for keyword, value in tags.items():
        setattr(item, keyword, value)
    path = tmp_path / f"{generate_uid()}.dcm"
    if implicit:
        item.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    item.save_as(path, enforce_file_format=True)
    with quiet_pydicom():
        parsed = read_header(path, PatientKeys())
    assert parsed is not None
    return parsed.instances[0].header


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("vendor", VENDORS)
def test_each_vendors_b_value_and_direction_are_read_also_when_their_representation_is_lost(tmp_path, vendor, implicit):
    header = header_of(tmp_path, vendor, implicit=implicit)
    assert header["DiffusionBValue"] == pytest.approx(1000)
    assert header.get("DiffusionDirectionality") == VENDORS[vendor][2]


def test_the_standards_own_attribute_comes_first(tmp_path):
    assert header_of(tmp_path, "Philips", DiffusionBValue=500.0)["DiffusionBValue"] == 500


@pytest.mark.parametrize("value", [1e37, -1.0, float("nan")])
def test_a_value_that_means_nothing_is_left_out(tmp_path, monkeypatch, value):
    monkeypatch.setitem(VENDORS, "Philips", (VENDORS["Philips"][0], [(0x03, "FL", value)], None))
    assert "DiffusionBValue" not in header_of(tmp_path, "Philips")


def test_elements_of_another_creator_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setitem(VENDORS, "Siemens", ((0x0019, "SOMEBODY ELSE"), VENDORS["Siemens"][1], None))
    assert "DiffusionBValue" not in header_of(tmp_path, "Siemens")


def test_ge_marks_the_image_without_weighting_in_a_weighted_series(tmp_path, monkeypatch):
    elements = [(0x39, "IS", [1000, 8, 0, 0]), (0x30, "SS", 14)]
    monkeypatch.setitem(VENDORS, "GE", (VENDORS["GE"][0], elements, None))
    assert header_of(tmp_path, "GE")["DiffusionBValue"] == 0


def test_ct_headers_hold_none_of_it(tmp_path):
    assert "DiffusionBValue" not in header_of(tmp_path, "Siemens", Modality="CT")


def test_comments_are_read_for_what_scanners_write_and_are_not_kept(tmp_path):
    assert comment_values("b=1500(0.445,0.000,0.895)") == {
        "DiffusionBValue": 1500,
        "DiffusionDirectionality": "DIRECTIONAL",
    }
    assert comment_values("Single-band reference; x") == {"SingleBandReference": True}
    assert comment_values("Mrs Doe moved") == {}
    header = header_of(tmp_path, "UIH", ImageComments="Mrs Doe, single-band reference")
    assert header["SingleBandReference"] is True and "Doe" not in str(header)


def test_bytes_of_an_unknown_representation_are_numbers_when_they_can_be():
    from NeuroTriageLib.io.private_tags import PRIVATE_ELEMENTS

    read = next(item.read for item in PRIVATE_ELEMENTS if item.keyword == "DiffusionBValue")
    assert read(b"1000 ") == 1000 and read(struct.pack("<d", 800.0)) == 800
    assert read(b"abc") is None and read(b"") is None
