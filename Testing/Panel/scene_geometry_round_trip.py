"""A simulated bleeding through scene, file and scene again, on every kind of grid: its place and its millilitres.

The truth is the simulator's label map: its voxels tell for every point in millimetres whether there is blood. The place
must be right to half a voxel, the mL to 1 % of the voxels whose centres lie in blood.
"""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import slicer

import made_exams
from NeuroTriageLib.core.errors import NeuroTriageError
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.measurements.findings import measure
from NeuroTriageLib.outputs.dicom_folder import write_dicom_folder
from NeuroTriageLib.review.live_measurements import segment_volumes_ml
from NeuroTriageLib.simulation.dicom_export import write_dicom_study
from NeuroTriageLib.simulation.head_ct import simulate_head_ct
from NeuroTriageLib.simulation.hemorrhage_parenchymal import add_bleeding
from NeuroTriageLib.simulation.phantom import phantom_anatomy
from NeuroTriageLib.simulation.settings import HeadCtSettings
from NeuroTriageLib.study_files import load_series, source_of_volume
from NeuroTriagePanel.result_nodes import add_ct_node
from NeuroTriagePanel.scene_bridge import right_handed, show_exam, volume_from_node
from NeuroTriagePanel.segment_arrays import read_label, write_label
from Testing.Lib.outputs.dicom.made_objects import frames_of

SMALL = HeadCtSettings(
    matrix=128, slice_spacings_mm=(2.0,), mixed_stack_probability=0.0, gap_probability=0.0, tilt_probability=0.0
)
BLOOD_ML = 8.0
_RAS = np.array([-1.0, -1.0, 1.0])


@functools.cache
def simulated() -> tuple[np.ndarray, SliceGrid, np.ndarray]:
    """Bool (K, J, I) where the simulator has blood, its grid, and the middle of the blood in LPS millimetres."""
    exam = simulate_head_ct(
        phantom_anatomy(0.6), 5, SMALL, paint_blood=lambda canvas: add_bleeding(canvas, "thalamus", BLOOD_ML)
    )
    blood, grid = exam.label_kji > 0, exam.volume.grid
    assert blood.any()
    return blood, grid, grid.voxel_to_lps(np.argwhere(blood)[:, ::-1].astype(float)).mean(0)


def oblique(grid: SliceGrid, about_x_deg: float, about_y_deg: float) -> SliceGrid:
    """The whole stack turned in space, as an oblique MR series lies."""
    a, b = math.radians(about_x_deg), math.radians(about_y_deg)
    turn_x = np.array([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])
    turn_y = np.array([[math.cos(b), 0, math.sin(b)], [0, 1, 0], [-math.sin(b), 0, math.cos(b)]])
    turn = turn_y @ turn_x
    return replace(
        grid,
        origins_lps_mm=grid.origins_lps_mm @ turn.T,
        direction_i=turn @ grid.direction_i,
        direction_j=turn @ grid.direction_j,
    )


def cropped(grid: SliceGrid) -> SliceGrid:
    """Slices 2 to 10, rows from 5, columns from 4: what Crop Volume leaves."""
    origins = np.array([grid.voxel_to_lps(np.array([4.0, 5.0, k])) for k in range(2, 11)])
    return replace(grid, shape_kji=(9, grid.shape_kji[1] - 5, grid.shape_kji[2] - 4), origins_lps_mm=origins)


def resampled(grid: SliceGrid) -> SliceGrid:
    """Finer in the plane, as Resample Volume makes it."""
    slices, rows, columns = grid.shape_kji
    return replace(grid, shape_kji=(slices, rows * 2, columns * 2), spacing_i_mm=0.25, spacing_j_mm=0.35)


GRIDS = {
    **made_exams.GRIDS,
    "oblique": oblique(made_exams.GRIDS["regular"], 25.0, -15.0),
    "oblique and tilted": oblique(made_exams.GRIDS["tilted"], -20.0, 10.0),
    "cropped": cropped(made_exams.GRIDS["tilted"]),
    "resampled": resampled(made_exams.GRIDS["regular"]),
}


