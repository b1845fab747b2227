"""A SeriesInstanceUID becomes stacks of slices: duplicates, scouts, repeats and mixed patients are told apart."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.uid import generate_uid

from NeuroTriageLib.core.errors import DicomError
from NeuroTriageLib.io.inputs import open_input, read_volume
from Testing.Lib.io.dicom_builder import CtStack, axial, every, shifted, slices, write, write_stack


def series_of(path):
    """All series below a folder, largest first, without reading pixels."""
    with open_input(path) as studies:
        return sorted((s for study in studies for s in study.series), key=lambda s: -len(s.instances))


def codes(series):
    return {flag.code for flag in series.flags}


def test_a_file_that_is_there_twice_is_used_once_and_flagged(tmp_path):
    items = slices(axial())
    write(tmp_path / "a", items)
    write(tmp_path / "b", items[:3])
    (series,) = series_of(tmp_path)
    volume, flags = read_volume(series)
    assert volume.grid.shape_kji[0] == 12
    assert np.array_equal(volume.array_kji, axial().values())
    assert [flag.value for flag in flags if flag.code == "duplicate_slices"] == [3.0]


def test_images_of_one_place_that_nothing_tells_apart_are_used_once_and_flagged(tmp_path):
    items = slices(axial()) + slices(axial())[4:6]
    for item in items:
        item.SeriesInstanceUID, item.StudyInstanceUID = items[0].SeriesInstanceUID, items[0].StudyInstanceUID
    (series,) = series_of(write(tmp_path, items))
    assert len(series.instances) == 12 and codes(series) == {"duplicate_slices"}


def test_two_acquisitions_of_one_place_become_two_stacks(tmp_path):
    stack = axial()
    repeat = CtStack(
        stack.origins_lps_mm[:8], study_uid=stack.study_uid, series_uid=stack.series_uid, tags={"AcquisitionNumber": 2}
    )
    write(tmp_path / "first", slices(stack))
    write(tmp_path / "second", slices(repeat))
    first, second = series_of(tmp_path)
    assert (len(first.instances), len(second.instances)) == (12, 8)
    assert first.series_instance_uid == second.series_instance_uid
    assert codes(first) == codes(second) == {"split_series"}


def test_acquisition_numbers_that_differ_from_slice_to_slice_split_nothing(tmp_path):
    def change(k, item):
        item.AcquisitionNumber = k // 2

    (series,) = series_of(write_stack(tmp_path, axial(), change))
    assert len(series.instances) == 12 and not series.flags


def test_a_scout_under_the_same_series_uid_is_a_stack_of_its_own(tmp_path):
    stack = axial()
    scout = shifted(
        axial(count=1), study_uid=stack.study_uid, series_uid=stack.series_uid, directions=((0, 1, 0), (0, 0, -1))
    )
    write(tmp_path / "axial", slices(stack))
    write(tmp_path / "scout", slices(scout), every(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    assert [len(series.instances) for series in series_of(tmp_path)] == [12, 1]


@pytest.mark.parametrize(
    "values",
    [{"shape_ji": (8, 8)}, {"spacing_ji_mm": (0.4, 0.4)}, {"tags": {"ConvolutionKernel": "H60s"}}],
    ids=["matrix", "pixel spacing", "kernel"],
)
def test_images_that_cannot_lie_in_one_grid_are_told_apart(values, tmp_path):
    stack = axial()
    other = axial(count=5, study_uid=stack.study_uid, series_uid=stack.series_uid, **values)
    write(tmp_path / "a", slices(stack))
    write(tmp_path / "b", slices(other))
    assert [len(series.instances) for series in series_of(tmp_path)] == [12, 5]


def test_rounded_direction_cosines_split_nothing(tmp_path):
    def change(k, item):
        item.ImageOrientationPatient = [1, 0, 0, 0, 1, 0.0005 * (k % 3)]

    assert len(series_of(write_stack(tmp_path, axial(), change))) == 1


def test_mixed_patients_in_one_series_are_refused_without_naming_them(tmp_path):
    def change(k, item):
        if k > 5:
            item.PatientID, item.PatientName = "B-2", "Roe^Richard"

    with pytest.raises(DicomError, match="2 patients") as caught:
        open_input(write_stack(tmp_path, axial(), change))
    assert not any(word in caught.value.message() for word in ("Roe", "Doe", "A-1", "B-2"))


def test_a_name_written_in_another_way_is_the_same_patient(tmp_path):
    def change(k, item):
        item.PatientName = "Doe^Jane" if k % 2 else "DOE^JANE^^"

    assert len(series_of(write_stack(tmp_path, axial(), change))) == 1


def test_several_studies_come_apart_oldest_first(tmp_path):
    for date in ("20240301", "20230101", "20240201"):
        write_stack(tmp_path / date, axial(), every(StudyDate=date))
    with open_input(tmp_path) as studies:
        assert [study.study_date for study in studies] == ["20230101", "20240201", "20240301"]
        assert len({study.study_instance_uid for study in studies}) == 3


def test_series_of_one_study_come_in_the_order_of_their_numbers(tmp_path):
    study = generate_uid()
    for number in (5, 2, 9):
        write_stack(tmp_path / str(number), axial(study_uid=study), every(SeriesNumber=number))
    with open_input(tmp_path) as (opened,):
        assert [series.header["SeriesNumber"] for series in opened.series] == [2, 5, 9]


def test_one_place_where_two_scan_ranges_meet_does_not_tear_the_head_apart(tmp_path):
    items = slices(axial())
    lower, upper = items[:6], items[5:]
    (again,) = slices(axial(count=1))
    again.ImagePositionPatient, again.AcquisitionNumber = items[5].ImagePositionPatient, 2
    again.SeriesInstanceUID, again.StudyInstanceUID = items[0].SeriesInstanceUID, items[0].StudyInstanceUID
    for item in upper[1:]:
        item.AcquisitionNumber, item.SliceThickness = 2, 8.0
    (series,) = series_of(write(tmp_path, [*lower, again, *upper[1:]]))
    assert len(series.instances) == 12 and codes(series) == {"duplicate_slices"}


def test_a_frame_of_reference_of_its_own_for_each_image_splits_nothing(tmp_path):
    def change(k, item):
        item.FrameOfReferenceUID = generate_uid()

    assert len(series_of(write_stack(tmp_path, axial(), change))) == 1


def test_a_missing_slice_leaves_its_place_empty(tmp_path):
    items = slices(axial())
    del items[6]
    (series,) = series_of(write(tmp_path, items))
    volume, _ = read_volume(series)
    assert volume.grid.slice_spacings_mm == pytest.approx([5, 5, 5, 5, 5, 10, 5, 5, 5, 5])
