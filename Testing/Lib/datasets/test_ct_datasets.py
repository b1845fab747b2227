"""What is peculiar to each public data set of head CT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.errors import GeometryError, InputError
from NeuroTriageLib.datasets.labelled_case import LabelledCt
from NeuroTriageLib.datasets.registry import open_dataset
from NeuroTriageLib.review.labels import SEGMENT_VALUES
from Testing.Lib.datasets import ct_miniatures as made


def cases(name: str, root: Path) -> dict[str, LabelledCt]:
    """Last part of a case's name -> the case."""
    return {case.name.rpartition("/")[2]: case.read() for case in open_dataset(name).cases(root)}


def blood(case: LabelledCt, code: str) -> np.ndarray:
    return case.label_kji == SEGMENT_VALUES[code]


def error_of(name: str, root: Path) -> str:
    return " | ".join(open_dataset(name).check(root).errors)


# BHSD


def test_bhsd_label_1_is_epidural_and_turned_masks_lie_on_their_image(tmp_path):
    case = next(iter(cases("bhsd", made.bhsd(tmp_path)).values()))
    assert np.array_equal(blood(case, "EDH"), made.BLOOD)
    assert case.volume.grid.same_as(made.GRID)  # from the qform: the sform is not set
    assert case.exam_presence() == dict.fromkeys(CT_HEMORRHAGE_CODES, False) | {"any": True, "EDH": True}


def test_bhsd_every_label_value_has_its_own_type(tmp_path):
    root = made.bhsd(tmp_path)
    name = f"ID_{made.PATIENTS[1]}_ID_f91d6a7cd1"
    values = np.zeros(made.SHAPE, np.uint16)
    values[6, 20, 10:15] = [1, 2, 3, 4, 5]
    made.nifti(root / "label_192" / "ground truths" / f"{name}.nii.gz", values)
    label = cases("bhsd", root)[name].label_kji
    codes = {value: code for code, value in SEGMENT_VALUES.items()}
    assert [codes[int(value)] for value in label[6, 20, 10:15]] == ["EDH", "IPH", "IVH", "SAH", "SDH"]
    values[6, 20, 16] = 6
    made.nifti(root / "label_192" / "ground truths" / f"{name}.nii.gz", values)
    with pytest.raises(InputError, match="without a meaning: 6"):
        cases("bhsd", root)


def test_bhsd_exams_without_masks_say_only_whether_they_bleed(tmp_path):
    every = cases("bhsd", made.bhsd(tmp_path))
    bleeding, other = list(every.values())[2:]
    assert bleeding.exam_presence() == {"any": True} and bleeding.label_kji is None
    assert other.exam_presence() == dict.fromkeys(("any", *CT_HEMORRHAGE_CODES), False)


def test_bhsd_and_rsna_share_their_patients(tmp_path):
    bhsd = {case.patient for case in open_dataset("bhsd").cases(made.bhsd(tmp_path / "bhsd"))}
    rsna = {case.patient for case in open_dataset("rsna2019").cases(made.rsna2019(tmp_path / "rsna"))}
    assert rsna == {f"rsna2019:ID_{patient}" for patient in made.PATIENTS[:2]} and rsna < bhsd


def test_bhsd_says_which_mask_is_missing_and_which_file_is_cut_off(tmp_path):
    root = made.bhsd(tmp_path)
    first, second = sorted((root / "label_192" / "ground truths").iterdir())
    first.unlink()
    made.cut_off(second)
    said = error_of("bhsd", root)
    assert f"Images without a mask (1: {first.name.removesuffix('.nii.gz')})" in said
    assert "The NIfTI file is truncated or damaged (1:" in said


def test_a_mask_that_lies_elsewhere_is_refused(tmp_path):
    root = made.instance2022(tmp_path)
    moved = made.AFFINE_LPS.copy()
    moved[0, 3] += 50
    made.nifti(root / "train_2" / "label" / "001.nii.gz", made.BLOOD.astype(np.uint8), affine_lps=moved)
    assert "The mask does not lie on the voxels of its image (1: 001)" in error_of("instance2022", root)
    with pytest.raises(GeometryError, match="does not lie on the voxels"):
        cases("instance2022", root)


