"""An exam in the scene: every voxel at its true place, masks and figures as found, nodes where a user looks."""

from __future__ import annotations

import dataclasses

import numpy as np
import slicer
import vtk

import made_exams
from NeuroTriagePanel.scene_bridge import show_exam
from NeuroTriagePanel.slice_views import look_along_slices
from NeuroTriagePanel.subject_tree import Subject

RAS_OF_LPS = np.array([-1.0, -1.0, 1.0])


def world_lps(node, index_ijk) -> np.ndarray:
    """Where Slicer itself puts a voxel: IJKToRAS, then the node's transforms."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    world = [0.0, 0.0, 0.0]
    node.TransformPointToWorld(matrix.MultiplyPoint([*map(float, index_ijk), 1.0])[:3], world)
    return np.array(world) * RAS_OF_LPS


def corners_of_every_slice(shape_kji):
    slices, rows, columns = shape_kji
    return [(i, j, k) for k in range(slices) for j in (0, rows // 2, rows - 1) for i in (0, columns // 2, columns - 1)]


def test_voxels_of_every_slice_lie_at_their_true_place_on_every_kind_of_grid():
    for name, grid in made_exams.GRIDS.items():
        result = made_exams.exam(grid)
        nodes = show_exam(result)
        grid, array = made_exams.in_scene_order(grid, result.volume.array_kji)
        assert np.array_equal(slicer.util.arrayFromVolume(nodes.ct), array), name
        for node in (nodes.ct, nodes.heatmaps[0]):
            off = max(
                np.abs(world_lps(node, index) - grid.voxel_to_lps(np.array(index))).max()
                for index in corners_of_every_slice(grid.shape_kji)
            )
            assert off < 0.01, (name, node.GetName(), off)


def test_only_stacks_that_a_matrix_cannot_place_get_an_acquisition_transform():
    for name, grid in made_exams.GRIDS.items():
        has_transform = show_exam(made_exams.exam(grid)).ct.GetParentTransformNode() is not None
        assert has_transform == (name not in ("regular", "flipped")), name


def test_segments_hold_exactly_the_mask_under_the_transform_of_the_ct():
    for name, grid in made_exams.GRIDS.items():
        result = made_exams.exam(grid)
        nodes = show_exam(result)
        segmentation = nodes.segmentations[0]
        assert segmentation.GetParentTransformNode() is nodes.ct.GetParentTransformNode(), name
        assert segmentation.GetSegmentation().GetNumberOfSegments() == 2, name
        for number, code in ((1, "IPH"), (3, "SDH")):
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, code, nodes.ct)
            expected = made_exams.in_scene_order(grid, result.readings[0].label_kji)[1] == number
            assert np.array_equal(mask > 0, expected), (name, code)


def test_the_ct_is_the_reference_of_the_segmentation_and_is_shown_in_the_brain_window():
    nodes = show_exam(made_exams.exam(made_exams.GRIDS["tilted"]))
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert nodes.segmentations[0].GetNodeReference(role) is nodes.ct
    display = nodes.ct.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (80.0, 40.0)


def test_segments_carry_name_colour_terminology_and_origin():
    nodes = show_exam(made_exams.exam(made_exams.GRIDS["regular"]))
    segment = nodes.segmentations[0].GetSegmentation().GetSegment("IPH")
    assert segment.GetName() == "Intraparenchymal hemorrhage"
    assert np.allclose(segment.GetColor(), (0.89, 0.10, 0.11))
    tags = {}
    for tag in ("TerminologyEntry", "NeuroTriage.model_sha256", "NeuroTriage.threshold", "NeuroTriage.edited"):
        value = vtk.mutable("")
        assert segment.GetTag(tag, value), tag
        tags[tag] = value.get()
    assert "SCT^274100004^Cerebral hemorrhage" in tags["TerminologyEntry"]
    assert tags["NeuroTriage.model_sha256"] == made_exams.MODEL.sha256
    assert tags["NeuroTriage.threshold"] == "0.5000"


def test_the_heatmap_is_in_percent_and_transparent_where_nothing_is():
    nodes = show_exam(made_exams.exam(made_exams.GRIDS["regular"]))
    heat = slicer.util.arrayFromVolume(nodes.heatmaps[0])
    assert (heat[made_exams.IPH_BOX] == 83).all() and heat[0].max() == 0
    display = nodes.heatmaps[0].GetDisplayNode()
    assert display.GetApplyThreshold() and display.GetLowerThreshold() > 0
    assert display.GetColorNode().GetName() == "NeuroTriage heat"


def test_the_table_gives_every_finding_and_no_figure_for_what_could_not_be_looked_at():
    grid = made_exams.GRIDS["uneven"]
    table = show_exam(made_exams.exam(grid)).table.GetTable()
    codes = [table.GetValueByName(row, "Code").ToString() for row in range(table.GetNumberOfRows())]
    assert codes == ["any", "IPH", "IVH", "SDH", "EDH", "SAH"]
    ml = table.GetValueByName(1, "Volume (mL)").ToDouble()
    assert abs(ml - made_exams.true_ml(grid, made_exams.IPH_BOX)) < 1e-6
    assert table.GetValueByName(4, "Status").ToString() == "could_not_look"
    assert np.isnan(table.GetValueByName(4, "Probability").ToDouble())
    assert abs(table.GetValueByName(1, "ABC/2 (mL)").ToDouble() - 0.42) < 1e-9


def test_abc2_lines_end_at_their_points_and_can_be_dragged():
    grid = made_exams.GRIDS["tilted"]
    result = made_exams.exam(grid)
    lines = show_exam(result).lines
    assert [line.GetName() for line in lines] == ["IPH A", "IPH B", "IPH C"]
    for line, ends in zip(lines, (made_exams.A_ENDS_IJK, made_exams.B_ENDS_IJK), strict=False):
        assert not line.GetLocked()
        for number, index in enumerate(ends):
            position = np.zeros(3)
            line.GetNthControlPointPositionWorld(number, position)
            assert np.allclose(position * RAS_OF_LPS, grid.voxel_to_lps(np.array(index)), atol=1e-6)
    assert abs(lines[2].GetLineLengthWorld() - result.abc2[0].c_mm) < 1e-6


def names_above(node) -> list[str]:
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item, names = tree.GetItemParent(tree.GetItemByDataNode(node)), []
    while item != tree.GetSceneItemID():
        names.append(tree.GetItemName(item))
        item = tree.GetItemParent(item)
    return names[::-1]


def test_results_stand_in_a_folder_under_patient_and_study():
    nodes = show_exam(made_exams.exam(made_exams.GRIDS["tilted"]))
    assert names_above(nodes.ct) == ["Patient", "Head CT"]
    assert names_above(nodes.ct.GetParentTransformNode()) == ["Patient", "Head CT"]
    for node in (*nodes.segmentations, *nodes.heatmaps, nodes.table, *nodes.lines):
        assert names_above(node) == ["Patient", "Head CT", "NeuroTriage"], node.GetName()


def test_a_patient_and_study_that_the_scene_knows_are_kept_and_a_second_run_overwrites_nothing():
    result = made_exams.exam(made_exams.GRIDS["regular"])
    first = show_exam(result, subject=Subject(patient_name="Known", study_name="Study 1"))
    again = show_exam(result, first.ct)
    assert names_above(again.table) == ["Known", "Study 1", "NeuroTriage 2"]
    assert again.ct is first.ct and again.segmentations[0] is not first.segmentations[0]
    assert first.segmentations[0].GetSegmentation().GetNumberOfSegments() == 2


def test_a_negative_exam_shows_an_empty_segmentation_and_no_lines():
    grid = made_exams.GRIDS["regular"]
    result = made_exams.exam(grid)
    quiet = dataclasses.replace(
        result.readings[0],
        probability=dict.fromkeys(result.readings[0].probability, 0.02),
        label_kji=np.zeros(grid.shape_kji, np.uint8),
    )
    nodes = show_exam(dataclasses.replace(result, readings=(quiet,), abc2=()))
    assert nodes.segmentations[0].GetSegmentation().GetNumberOfSegments() == 0 and nodes.lines == ()


def test_the_heatmap_is_rounded_to_whole_percents_at_every_probability():
    grid = made_exams.GRIDS["regular"]
    result = made_exams.exam(grid)
    heat = np.linspace(0.0, 1.0, np.prod(grid.shape_kji)).reshape(grid.shape_kji).astype(np.float16)
    nodes = show_exam(
        dataclasses.replace(result, readings=(dataclasses.replace(result.readings[0], heatmap_kji=heat),))
    )
    shown = slicer.util.arrayFromVolume(nodes.heatmaps[0]).astype(float)
    assert np.abs(shown - 100.0 * heat.astype(float)).max() <= 0.51


def test_segments_of_one_exam_share_one_labelmap_no_larger_than_they_need():
    nodes = show_exam(made_exams.exam(made_exams.GRIDS["regular"]))
    segmentation = nodes.segmentations[0].GetSegmentation()
    assert segmentation.GetNumberOfLayers() == 1
    extent = segmentation.GetSegment("IPH").GetRepresentation("Binary labelmap").GetExtent()
    assert extent == (12, 32, 10, 49, 3, 8)


def test_a_segment_that_is_present_without_a_mask_is_there_and_empty():
    grid = made_exams.GRIDS["regular"]
    result = made_exams.exam(grid)
    empty = dataclasses.replace(result.readings[0], label_kji=np.zeros(grid.shape_kji, np.uint8))
    nodes = show_exam(dataclasses.replace(result, readings=(empty,), abc2=()))
    for code in ("IPH", "SDH"):
        assert not slicer.util.arrayFromSegmentBinaryLabelmap(nodes.segmentations[0], code, nodes.ct).any()


def test_a_view_along_the_slices_shows_the_patients_left_on_the_right_and_anterior_up():
    for name, grid in made_exams.GRIDS.items():
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode")
        middle = grid.voxel_to_lps(np.array([10.0, 10.0, 5.0]))
        look_along_slices(node, grid, middle * (-1, -1, 1))
        matrix = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
        assert matrix[0, 0] < -0.7 and matrix[1, 1] > 0.7 and matrix[2, 2] > 0.7, name
        normal = grid.normal * (-1, -1, 1)
        assert abs(abs(matrix[:3, 2] @ normal) - 1) < 1e-6, name
        slicer.mrmlScene.RemoveNode(node)


def test_hemorrhage_of_undetermined_type_carries_no_type_in_its_name():
    exam = made_exams.exam(made_exams.GRIDS["regular"])
    reading = exam.readings[0]
    label = np.where(reading.label_kji > 0, 1, 0).astype(np.uint8)
    low = dict.fromkeys(reading.probability, 0.04) | {"any": 0.97}
    exam = dataclasses.replace(exam, readings=(dataclasses.replace(reading, probability=low, label_kji=label),))
    segmentation = show_exam(exam).segmentations[0].GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 1
    assert segmentation.GetNthSegment(0).GetName() == "Intracranial hemorrhage, type undetermined"
