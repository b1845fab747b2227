"""The segmentation, read back by other programs: same voxels, same place, same millilitres."""

from __future__ import annotations

import json
import shutil
import subprocess

import highdicom
import numpy as np
import pytest
import SimpleITK as sitk

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES, FINDING_CODES
from NeuroTriageLib.outputs.dicom.writer import DicomForms
from Testing.Lib.exam_builder import IPH, IPH_AND_SDH, UNEVEN_STEPS_MM, ExamSettings, build_exam
from Testing.Lib.outputs.dicom.made_objects import frames_of, objects, on_slices, volume_ml
from Testing.Lib.outputs.test_segmentation import OBLIQUE

GRIDS = {
    "plain": {},
    "tilted": {"tilt_deg": 18.5},
    "oblique": {"axes": OBLIQUE},
    "uneven": {"steps_mm": UNEVEN_STEPS_MM},
    "uneven, oblique and tilted": {"steps_mm": UNEVEN_STEPS_MM, "axes": OBLIQUE, "tilt_deg": -12.0},
    "rows flipped": {"axes": np.diag([-1.0, 1.0, 1.0])},
}


@pytest.fixture(scope="module", params=GRIDS)
def written(request, tmp_path_factory):
    """An exam on one of the grids, its segmentation, and the file."""
    exam = build_exam(ExamSettings(blood=IPH_AND_SDH, **GRIDS[request.param]))
    folder = tmp_path_factory.mktemp("dicom")
    made = objects(exam, folder, forms=DicomForms(heatmap="none"))
    return exam, made["segmentation.dcm"], folder / "segmentation.dcm"


def test_every_voxel_lies_where_it_lies_in_the_source(written):
    exam, segmentation, _ = written
    for number, code in enumerate(IPH_AND_SDH, start=1):
        mask = exam.readings[0].label_kji == CT_HEMORRHAGE_CODES.index(code) + 1
        found = frames_of(segmentation, number)
        for position, frame in found:
            k = int(np.abs(exam.grid.origins_lps_mm - position).sum(axis=1).argmin())
            assert exam.grid.origins_lps_mm[k] == pytest.approx(position, abs=1e-6)
            assert np.array_equal(frame, mask[k])
        assert sum(np.count_nonzero(frame) for _, frame in found) == np.count_nonzero(mask)


def test_a_reader_that_knows_only_the_file_finds_the_same_millilitres(written):
    exam, segmentation, _ = written
    told = {finding.code: finding.volume_ml for finding in exam.findings}
    for number, code in enumerate(IPH_AND_SDH, start=1):
        assert volume_ml(segmentation, number) == pytest.approx(told[code], rel=1e-6)


def test_highdicom_reads_the_same_masks_by_source_image(written):
    exam, _, path = written
    segmentation = highdicom.seg.segread(path)
    slices = list(exam.volume.sop_instance_uids)
    stack = segmentation.get_pixels_by_source_instance(slices, assert_missing_frames_are_empty=True)
    for number, code in enumerate(IPH_AND_SDH):
        mask = exam.readings[0].label_kji == CT_HEMORRHAGE_CODES.index(code) + 1
        assert np.array_equal(stack[..., number] > 0, mask)


def test_segments_say_what_they_are_and_who_drew_them(written):
    exam, segmentation, _ = written
    model = exam.readings[0].model
    for segment, code in zip(segmentation.SegmentSequence, IPH_AND_SDH, strict=True):
        kind = segment.SegmentedPropertyTypeCodeSequence[0]
        assert (kind.CodeValue, kind.CodingSchemeDesignator) == (FINDING_CODES[code].concept[0], "SCT")
        assert segment.SegmentLabel == FINDING_CODES[code].name
        assert segment.SegmentAlgorithmType == "AUTOMATIC"
        algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == (model.name, model.version)
        assert model.sha256 in algorithm.AlgorithmParameters
    assert segmentation.ReferencedSeriesSequence[0].SeriesInstanceUID == exam.volume.series_instance_uid


def test_simpleitk_reads_the_same_voxels(tmp_path):
    exam = build_exam(ExamSettings(blood=IPH))
    objects(exam, tmp_path)
    image = sitk.ReadImage(str(tmp_path / "segmentation.dcm"))
    mask = exam.readings[0].label_kji > 0
    read = sitk.GetArrayFromImage(image) > 0
    order = 1 if np.array_equal(read[0], mask[mask.any(axis=(1, 2))][0]) else -1
    assert np.array_equal(read[::order], mask[mask.any(axis=(1, 2))])


@pytest.mark.skipif(shutil.which("segimage2itkimage") is None, reason="dcmqi is not installed")
@pytest.mark.parametrize("name", ["plain", "oblique", "rows flipped"])
def test_dcmqi_finds_the_same_millilitres(name, tmp_path):
    exam = build_exam(ExamSettings(blood=IPH_AND_SDH, **GRIDS[name]))
    objects(exam, tmp_path / "dicom")
    (tmp_path / "out").mkdir()
    command = ["segimage2itkimage", "--inputDICOM", str(tmp_path / "dicom" / "segmentation.dcm"), "-t", "nrrd"]
    subprocess.run([*command, "--outputDirectory", str(tmp_path / "out")], check=True, capture_output=True, timeout=60)
    document = json.loads((tmp_path / "out" / "meta.json").read_text())
    labels = [segments[0]["SegmentLabel"] for segments in document["segmentAttributes"]]
    told = {FINDING_CODES[finding.code].name: finding.volume_ml for finding in exam.findings}
    assert sorted(labels) == sorted(FINDING_CODES[code].name for code in IPH_AND_SDH)
    for number, label in enumerate(labels, start=1):
        image = sitk.ReadImage(str(tmp_path / "out" / f"{number}.nrrd"))
        ml = np.count_nonzero(sitk.GetArrayFromImage(image)) * np.prod(image.GetSpacing()) / 1000
        assert ml == pytest.approx(told[label], rel=1e-4)
        middle = np.argwhere(sitk.GetArrayFromImage(image)).mean(axis=0)[::-1]
        label_value = CT_HEMORRHAGE_CODES.index(next(c for c in IPH_AND_SDH if FINDING_CODES[c].name == label)) + 1
        truth = np.argwhere(exam.readings[0].label_kji == label_value).mean(axis=0)[::-1]
        place = image.TransformContinuousIndexToPhysicalPoint([float(v) for v in middle])
        assert place == pytest.approx(exam.grid.voxel_to_lps(truth), abs=1e-3)


def test_a_label_map_holds_the_same_voxels(tmp_path):
    exam = build_exam(ExamSettings(blood=IPH_AND_SDH, steps_mm=UNEVEN_STEPS_MM))
    segmentation = objects(exam, tmp_path, forms=DicomForms(masks="labelmap"))["segmentation.dcm"]
    assert segmentation.SegmentationType == "LABELMAP"
    label = exam.readings[0].label_kji
    expected = np.select([label == 1, label == 3], [1, 2], 0)
    assert np.array_equal(on_slices(segmentation, segmentation.pixel_array, exam.grid), expected)


def test_undetermined_type_is_one_segment_that_claims_no_type(tmp_path):
    exam = build_exam(ExamSettings(blood=IPH, found=frozenset({"any"})))
    segmentation = objects(exam, tmp_path)["segmentation.dcm"]
    (segment,) = segmentation.SegmentSequence
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == FINDING_CODES["any"].concept[0]
    assert "undetermined" in segment.SegmentLabel


def test_a_negative_exam_has_no_segmentation(tmp_path):
    assert "segmentation.dcm" not in objects(build_exam(ExamSettings()), tmp_path)