# PhysioNet CT-ICH


@pytest.fixture
def only_three(monkeypatch):
    monkeypatch.setattr("NeuroTriageLib.datasets.ct_ich.NUMBERS", (49, 50, 66))


def test_ct_ich_takes_the_type_from_the_table_where_a_slice_has_one_alone(tmp_path):
    every = cases("ct-ich", made.ct_ich(tmp_path))
    assert np.array_equal(blood(every["049"], "SDH"), made.BLOOD)  # the mask is 0 and 255
    assert np.array_equal(blood(every["050"], "any"), made.BLOOD)
    assert every["049"].has_types and not every["050"].has_types
    shown = every["050"].slice_presence()
    assert np.array_equal(shown["SDH"], made.SHOWN) and np.array_equal(shown["SAH"], made.SHOWN)
    assert not shown["IPH"].any() and not every["066"].exam_presence()["any"]


def test_ct_ich_slices_count_from_one(tmp_path):
    case = cases("ct-ich", made.ct_ich(tmp_path))["049"]
    assert np.array_equal(case.slice_presence()["any"], made.SHOWN)


def test_ct_ich_types_are_not_used_when_the_table_lacks_slices(tmp_path):
    root = made.ct_ich(tmp_path)
    table = root / "hemorrhage_diagnosis_raw_ct.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-3]) + "\n")
    case = cases("ct-ich", root)["066"]
    assert set(case.slices) == {"any"} and "has rows for 10 slices, the scan has 13" in case.notes[0]


def test_ct_ich_names_the_scans_that_are_not_there(tmp_path):
    root = made.ct_ich(tmp_path)
    said = error_of("ct-ich", root)
    assert "The scan is missing (72: 051, 052, 053 and 69 more)" in said


def test_ct_ich_broken_headers_of_the_demographics_do_not_matter(tmp_path, only_three):
    root = made.ct_ich(tmp_path)
    assert open_dataset("ct-ich").check(root).is_complete
    (root / "Patient_demographics.csv").unlink()
    assert open_dataset("ct-ich").check(root).is_complete


def test_a_table_without_a_needed_column_is_named(tmp_path):
    root = made.ct_ich(tmp_path)
    table = root / "hemorrhage_diagnosis_raw_ct.csv"
    table.write_text(table.read_text().replace("Subdural", "SubduralHematoma"))
    with pytest.raises(InputError, match="no column Subdural"):
        open_dataset("ct-ich").check(root)


# RSNA 2019


def test_rsna_slices_show_what_their_six_rows_say(tmp_path):
    every = cases("rsna2019", made.rsna2019(tmp_path))
    shown = every["ID_f91d6a7cd0"].slice_presence()
    assert np.array_equal(shown["IVH"], made.SHOWN) and np.array_equal(shown["any"], made.SHOWN)
    assert not shown["SDH"].any() and not every["ID_f91d6a7cd1"].exam_presence()["any"]


def test_rsna_lost_signs_and_double_rescale_tags_are_put_right(tmp_path):
    case = cases("rsna2019", made.rsna2019(tmp_path))["ID_f91d6a7cd1"]
    assert np.array_equal(case.volume.array_kji, made.HU)
    assert "no sign" in case.notes[0]


def test_rsna_images_listed_twice_are_a_warning_and_contradictions_an_error(tmp_path):
    root = made.rsna2019(tmp_path)
    found = open_dataset("rsna2019").check(root)
    assert found.is_complete and "more than once (1: ID_000000000)" in found.warnings[0]
    with (root / "stage_2_train.csv").open("a") as stream:
        stream.write("ID_000000001_any,1\nID_000000002_epidural,0\n")
    said = error_of("rsna2019", root)
    assert "contradict each other (1: ID_000000001)" in said