def centre_of(grid: SliceGrid) -> np.ndarray:
    slices, rows, columns = grid.shape_kji
    return grid.voxel_to_lps(np.array([columns / 2 + 1.3, rows / 2 - 2.2, slices / 2]))


def bleeding(grid: SliceGrid, centre_lps: np.ndarray) -> np.ndarray:
    """(K, J, I) bool: voxels whose centres lie in the simulated blood, moved so that its middle is at this point."""
    blood, of, middle = simulated()
    k, j, i = np.meshgrid(*map(np.arange, grid.shape_kji), indexing="ij")
    points = grid.voxel_to_lps(np.stack([i, j, k], axis=-1).astype(float)) - centre_lps + middle
    nearest = np.rint(of.lps_to_voxel(points.reshape(-1, 3))).astype(int)[:, ::-1]
    inside = ((nearest >= 0) & (nearest < blood.shape)).all(axis=1)
    found = np.zeros(len(nearest), bool)
    found[inside] = blood[tuple(nearest[inside].T)]
    return found.reshape(grid.shape_kji)


def middle_of(grid: SliceGrid, mask: np.ndarray) -> np.ndarray:
    """(3,) where the mask's middle is in LPS millimetres, each voxel weighing what it spans."""
    inside = np.argwhere(mask)[:, ::-1].astype(float)
    return np.average(grid.voxel_to_lps(inside), axis=0, weights=grid.voxel_volumes_ml[inside[:, 2].astype(int)])


def true_ml(grid: SliceGrid, mask: np.ndarray) -> float:
    return float(mask.sum(axis=(1, 2)) @ grid.voxel_volumes_ml)


def exam_on(grid: SliceGrid, mask: np.ndarray):
    volume = Volume(np.random.default_rng(0).normal(30, 5, grid.shape_kji).round().astype(np.int16), grid)
    plain = made_exams.exam(made_exams.GRIDS["regular"])
    reading = replace(
        plain.readings[0],
        probability=plain.readings[0].probability | {"SDH": 0.01},
        label_kji=mask.astype(np.uint8),
        heatmap_kji=mask.astype(np.float16),
        slice_probability={},
        voxel_probabilities=None,
    )
    return replace(plain, volume=volume, readings=(reading,), findings=(), abc2=(), quality=())


def assert_same_blood(name: str, ct, label: np.ndarray, grid: SliceGrid, mask: np.ndarray) -> None:
    """The IPH of a label map on the scene's voxels is the bleeding of the truth."""
    in_scene = volume_from_node(ct).grid
    ml, expected = segment_volumes_ml(label, in_scene)["IPH"], true_ml(grid, mask)
    assert abs(ml - expected) <= 0.01 * expected, (name, ml, expected)
    found, truth = middle_of(in_scene, label == 1), middle_of(grid, mask)
    off = in_scene.lps_to_voxel(found) - in_scene.lps_to_voxel(truth)
    assert np.abs(off).max() < 0.5, (name, off)


def through_a_file(segmentation, folder: Path, name: str):
    """The segmentation written to a .seg.nrrd file and read into a new node."""
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(folder / f"{name}.seg.nrrd"))
    assert storage.WriteData(segmentation)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(node)
    return node


def test_the_bleeding_is_large_enough_to_be_measured_to_a_percent_on_every_grid():
    for name, grid in GRIDS.items():
        mask = bleeding(grid, centre_of(grid))
        assert mask.sum() > 1000 and true_ml(grid, mask) > 3, (name, mask.sum(), true_ml(grid, mask))


def test_place_and_millilitres_survive_the_scene_and_the_file_on_every_grid(tmp_path):
    for number, (name, grid) in enumerate(GRIDS.items()):
        slicer.mrmlScene.Clear(False)
        mask = bleeding(grid, centre_of(grid))
        nodes = show_exam(right_handed(exam_on(grid, mask)))
        again = through_a_file(nodes.segmentations[0], tmp_path, str(number))
        again.SetAndObserveTransformNodeID(nodes.ct.GetTransformNodeID())
        assert_same_blood(name, nodes.ct, read_label(again, nodes.ct), grid, mask)


