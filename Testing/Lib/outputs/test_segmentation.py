"""masks.seg.nrrd and heatmap.nrrd, read back by other programs: same voxels, same names, same place."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from NeuroTriageLib.core.codes import FINDING_CODES
from NeuroTriageLib.outputs.heatmap import write_heatmap
from NeuroTriageLib.outputs.segmentation import write_masks
from Testing.Lib.exam_builder import IPH, IPH_AND_SDH, UNEVEN_STEPS_MM, ExamSettings, build_exam

OBLIQUE = np.linalg.qr(np.array([[1.0, 0.2, 0.1], [-0.2, 1.0, 0.3], [0.1, -0.3, 1.0]]))[0]
OBLIQUE = OBLIQUE * np.sign(np.diag(OBLIQUE))

GRIDS = {
    "plain": {},
    "tilted": {"tilt_deg": 18.5},
    "oblique": {"axes": OBLIQUE},
    "oblique and tilted": {"axes": OBLIQUE, "tilt_deg": -12.0},
    "head first to feet": {"axes": np.diag([1.0, 1.0, -1.0])},
    "rows flipped": {"axes": np.diag([-1.0, 1.0, 1.0])},
}


def read_header(path) -> dict[str, str]:
    lines = path.read_bytes().split(b"\n\n", 1)[0].decode("utf-8").splitlines()
    pairs = [line.split(":=", 1) if ":=" in line else line.split(": ", 1) for line in lines[3:]]
    return dict(pairs)


@pytest.mark.parametrize("name", GRIDS)
def test_simpleitk_reads_the_same_voxels_at_the_same_place(name, tmp_path):
    exam = build_exam(ExamSettings(blood=IPH_AND_SDH, **GRIDS[name]))
    write_masks(exam, tmp_path / "masks.seg.nrrd")
    image = sitk.ReadImage(str(tmp_path / "masks.seg.nrrd"))
    assert np.array_equal(sitk.GetArrayFromImage(image), exam.readings[0].label_kji)
    for i, j, k in ((0, 0, 0), (55, 0, 0), (0, 47, 0), (0, 0, 11), (20, 30, 7)):
        place = image.TransformContinuousIndexToPhysicalPoint([float(i), float(j), float(k)])
        assert place == pytest.approx(exam.grid.voxel_to_lps(np.array([i, j, k])), abs=1e-6)


def test_segments_have_names_colours_values_and_terminology(tmp_path):
    write_masks(build_exam(ExamSettings(blood=IPH_AND_SDH)), tmp_path / "masks.seg.nrrd")
    header = read_header(tmp_path / "masks.seg.nrrd")
    assert (header["space"], header["encoding"], header["type"]) == ("left-posterior-superior", "gzip", "unsigned char")
    for number, code, value in ((0, "IPH", "1"), (1, "SDH", "3")):
        entry = FINDING_CODES[code]
        segment = {
            key[len(f"Segment{number}_") :]: v for key, v in header.items() if key.startswith(f"Segment{number}_")
        }
        assert (segment["ID"], segment["Name"], segment["LabelValue"]) == (code, entry.name, value)
        assert [float(part) for part in segment["Color"].split()] == pytest.approx(entry.color_rgb)
        assert segment["Extent"] == "0 55 0 47 0 11"
        assert f"~SCT^{entry.concept[0]}^" in segment["Tags"]
    assert "Segment2_ID" not in header
    assert header["Segmentation_MasterRepresentation"] == "Binary labelmap"


def test_type_below_its_threshold_is_not_in_the_file(tmp_path):
    write_masks(build_exam(ExamSettings(blood=IPH_AND_SDH, found=frozenset({"IPH"}))), tmp_path / "m.seg.nrrd")
    values = np.unique(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "m.seg.nrrd"))))
    assert values.tolist() == [0, 1]


def test_undetermined_type_has_a_segment_that_claims_no_type(tmp_path):
    exam = build_exam(ExamSettings(blood=IPH, found=frozenset({"any"})))
    write_masks(exam, tmp_path / "m.seg.nrrd")
    header = read_header(tmp_path / "m.seg.nrrd")
    assert header["Segment0_Name"] == "Intracranial hemorrhage, type undetermined"
    array = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "m.seg.nrrd")))
    assert np.array_equal(array > 0, exam.readings[0].label_kji > 0)
    assert set(np.unique(array)) == {0, int(header["Segment0_LabelValue"])}
    assert int(header["Segment0_LabelValue"]) > len(exam.readings[0].codes)


def test_negative_exam_has_an_empty_mask_without_segments(tmp_path):
    write_masks(build_exam(ExamSettings()), tmp_path / "m.seg.nrrd")
    assert "Segment0_ID" not in read_header(tmp_path / "m.seg.nrrd")
    assert not sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "m.seg.nrrd"))).any()


def test_uneven_stack_keeps_its_voxels_and_every_slices_place(tmp_path):
    exam = build_exam(ExamSettings(blood=IPH, steps_mm=UNEVEN_STEPS_MM, tilt_deg=10))
    write_masks(exam, tmp_path / "m.seg.nrrd")
    header = read_header(tmp_path / "m.seg.nrrd")
    origins = [[float(x) for x in point.split()] for point in header["NeuroTriage_SliceOriginsLPS"].split("|")]
    assert np.array_equal(origins, exam.grid.origins_lps_mm)
    data = gzip.decompress((tmp_path / "m.seg.nrrd").read_bytes().split(b"\n\n", 1)[1])
    assert np.array_equal(np.frombuffer(data, np.uint8).reshape(exam.grid.shape_kji), exam.readings[0].label_kji)


def test_heatmap_holds_percents_at_the_place_of_the_image(tmp_path):
    exam = build_exam(ExamSettings(blood=IPH, tilt_deg=18.5))
    write_heatmap(exam, tmp_path / "heatmap.nrrd")
    image = sitk.ReadImage(str(tmp_path / "heatmap.nrrd"))
    array = sitk.GetArrayFromImage(image)
    assert array.dtype == np.uint8
    assert set(np.unique(array[exam.readings[0].label_kji > 0])) == {93}
    assert image.GetOrigin() == pytest.approx(tuple(exam.grid.origins_lps_mm[0]), abs=1e-6)
    assert read_header(tmp_path / "heatmap.nrrd")["NeuroTriage_Unit"] == "percent"


READ_IN_SLICER = """
import json, os, sys
import numpy as np, slicer, slicer.util, vtk
scene = slicer.vtkMRMLScene()
slicer.mrmlScene = scene
application = slicer.vtkSlicerApplicationLogic()
application.SetMRMLScene(scene)
logic = slicer.vtkSlicerSegmentationsModuleLogic()
logic.SetMRMLApplicationLogic(application)
logic.SetMRMLScene(scene)
node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
storage = slicer.vtkMRMLSegmentationStorageNode()
scene.AddNode(storage)
storage.SetFileName(sys.argv[1])
answer = {"read": storage.ReadData(node), "segments": []}
segmentation = node.GetSegmentation()
for number in range(segmentation.GetNumberOfSegments()):
    segment = segmentation.GetNthSegment(number)
    identifier = segmentation.GetNthSegmentID(number)
    labelmap = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(identifier, labelmap)
    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    tag = vtk.mutable("")
    segment.GetTag("TerminologyEntry", tag)
    extent = labelmap.GetExtent()
    values = vtk.util.numpy_support.vtk_to_numpy(labelmap.GetPointData().GetScalars())
    answer["segments"].append({
        "id": identifier, "name": segment.GetName(), "color": segment.GetColor(), "terminology": tag.get(),
        "matrix": slicer.util.arrayFromVTKMatrix(matrix).tolist(), "extent": extent,
        "voxels": np.flatnonzero(values).tolist(),
    })
