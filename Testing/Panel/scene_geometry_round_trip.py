"""A lesion of known place and size through scene, segmentation file and scene again, on every kind of grid.

The truth is an ellipsoid in patient millimetres. Its place must be right to half a voxel, its mL to 1 % of the voxels
whose centres lie in it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import slicer

import made_exams
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.review.live_measurements import segment_volumes_ml
from NeuroTriagePanel.scene_bridge import right_handed, show_exam, volume_from_node
from NeuroTriagePanel.segment_arrays import read_label

RADII_MM = np.array([7.0, 8.0, 11.0])
_RAS = np.array([-1.0, -1.0, 1.0])


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


def ellipsoid(grid: SliceGrid, centre_lps: np.ndarray) -> np.ndarray:
    """(K, J, I) bool: voxels whose centres lie inside."""
    k, j, i = np.meshgrid(*map(np.arange, grid.shape_kji), indexing="ij")
    points = grid.voxel_to_lps(np.stack([i, j, k], axis=-1).astype(float))
    return (((points - centre_lps) / RADII_MM) ** 2).sum(-1) <= 1.0


def exam_on(grid: SliceGrid, mask: np.ndarray):
    volume = Volume(np.random.default_rng(0).normal(30, 5, grid.shape_kji).astype(np.int16), grid)
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


def through_a_file(segmentation, folder: Path, name: str):
    """The segmentation written to a .seg.nrrd file and read into a new node."""
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(folder / f"{name}.seg.nrrd"))
    assert storage.WriteData(segmentation)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(node)
    return node


def test_place_and_millilitres_survive_the_scene_and_the_file_on_every_grid(tmp_path):
    for number, (name, grid) in enumerate(GRIDS.items()):
        slicer.mrmlScene.Clear(False)
        centre = centre_of(grid)
        mask = ellipsoid(grid, centre)
        true_ml = float(mask.sum(axis=(1, 2)) @ grid.voxel_volumes_ml)
        result = right_handed(exam_on(grid, mask))
        nodes = show_exam(result)
        again = through_a_file(nodes.segmentations[0], tmp_path, str(number))
        again.SetAndObserveTransformNodeID(nodes.ct.GetTransformNodeID())
        in_scene = volume_from_node(nodes.ct).grid
        label = read_label(again, nodes.ct)
        ml = segment_volumes_ml(label, in_scene)["IPH"]
        assert abs(ml - true_ml) <= 0.01 * true_ml, (name, ml, true_ml)
        inside = np.argwhere(label == 1)[:, ::-1].astype(float)
        weights = in_scene.voxel_volumes_ml[inside[:, 2].astype(int)]
        found = np.average(in_scene.voxel_to_lps(inside), axis=0, weights=weights)
        off = in_scene.lps_to_voxel(found) - in_scene.lps_to_voxel(centre)
        assert np.abs(off).max() < 0.5, (name, off)


def test_slicers_own_segment_centre_is_the_lesions_to_a_voxel():
    for name in ("regular", "tilted", "oblique", "oblique and tilted", "cropped", "resampled"):
        slicer.mrmlScene.Clear(False)
        grid = GRIDS[name]
        centre = centre_of(grid)
        nodes = show_exam(right_handed(exam_on(grid, ellipsoid(grid, centre))))
        told = np.array(nodes.segmentations[0].GetSegmentCenterRAS("IPH")) * _RAS
        off = grid.lps_to_voxel(told) - grid.lps_to_voxel(centre)
        off_mm = np.abs(off * (grid.spacing_i_mm, grid.spacing_j_mm, 5.0))
        assert (off_mm <= (0.7, 0.7, 5.0 / 2)).all(), (name, off_mm)
