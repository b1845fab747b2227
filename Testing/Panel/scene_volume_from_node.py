"""A volume taken out of the scene: the library gets every slice's true place, or a clear refusal."""

from __future__ import annotations

import math

import numpy as np
import slicer
import vtk

import made_exams
from NeuroTriageLib.core.errors import GeometryError, InputError
from NeuroTriagePanel.scene_bridge import show_exam, volume_from_node

LPS_OF_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def ct_node(grid):
    return show_exam(made_exams.exam(grid)).ct


def linear_transform(matrix):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.asarray(matrix, dtype=float)))
    return node


def put_under(node, transform_node) -> None:
    """Above everything that is over the node already."""
    top = node.GetParentTransformNode() or node
    while top.GetParentTransformNode() is not None:
        top = top.GetParentTransformNode()
    top.SetAndObserveTransformNodeID(transform_node.GetID())


def tilted_head(angle_deg: float) -> np.ndarray:
    angle = math.radians(angle_deg)
    matrix = np.eye(4)
    matrix[1:3, 1:3] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    matrix[:3, 3] = [3.0, -8.0, 40.0]
    return matrix


def test_the_way_into_the_scene_and_out_again_gives_the_same_exam():
    for name, grid in made_exams.GRIDS.items():
        result = made_exams.exam(grid)
        volume = volume_from_node(show_exam(result).ct)
        expected_grid, expected_array = made_exams.in_scene_order(grid, result.volume.array_kji)
        assert volume.grid.same_as(expected_grid, tolerance_mm=0.01), name
        assert np.array_equal(volume.array_kji, expected_array), name
        assert volume.array_kji.dtype == np.int16
        assert volume.series_instance_uid == "1.2.3"
        uids = np.array(result.volume.sop_instance_uids)
        assert volume.sop_instance_uids == tuple(made_exams.in_scene_order(grid, uids)[1]), name


def test_a_rigid_parent_transform_moves_every_slice_with_it():
    for name, grid in made_exams.GRIDS.items():
        node = ct_node(grid)
        grid = made_exams.in_scene_order(grid, np.zeros(0))[0]
        matrix = tilted_head(25.0)
        put_under(node, linear_transform(matrix))
        found = volume_from_node(node).grid
        to_lps = LPS_OF_RAS @ matrix @ LPS_OF_RAS
        index = np.array([[0, 0, 0], [47, 0, 3], [0, 63, 7], [20, 30, 11]])
        expected = grid.voxel_to_lps(index) @ to_lps[:3, :3].T + to_lps[:3, 3]
        assert np.abs(found.voxel_to_lps(index) - expected).max() < 0.01, name


def test_results_under_a_rigid_parent_transform_lie_on_the_ct():
    node = ct_node(made_exams.GRIDS["tilted"])
    put_under(node, linear_transform(tilted_head(25.0)))
    volume = volume_from_node(node)
    nodes = show_exam(made_exams.exam(volume.grid, volume), node)
    for index in ((12.0, 10.0, 3.0), (19.0, 29.0, 5.0)):
        places = []
        for shown in (node, nodes.heatmaps[0]):
            matrix, place = vtk.vtkMatrix4x4(), np.zeros(3)
            shown.GetIJKToRASMatrix(matrix)
            shown.TransformPointToWorld(matrix.MultiplyPoint((*index, 1.0))[:3], place)
            places.append(place)
        assert np.allclose(places[0], places[1], atol=1e-9)
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(nodes.segmentations[0], "IPH", node)
    assert mask[made_exams.IPH_BOX].all() and mask.sum() == 3 * 20 * 8


def test_scaling_by_a_parent_transform_changes_the_pixel_size():
    node = ct_node(made_exams.GRIDS["regular"])
    put_under(node, linear_transform(np.diag([1.1, 1.1, 1.1, 1.0])))
    grid = volume_from_node(node).grid
    assert abs(grid.spacing_i_mm - 0.55) < 1e-6 and abs(grid.spacing_j_mm - 0.77) < 1e-6
    assert np.allclose(grid.slice_spacings_mm, 5.5)


def test_a_transform_that_bends_the_slices_is_refused_with_a_next_step():
    node = ct_node(made_exams.GRIDS["regular"])
    points = [[x, y, z] for x in (-60, 60) for y in (-60, 60) for z in (0, 80)]
    bend = vtk.vtkThinPlateSplineTransform()
    bend.SetBasisToR()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for number, point in enumerate(points):
        source.InsertNextPoint(point)
        target.InsertNextPoint(point[0], point[1] + (6.0 if number == 5 else 0.0), point[2])
    bend.SetSourceLandmarks(source)
    bend.SetTargetLandmarks(target)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetAndObserveTransformToParent(bend)
    put_under(node, transform)
    assert refusal(node, GeometryError).next_step


def test_a_transform_that_shears_the_slices_in_their_plane_is_refused():
    matrix = np.eye(4)
    matrix[0, 1] = 0.2
    node = ct_node(made_exams.grid(turned_deg=0.0))
    put_under(node, linear_transform(matrix))
    refusal(node, GeometryError)


def test_a_volume_without_an_image_is_refused():
    refusal(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"), InputError)


def test_a_colour_image_is_refused():
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "colour")
    slicer.util.updateVolumeFromArray(node, np.zeros((2, 3, 4, 3), np.uint8))
    refusal(node, InputError)


def test_values_beyond_int16_stay_as_floats():
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "wide")
    slicer.util.updateVolumeFromArray(node, np.full((2, 3, 4), 40000, np.int32))
    volume = volume_from_node(node)
    assert volume.array_kji.dtype == np.float32 and volume.array_kji.max() == 40000.0


def refusal(node, kind):
    try:
        volume_from_node(node)
    except kind as error:
        return error
    raise AssertionError("nothing was refused")
