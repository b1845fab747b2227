"""Masks from other programs: DICOM SEG, .seg.nrrd and NIfTI give the same label map on the image's own voxels."""

from __future__ import annotations

import json

import numpy as np
import pytest

from NeuroTriageLib.core.errors import GeometryError, InputError
from NeuroTriageLib.datasets.own_masks import own_cases, own_source
from NeuroTriageLib.datasets.segment_files import code_of_name, read_segments
from NeuroTriageLib.outputs.dicom.writer import DicomForms
from NeuroTriageLib.outputs.segmentation import write_masks
from NeuroTriageLib.review.labels import label_of_reading
from Testing.Lib.datasets import ct_miniatures as made
from Testing.Lib.exam_builder import IPH_AND_SDH, UNEVEN_STEPS_MM, ExamSettings, build_exam
from Testing.Lib.outputs.dicom.made_objects import objects

GRIDS = {"plain": {}, "tilted": {"tilt_deg": 20.0}, "uneven": {"steps_mm": UNEVEN_STEPS_MM}}


@pytest.mark.parametrize("form", ["binary", "labelmap"])
@pytest.mark.parametrize("name", GRIDS)
def test_a_dicom_segmentation_lies_on_the_slices_that_it_names(name, form, tmp_path):
    exam = build_exam(ExamSettings(blood=IPH_AND_SDH, **GRIDS[name]))
    objects(exam, tmp_path, forms=DicomForms(form, "none"))
    found = read_segments(tmp_path / "segmentation.dcm", exam.grid, {})
    assert np.array_equal(found, label_of_reading(exam.readings[0])) and found.any()


def test_a_dicom_segmentation_of_other_images_is_refused(tmp_path):
    exam = build_exam(ExamSettings(blood=IPH_AND_SDH))
    objects(exam, tmp_path, forms=DicomForms("binary", "none"))
    with pytest.raises(GeometryError, match="does not lie on the voxels"):
        read_segments(tmp_path / "segmentation.dcm", build_exam(ExamSettings(tilt_deg=20.0)).grid, {})


def test_segments_of_slicer_keep_their_meaning_whatever_their_values(tmp_path):
    exam = build_exam(ExamSettings(blood=IPH_AND_SDH))
    write_masks(exam, tmp_path / "m.seg.nrrd")
    assert np.array_equal(read_segments(tmp_path / "m.seg.nrrd", exam.grid, {}), label_of_reading(exam.readings[0]))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Acute subdural haematoma", "SDH"),
        ("Epidural hemorrhage", "EDH"),
        ("ICH", "any"),
        ("Intracerebral hemorrhage", "IPH"),
        ("SAH", "SAH"),
        ("Subdural or epidural hemorrhage", "SDH+EDH"),
        ("left ventricle", None),
    ],
)
def test_a_segment_s_name_says_which_hemorrhage_it_is(name, code):
    assert code_of_name(name) == code


def folder_of(tmp_path, values: np.ndarray, labels: dict | None = None):
    made.nifti(tmp_path / "images" / "a.nii.gz", made.BLEEDING)
    made.nifti(tmp_path / "images" / "no mask.nii.gz", made.HU)
    made.nifti(tmp_path / "masks" / "a.nii.gz", values.astype(np.uint8), rows_turned=True)
    if labels:
        (tmp_path / "labels.json").write_text(json.dumps(labels))
    return tmp_path


def test_a_folder_of_images_and_masks_is_a_set_of_cases(tmp_path):
    root = folder_of(tmp_path, np.where(made.BLOOD, 7, 0), {"SAH": 7})
    made.write_table(root / "patients.csv", [["name", "patient"], ["a", "p9"]])
    (case,) = own_cases(root)
    known = case.read()
    assert case.patient == "masks:p9" and np.array_equal(known.label_kji == 5, made.BLOOD)
    assert known.exam_presence()["SAH"] and not known.exam_presence()["IPH"]
    assert own_source(root).about == ("Own masks: 1 pairs of image and mask.",)


def test_a_value_without_a_meaning_and_an_empty_folder_are_refused(tmp_path):
    (case,) = own_cases(folder_of(tmp_path, np.where(made.BLOOD, 7, 0)))
    with pytest.raises(InputError, match="value 7 of the mask has no meaning"):
        case.read()
    with pytest.raises(InputError, match="no pair of image and mask"):
        own_source(tmp_path / "images")
