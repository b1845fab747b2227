"""What is peculiar to each public data set of brain MRI."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.datasets.labelled_case import LabelledMr
from NeuroTriageLib.datasets.registry import open_dataset
from Testing.Lib.datasets import mr_miniatures as made
from Testing.Lib.datasets.ct_miniatures import cut_off


def cases(name: str, root: Path) -> dict[str, LabelledMr]:
    """Last part of a case's name -> the case."""
    return {case.name.rpartition("/")[2]: case.read() for case in open_dataset(name).cases(root)}


def error_of(name: str, root: Path) -> str:
    return " | ".join(open_dataset(name).check(root).errors)


# ISLES 2022


def test_isles_the_mask_lies_on_the_diffusion_image_and_flair_on_its_own_grid(tmp_path):
    every = cases("isles2022", made.isles2022(tmp_path))
    case = every["sub-strokecase0001"]
    assert np.array_equal(case.masks["TRACE"]["acute_infarct"], made.spot() > 0)
    assert case.images["FLAIR"].volume.grid.shape_kji == made.FLAIR_SHAPE
    assert case.exam_presence() == {"acute_infarct": True, "abnormal": True}
    assert every["sub-strokecase0002"].exam_presence() == {"acute_infarct": False}


def test_isles_the_unit_of_the_adc_map_is_found_from_its_values(tmp_path):
    every = cases("isles2022", made.isles2022(tmp_path))
    assert [case.images["ADC"].mm2_per_s for case in every.values()] == [1e-6, 1e-3]


def test_isles_a_file_in_a_folder_of_its_name_is_found(tmp_path):
    root = made.isles2022(tmp_path)
    assert next(root.rglob("*0001_adc.nii")).is_dir()
    assert open_dataset("isles2022").check(root).is_complete


def test_isles_the_older_flat_form_is_read_too(tmp_path):
    (case,) = cases("isles2022", made.isles2022_flat(tmp_path)).values()
    assert set(case.images) == {"TRACE", "ADC", "FLAIR"} and case.exam_presence()["acute_infarct"]


def test_isles_what_is_missing_or_cut_off_is_named(tmp_path):
    root = made.isles2022(tmp_path)
    next((root / "derivatives" / "sub-strokecase0002").rglob("*_msk.nii.gz")).unlink()
    cut_off(next(root.rglob("sub-strokecase0001*_dwi.nii.gz")))
    said = error_of("isles2022", root)
    assert "No mask (1: sub-strokecase0002)" in said and "truncated or damaged (1: sub-strokecase0001)" in said


# SOOP


def test_soop_old_and_new_infarcts_are_told_apart_and_a_subject_without_word_is_left_out(tmp_path):
    every = cases("soop", made.soop(tmp_path))
    assert set(every) == {"sub-1", "sub-2"}
    assert every["sub-1"].exam_presence() == {"acute_infarct": True, "abnormal": True}
    assert every["sub-2"].exam_presence() == {"acute_infarct": False, "abnormal": True}
    assert every["sub-2"].masks["TRACE"]["chronic_infarct"].any()
    assert "the mask counts" in every["sub-2"].notes[0] and "FLAIR" not in every["sub-2"].images


def test_soop_absent_images_and_rows_are_warnings(tmp_path):
    found = open_dataset("soop").check(made.soop(tmp_path))
    assert found.is_complete
    said = " | ".join(found.warnings)
    assert "No FLAIR (1: sub-2)" in said and "No row in participants.tsv (1: sub-3)" in said


@pytest.mark.parametrize("kind", ["link", "text"])
def test_soop_contents_that_were_never_fetched_are_said_to_be_so(tmp_path, kind):
    root = made.soop(tmp_path)
    path = root / "sub-1" / "dwi" / "sub-1_rec-TRACE_dwi.nii.gz"
    path.unlink()
    target = "../../.git/annex/objects/W4/pP/MD5E-s4013--0b.nii.gz/MD5E-s4013--0b.nii.gz"
    if kind == "link":
        path.symlink_to(target)
    else:
        path.write_text(f"/{target[6:]}\n")  # as git-annex writes where links do not exist
    said = error_of("soop", root)
    assert "The file is a git-annex pointer whose content was not fetched (1: sub-1)" in said
    with pytest.raises(InputError, match="datalad get"):
        cases("soop", root)


# ATLAS v2


def test_atlas_sessions_of_a_subject_have_one_patient_and_the_hidden_set_is_left_out(tmp_path):
    every = list(open_dataset("atlas2").cases(made.atlas2(tmp_path)))
    assert [case.patient for case in every] == ["atlas2:sub-r001s001"] * 2 + ["atlas2:sub-r002s001"]