with open(sys.argv[2], "w") as stream:
    json.dump(answer, stream)
os._exit(0)
"""


@pytest.mark.parametrize("name", ["plain", "oblique and tilted", "negative"])
def test_slicer_reads_the_same_segments_at_the_same_place(name, tmp_path):
    pytest.importorskip("slicer_core", reason="slicer-core is not installed")
    blood = {} if name == "negative" else IPH_AND_SDH
    exam = build_exam(ExamSettings(blood=blood, **GRIDS.get(name, {})))
    write_masks(exam, tmp_path / "masks.seg.nrrd")
    command = [sys.executable, "-c", "import vtk.util.numpy_support\n" + READ_IN_SLICER]
    subprocess.run(
        [*command, str(tmp_path / "masks.seg.nrrd"), str(tmp_path / "answer.json")], capture_output=True, timeout=120
    )
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer["read"] == 1
    assert [segment["id"] for segment in answer["segments"]] == list(blood)
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ exam.grid.affine_ijk_to_lps
    for segment, code in zip(answer["segments"], blood, strict=True):
        entry = FINDING_CODES[code]
        assert segment["name"] == entry.name
        assert segment["color"] == pytest.approx(entry.color_rgb)
        assert segment["terminology"] == entry.slicer_terminology_entry()
        label = exam.readings[0].label_kji == exam.readings[0].codes.index(code) + 1
        i0, i1, j0, j1, k0, k1 = segment["extent"]
        shape = (k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)
        k, j, i = np.unravel_index(segment["voxels"], shape)
        places = np.stack([i + i0, j + j0, k + k0, np.ones_like(i)], -1) @ np.array(segment["matrix"]).T
        truth_k, truth_j, truth_i = np.nonzero(label)
        truth = np.stack([truth_i, truth_j, truth_k, np.ones_like(truth_i)], -1) @ to_ras.T
        assert places == pytest.approx(truth, abs=1e-4)