def test_rsna_a_cut_off_image_is_left_out_of_its_study(tmp_path):
    root = made.rsna2019(tmp_path)
    made.cut_off(root / "stage_2_train" / "ID_000000003.dcm", 0.9)
    assert error_of("rsna2019", root) == "Files that are cut off (1: ID_000000003.dcm)"
    assert cases("rsna2019", root)["ID_f91d6a7cd0"].volume.grid.shape_kji[0] == made.SHAPE[0] - 1


def test_rsna_images_without_six_rows_are_left_out(tmp_path):
    root = made.rsna2019(tmp_path)
    table = root / "stage_2_train.csv"
    table.write_text("\n".join(line for line in table.read_text().splitlines() if line != "ID_100000000_any,0") + "\n")
    assert error_of("rsna2019", root) == "Images whose rows are not six (1: ID_100000000)"
    assert cases("rsna2019", root)["ID_f91d6a7cd1"].volume.grid.shape_kji[0] == made.SHAPE[0] - 1


def test_rsna_an_image_of_the_table_that_is_not_here_is_named(tmp_path):
    root = made.rsna2019(tmp_path)
    (root / "stage_2_train" / "ID_000000004.dcm").unlink()
    assert "Images of the table that are not here (1: ID_000000004)" in error_of("rsna2019", root)


# CQ500 with BHX


def test_cq500_the_majority_of_three_readers_counts_and_the_plain_series_is_read(tmp_path):
    every = cases("cq500", made.cq500(tmp_path))
    bleeding, other = every["CQ500-CT-0"], every["CQ500-CT-1"]
    present = bleeding.exam_presence()
    assert present["any"] and present["IPH"] and not present["SDH"]
    assert not other.exam_presence()["any"] and not other.slice_presence()["any"].any()
    plain = {str(pydicom.dcmread(path).SeriesInstanceUID) for path in tmp_path.glob("**/CT Plain/*.dcm")}
    assert {bleeding.volume.series_instance_uid, other.volume.series_instance_uid} == plain


def test_bhx_boxes_lie_around_the_blood_and_chronic_ones_are_no_finding(tmp_path):
    case = cases("cq500", made.cq500(tmp_path))["CQ500-CT-0"]
    assert {box.code for box in case.boxes} == {"IPH", "chronic"}
    for box in case.boxes:
        rows, columns = (np.flatnonzero(made.BLOOD[box.slice_index].any(axis=axis)) for axis in (1, 0))
        assert box.box_ji == (rows[0], columns[0], rows[-1], columns[-1])
    assert np.array_equal(case.slice_presence()["IPH"], made.SHOWN)


def test_cq500_without_bhx_has_exam_labels_alone(tmp_path):
    root = made.cq500(tmp_path, with_boxes=False)
    found = open_dataset("cq500").check(root)
    assert found.is_complete and "BHX is not here" in found.warnings[0]
    case = cases("cq500", root)["CQ500-CT-0"]
    assert not case.boxes and not case.slice_presence() and case.exam_presence()["IPH"]


def test_cq500_boxes_that_contradict_the_readers_give_no_slice_labels(tmp_path):
    root = made.cq500(tmp_path)
    table = root / "bhx" / "2_Extrapolation_to_All_Series.csv"
    table.write_text(table.read_text().replace("Intraparenchymal", "Epidural"))
    case = cases("cq500", root)["CQ500-CT-0"]
    assert not case.slices and "differ about IPH, EDH" in case.notes[0]


def test_cq500_exams_that_were_not_downloaded_or_unpacked_are_named(tmp_path):
    root = made.cq500(tmp_path)
    for path in (root / "CQ500CT1 CQ500CT1").rglob("*.dcm"):
        path.unlink()
    assert error_of("cq500", root) == "Exams without DICOM files (1: CQ500-CT-1)"
    (root / "CQ500CT1 CQ500CT1").rename(root / "elsewhere")
    assert error_of("cq500", root) == "Exams of reads.csv that are not here (1: CQ500-CT-1)"
