"""The heatmap in both of its forms: the probabilities come back where they were."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
import SimpleITK as sitk

from NeuroTriageLib.outputs.dicom.writer import DicomForms
from Testing.Lib.exam_builder import IPH, ExamSettings, build_exam
from Testing.Lib.outputs.dicom.made_objects import objects, on_slices

EXAM = build_exam(ExamSettings(blood=IPH))
PERCENT = np.rint(EXAM.readings[0].heatmap_kji.astype(float) * 100)


def test_fractional_segmentation_holds_percents_of_every_slice(tmp_path):
    made = objects(EXAM, tmp_path)["heatmap.dcm"]
    assert (made.SegmentationType, made.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    assert made.MaximumFractionalValue == 100
    assert np.array_equal(on_slices(made, made.pixel_array, EXAM.grid), PERCENT)


def test_simpleitk_reads_the_fractional_form_at_its_place(tmp_path):
    objects(EXAM, tmp_path)
    image = sitk.ReadImage(str(tmp_path / "heatmap.dcm"))
    array = sitk.GetArrayFromImage(image)
    k, j, i = np.argwhere(array == array.max())[0]
    place = image.TransformIndexToPhysicalPoint([int(i), int(j), int(k)])
    index = np.rint(EXAM.grid.lps_to_voxel(np.array(place))).astype(int)
    assert PERCENT[index[2], index[1], index[0]] == array.max() == 93


def test_parametric_map_holds_shares_with_their_meaning(tmp_path):
    made = objects(EXAM, tmp_path, forms=DicomForms(heatmap="parametric"))["heatmap.dcm"]
    shares = np.frombuffer(made.FloatPixelData, "<f4").reshape(EXAM.grid.shape_kji)
    assert on_slices(made, shares, EXAM.grid) * 100 == pytest.approx(PERCENT, abs=1e-4)
    groups = [*made.SharedFunctionalGroupsSequence, *made.PerFrameFunctionalGroupsSequence]
    mapping = next(g for g in groups if "RealWorldValueMappingSequence" in g).RealWorldValueMappingSequence[0]
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1.0, 0.0)
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"


@pytest.mark.skipif(shutil.which("paramap2itkimage") is None, reason="dcmqi is not installed")
def test_dcmqi_reads_the_parametric_map(tmp_path):
    objects(EXAM, tmp_path / "dicom", forms=DicomForms(heatmap="parametric"))
    command = ["paramap2itkimage", "--inputDICOM", str(tmp_path / "dicom" / "heatmap.dcm"), "-t", "nrrd"]
    subprocess.run([*command, "--outputDirectory", str(tmp_path)], check=True, capture_output=True, timeout=60)
    image = sitk.DICOMOrient(sitk.ReadImage(str(tmp_path / "pmap.nrrd")), "LPS")
    assert image.GetOrigin() == pytest.approx(tuple(EXAM.grid.origins_lps_mm[0]))
    assert sitk.GetArrayFromImage(image) * 100 == pytest.approx(PERCENT, abs=1e-3)


def test_no_heatmap_when_none_is_asked_for(tmp_path):
    assert "heatmap.dcm" not in objects(EXAM, tmp_path, forms=DicomForms(heatmap="none"))