def test_atlas_a_lesion_is_abnormal_but_no_acute_infarct(tmp_path):
    case = next(iter(cases("atlas2", made.atlas2(tmp_path)).values()))
    assert case.exam_presence() == {"abnormal": True}
    assert np.array_equal(case.masks["T1"]["stroke_lesion"], made.spot() > 0)


def test_atlas_a_missing_mask_is_named(tmp_path):
    root = made.atlas2(tmp_path)
    next(root.rglob("sub-r002s001*mask.nii.gz")).unlink()
    assert error_of("atlas2", root) == "The mask is missing (1: sub-r002s001_ses-1)"


# BraTS


def test_brats_enhancing_tumour_is_3_in_2023_and_4_before(tmp_path):
    every = cases("brats", made.brats(tmp_path))
    expected = np.zeros(made.SHAPE, bool)
    expected[3, 10:12, 6:9] = True
    assert len(every) == 4
    for case in every.values():
        parts = case.masks["FLAIR"]
        assert np.array_equal(parts["enhancing_tumour"], expected)
        assert np.array_equal(parts["tumour"], made.spot() > 0)
        assert parts["necrotic_core"].sum() == 1 and case.exam_presence() == {"abnormal": True}
        assert set(case.images) == {"T1", "T1post", "T2", "FLAIR"}


def test_brats_visits_and_years_of_one_number_have_one_patient(tmp_path):
    patients = {case.name: case.patient for case in open_dataset("brats").cases(made.brats(tmp_path))}
    assert patients["brats/BraTS-GLI-00002-001"] == patients["brats/BraTS2021_00002"] == "brats-gli:00002"
    assert patients["brats/BraTS20_Training_355"] == "brats2020:355"


def test_brats_the_mask_with_another_name_is_found(tmp_path):
    assert "BraTS20_Training_355" in cases("brats", made.brats(tmp_path))


def test_brats_values_of_other_years_are_refused(tmp_path):
    root = made.brats(tmp_path)
    name = "BraTS-GLI-00002-000"
    made.mask(root / name / f"{name}-seg.nii.gz", made.spot() * np.uint8(4))
    with pytest.raises(InputError, match=r"does not know: 4\..*2024"):
        cases("brats", root)


def test_brats_a_case_without_one_contrast_is_named_and_left_out(tmp_path):
    root = made.brats(tmp_path)
    (root / "BraTS2021_00002" / "BraTS2021_00002_t1ce.nii.gz").unlink()
    assert error_of("brats", root) == "No T1post (1: BraTS2021_00002)"
    assert "BraTS2021_00002" not in cases("brats", root)


# fastMRI+


def test_fastmri_boxes_lie_on_the_upright_image(tmp_path):
    case = cases("fastmri-plus", made.fastmri_plus(tmp_path))["file_brain_AXFLAIR_200_6000000"]
    (box,) = case.boxes["FLAIR"]
    first_j, first_i, last_j, last_i = box.box_ji
    image = case.images["FLAIR"].volume.array_kji
    bright = np.zeros(image.shape, bool)
    bright[box.slice_index, first_j : last_j + 1, first_i : last_i + 1] = True
    assert np.array_equal(image > 5e-4, bright) and box.code == "Mass"
    assert case.images["FLAIR"].volume.grid.spacing_i_mm == 11.0


def test_fastmri_read_without_a_finding_is_normal_and_so_are_variants_and_artefacts(tmp_path):
    every = cases("fastmri-plus", made.fastmri_plus(tmp_path))
    assert [case.exam_presence()["abnormal"] for case in every.values()] == [True, False, False]
    assert "1 boxes lie outside" in every["file_brain_AXT1POST_200_6000001"].notes[1]


def test_fastmri_a_file_that_nobody_read_is_no_case_and_patients_are_those_of_the_files(tmp_path):
    patients = [case.patient for case in open_dataset("fastmri-plus").cases(made.fastmri_plus(tmp_path))]
    assert patients == ["fastmri:p0", "fastmri:p0", "fastmri:p1"]


def test_fastmri_missing_and_cut_off_files_are_named(tmp_path):
    root = made.fastmri_plus(tmp_path)
    next(root.rglob("file_brain_AXT2*.h5")).unlink()
    cut_off(next(root.rglob("file_brain_AXFLAIR*.h5")))
    said = error_of("fastmri-plus", root)
    assert "Files that were read but are not here (1: file_brain_AXT2_200_6000002)" in said
    assert "The file is cut off or damaged (1: file_brain_AXFLAIR_200_6000000)" in said
