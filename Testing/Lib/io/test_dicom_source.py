"""Whose exam it is: any character set comes out right, nothing harmful is taken over, nobody else's file is guessed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from NeuroTriageLib.core.dicom_source import COPIED_KEYWORDS
from NeuroTriageLib.core.errors import ConfigError, DicomError
from NeuroTriageLib.core.plain_text import one_line
from NeuroTriageLib.io.dicom_source import read_dicom_source
from NeuroTriageLib.io.inputs import open_input
from Testing.Lib.io.dicom_builder import Change, axial, every, without, write_stack


def read(folder, change: Change | None = None):
    """The source of a small series to which the change was made."""
    write_stack(folder, axial(2), change)
    studies = open_input(folder).studies
    return read_dicom_source(studies[0].series[0])


def read_raw(folder, vr: bytes, value: bytes, charset: str = "ISO_IR 192"):
    """The source of a series whose PatientName (PN) or PatientID (LO) are these bytes, possible or not."""
    element, old = {b"PN": (b"\x10\x00\x10\x00", b"Doe^Jane"), b"LO": (b"\x10\x00\x20\x00", b"A-1 ")}[vr]
    value += b" " * (len(value) % 2)
    write_stack(folder, axial(2), every(SpecificCharacterSet=charset))
    for path in folder.iterdir():
        before = element + vr + len(old).to_bytes(2, "little") + old
        after = element + vr + len(value).to_bytes(2, "little") + value
        content = path.read_bytes()
        assert content.count(before) == 1
        path.write_bytes(content.replace(before, after))
    return read_dicom_source(open_input(folder).studies[0].series[0])


NAMES = {
    "ISO_IR 100": "Müller^Jörg",
    "ISO_IR 144": "Люкceмбypг",
    "ISO_IR 192": "Wang^XiaoDong=王^小东",
    "GB18030": "Wang^XiaoDong=王^乗东",  # in GB18030 the second character holds the byte of a backslash
    "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
}


@pytest.mark.parametrize("charset", NAMES)
def test_names_in_any_character_set_are_read_as_they_are_written(charset, tmp_path):
    change = every(SpecificCharacterSet=charset.split("\\"), PatientName=NAMES[charset])
    assert read(tmp_path, change).header["PatientName"] == NAMES[charset]


def test_a_damaged_name_stays_visibly_damaged(tmp_path):
    source = read_raw(tmp_path, b"PN", b"M\xfcller^J\xf6rg")
    assert source.header["PatientName"].count("\ufffd") == 2


def test_only_listed_attributes_are_taken_over(tmp_path):
    def change(k, item):
        item.PatientComments, item.PatientAddress, item.OperatorsName = "secret", "secret", "secret"
        item.private_block(0x0009, "SECRET", create=True).add_new(1, "LO", "secret")
        item.StudyDescription = "Head"

    header = read(tmp_path, change).header
    assert header["StudyDescription"] == "Head"
    assert set(header) <= set(COPIED_KEYWORDS) and "secret" not in "".join(header.values())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Doe^Jane\x1b[31m\x00\r\nmalice", "Doe^Jane[31m  malice"),
        ("Doe^\u202eenaJ\u202c", "Doe^enaJ"),
        ("a" * 10_000, "a" * 64),
        ("=".join(["b" * 10_000] * 5), "=".join(["b" * 64] * 3)),
        ("<script>alert(1)</script>^Jane", "<script>alert(1)</script>^Jane"),
        ("^^^^", ""),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_hostile_name_becomes_a_possible_one(name, expected, tmp_path):
    assert read_raw(tmp_path, b"PN", name.encode()).header.get("PatientName", "") == expected


@pytest.mark.parametrize("patient_id", ["x" * 65, "A\nB", "A\\B", "A\u202eB"])
@pytest.mark.filterwarnings("ignore")
def test_an_id_that_cannot_be_kept_is_refused_rather_than_cut(patient_id, tmp_path):
    with pytest.raises(DicomError, match="PatientID") as refused:
        read_raw(tmp_path, b"LO", patient_id.encode())
    assert patient_id not in refused.value.message()


def test_missing_patient_tags_are_unknown_and_no_error(tmp_path):
    source = read(tmp_path, without("PatientName", "PatientID", "StudyDate"))
    assert "PatientName" not in source.header and "PatientID" not in source.header


@pytest.mark.filterwarnings("ignore")
def test_impossible_dates_and_codes_count_as_unknown(tmp_path):
    header = read(tmp_path, every(PatientBirthDate="00000000", PatientSex="X", StudyTime="99")).header
    assert not {"PatientBirthDate", "PatientSex", "StudyTime"} & set(header)


def test_a_series_without_frame_of_reference_gets_the_same_own_one_each_time(tmp_path):
    stack = axial(2)
    uids = set()
    for name in ("a", "b"):
        write_stack(tmp_path / name, stack, without("FrameOfReferenceUID"))
        uids.add(read_dicom_source(open_input(tmp_path / name).studies[0].series[0]).frame_of_reference_uid)
    assert len(uids) == 1 and uids.pop().startswith("2.25.")


@pytest.mark.parametrize("uid", ["", "../../etc", "1.2\x00;drop"])
@pytest.mark.filterwarnings("ignore")
def test_a_series_whose_images_cannot_be_referred_to_is_refused(uid, tmp_path):
    write_stack(tmp_path, axial(2))
    series = open_input(tmp_path).studies[0].series[0]
    broken = tuple(replace(item, sop_instance_uid=uid) for item in series.instances)
    with pytest.raises(DicomError, match="SOPInstanceUID"):
        read_dicom_source(replace(series, instances=broken))


def test_a_nifti_file_is_one_clear_error(tmp_path):
    write_stack(tmp_path, axial(2))
    series = open_input(tmp_path).studies[0].series[0]
    with pytest.raises(ConfigError, match="NIFTI file does not say which patient"):
        read_dicom_source(replace(series, file_format="nifti"))


def test_lossy_compression_is_kept(tmp_path):
    lossy = {"LossyImageCompressionRatio": [12.5, 3.0], "LossyImageCompressionMethod": ["ISO_10918_1", "ISO_15444_1"]}
    header = read(tmp_path, every(LossyImageCompression="01", **lossy)).header
    kept = [header[key] for key in ("LossyImageCompression", *lossy)]
    assert kept == ["01", "12.5", "ISO_10918_1"]


def test_the_source_shows_no_patient_when_it_is_printed(tmp_path):
    assert "Doe" not in repr(read(tmp_path))


def test_one_line_keeps_letters_of_every_script_and_drops_controls():
    assert one_line("a\u0000b\tc\u2028d é 王 ب\u200cب\u202e") == "ab c d é 王 ب\u200cب"
