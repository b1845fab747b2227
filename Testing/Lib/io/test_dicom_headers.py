"""Headers: files without a preamble, directories, damaged files, and no trace of the patient."""

from __future__ import annotations

import json

import pytest

from NeuroTriageLib.core.errors import DicomError, GeometryError
from NeuroTriageLib.io.dicom_headers import PatientKeys, is_dicom, quiet_pydicom, read_header
from NeuroTriageLib.io.inputs import open_input, read_volume
from Testing.Lib.io.dicom_builder import axial, every, slices, write_stack


def test_the_header_holds_no_name_and_no_id_of_the_patient(tmp_path):
    with open_input(write_stack(tmp_path, axial(), every(PatientName="Doe^Jane", PatientID="A-1"))) as (study,):
        kept = json.dumps([item.header for item in study.series[0].instances])
    assert "Doe" not in kept and "A-1" not in kept
    assert study.patient_key and "Doe" not in study.patient_key and "A-1" not in study.patient_key


def test_the_key_is_the_same_for_one_patient_and_differs_between_patients():
    assert PatientKeys().key("A-1", "Doe^Jane") == PatientKeys().key(" A-1", "DOE^JANE^")
    keys = {PatientKeys().key(*who) for who in [("A-1", "Doe^Jane"), ("A-2", "Doe^Jane"), ("A-1", "Roe^Jane")]}
    assert len(keys) == 3
    assert PatientKeys().key("", "") == ""


def test_files_without_preamble_and_meta_information_are_read(tmp_path):
    stack = axial()
    for k, item in enumerate(slices(stack)):
        del item.file_meta
        item.save_as(tmp_path / f"IM{k}", implicit_vr=True, little_endian=True)
        assert (tmp_path / f"IM{k}").read_bytes()[128:132] != b"DICM"
    with open_input(tmp_path) as (study,):
        volume, _ = read_volume(study.series[0])
    assert (volume.array_kji == stack.values()).all()


@pytest.mark.parametrize("start", [b"", b"Dear colleague", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"\x1f\x8b\x08"])
def test_other_files_are_no_dicom(start):
    assert not is_dicom(start + bytes(100))


def test_a_dicomdir_is_skipped(tmp_path):
    folder = write_stack(tmp_path, axial())
    (item,) = slices(axial(count=1))
    item.file_meta.MediaStorageSOPClassUID = item.SOPClassUID = "1.2.840.10008.1.3.10"
    item.save_as(folder / "DICOMDIR", enforce_file_format=True)
    opened = open_input(folder)
    assert [(skipped.path.name, skipped.reason) for skipped in opened.skipped] == [("DICOMDIR", "a DICOM directory")]
    assert len(opened.studies) == 1


def test_a_header_without_a_series_uid_is_refused(tmp_path):
    (item,) = slices(axial(count=1))
    del item.SeriesInstanceUID
    item.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with quiet_pydicom(), pytest.raises(DicomError, match="no DICOM series UID"):
        read_header(tmp_path / "a.dcm", PatientKeys())


def test_numbers_that_break_the_standard_count_as_missing(tmp_path):
    (path,) = write_stack(tmp_path, axial(count=1)).iterdir()
    path.write_bytes(path.read_bytes().replace(b"-3.0", b"-3,0"))
    with open_input(path) as (study,), pytest.raises(GeometryError, match="position"):
        read_volume(study.series[0])


def test_an_absurd_number_of_frames_is_refused(tmp_path):
    (path,) = write_stack(tmp_path, axial(count=1), every(NumberOfFrames=2_000_000_000)).iterdir()
    with pytest.raises(DicomError, match="2000000000 frames"):
        open_input(path)


def test_a_position_that_was_cut_to_one_number_is_no_position(tmp_path):
    folder = write_stack(tmp_path, axial(), lambda k, item: setattr(item, "ImagePositionPatient", -110.0))
    with open_input(folder) as (study,), pytest.raises(GeometryError, match="position"):
        read_volume(study.series[0])


def test_several_values_where_the_standard_has_one_count_as_missing(tmp_path):
    twice = every(FrameOfReferenceUID=["1.2.3", "1.2.4"], PatientPosition=["HFS", "FFS"], SeriesDescription="A\\B")
    with open_input(write_stack(tmp_path, axial(), twice)) as (study,):
        (series,) = study.series
        header = series.instances[0].header
    assert not header.keys() & {"FrameOfReferenceUID", "PatientPosition"}
    assert header["SeriesDescription"] == ["A", "B"]


@pytest.mark.parametrize("depth", [3, 3000])
def test_sequences_in_sequences_that_end_in_nowhere_are_damage(tmp_path, depth):
    (path,) = write_stack(tmp_path, axial(count=1)).iterdir()
    nest = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * depth
    content = path.read_bytes()
    body = 144 + int.from_bytes(content[140:144], "little")  # behind preamble, prefix and file meta information
    path.write_bytes(content[:body] + nest[:-4])
    with quiet_pydicom(), pytest.raises(DicomError, match="damaged"):
        read_header(path, PatientKeys())


def test_a_damaged_file_among_good_ones_is_flagged_on_their_series(tmp_path):
    folder = write_stack(tmp_path, axial())
    victim = sorted(folder.iterdir())[11]
    victim.write_bytes(victim.read_bytes()[:140] + b"\x08\x00\x18")
    with open_input(folder) as (study,):
        (series,) = study.series
        assert len(series.instances) == 11
        assert {flag.code for flag in series.flags} == {"damaged_files"}