def test_place_and_millilitres_survive_scene_dicom_segmentation_and_scene_on_every_grid(tmp_path):
    for number, (name, grid) in enumerate(GRIDS.items()):
        slicer.mrmlScene.Clear(False)
        mask = bleeding(grid, centre_of(grid))
        files = [str(path) for path in write_dicom_study(exam_on(grid, mask).volume, tmp_path / f"ct {number}")]
        series = str(pydicom.dcmread(files[0], stop_before_pixels=True).SeriesInstanceUID)
        volume, _ = load_series(files, series)
        ct = add_ct_node(volume)
        shown = volume_from_node(ct)
        nodes = show_exam(exam_on(shown.grid, bleeding(shown.grid, centre_of(grid))), ct)
        label = read_label(nodes.segmentations[0], ct)
        source, own = source_of_volume(files, replace(shown, series_instance_uid=series))
        exam = exam_on(shown.grid, label == 1)
        exam = replace(exam, volume=own, findings=measure(exam.readings[0], own.grid)[0])
        write_dicom_folder(exam, tmp_path / f"objects {number}", source)
        slicer.mrmlScene.Clear(False)
        again = add_ct_node(volume)
        back = _label_of_dicom(tmp_path / f"objects {number}" / "segmentation.dcm", volume_from_node(again).grid)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        node.SetReferenceImageGeometryParameterFromVolumeNode(again)
        node.SetAndObserveTransformNodeID(again.GetTransformNodeID())
        write_label(node, again, back)
        assert_same_blood(name, again, read_label(node, again), grid, mask)


def _label_of_dicom(path: Path, grid: SliceGrid) -> np.ndarray:
    """Each frame of the first segment on the slice where it says that it lies."""
    label = np.zeros(grid.shape_kji, np.uint8)
    for position, frame in frames_of(pydicom.dcmread(path), 1):
        distances = np.linalg.norm(grid.origins_lps_mm - position, axis=1)
        assert distances.min() < 0.01, "a frame lies on no slice"
        label[int(distances.argmin())][frame] = 1
    return label


def test_a_volume_that_was_cropped_in_the_scene_is_not_taken_for_its_dicom_series(tmp_path):
    slicer.mrmlScene.Clear(False)
    grid = GRIDS["regular"]
    files = [str(path) for path in write_dicom_study(exam_on(grid, bleeding(grid, centre_of(grid))).volume, tmp_path)]
    series = str(pydicom.dcmread(files[0], stop_before_pixels=True).SeriesInstanceUID)
    volume, _ = load_series(files, series)
    node = add_ct_node(replace(volume, array_kji=volume.array_kji[:, 5:, 4:], grid=cropped_in_plane(volume.grid)))
    shown = replace(volume_from_node(node), series_instance_uid=series)
    try:
        source_of_volume(files, shown)
    except NeuroTriageError as error:
        assert "cropped, resampled or moved" in error.what
    else:
        raise AssertionError("a cropped volume was taken for its series")


def cropped_in_plane(grid: SliceGrid) -> SliceGrid:
    slices, rows, columns = grid.shape_kji
    origins = np.array([grid.voxel_to_lps(np.array([4.0, 5.0, k])) for k in range(slices)])
    return replace(grid, shape_kji=(slices, rows - 5, columns - 4), origins_lps_mm=origins)


def test_slicers_own_segment_centre_is_the_bleedings_to_a_voxel():
    for name in ("regular", "tilted", "oblique", "oblique and tilted", "cropped", "resampled"):
        slicer.mrmlScene.Clear(False)
        grid = GRIDS[name]
        mask = bleeding(grid, centre_of(grid))
        nodes = show_exam(right_handed(exam_on(grid, mask)))
        told = np.array(nodes.segmentations[0].GetSegmentCenterRAS("IPH")) * _RAS
        # Slicer tells the voxel of the segment that is nearest to its middle.
        off = grid.lps_to_voxel(told) - grid.lps_to_voxel(middle_of(grid, mask))
        off_mm = np.abs(off * (grid.spacing_i_mm, grid.spacing_j_mm, 5.0))
        assert (off_mm <= (1.4, 1.4, 5.0)).all(), (name, off_mm)
