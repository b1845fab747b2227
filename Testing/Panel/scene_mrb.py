"""scene.mrb as a reader finds it: written by one process, read back here by another."""

from __future__ import annotations

import functools
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import slicer
import vtk

import made_exams
from NeuroTriageLib.outputs.scene_file import write_scene
from NeuroTriagePanel.scene_bridge import volume_from_node


@functools.cache
def scene_file(grid) -> Path:
    path = Path(tempfile.mkdtemp(dir=slicer.app.temporaryPath), "scene.mrb")
    write_scene(made_exams.exam(grid), path)
    return path


def reread(grid) -> None:
    assert slicer.mrmlScene.ReadFromMRB(str(scene_file(grid)), True)


def named(name):
    node = slicer.mrmlScene.GetFirstNodeByName(name)
    assert node is not None, name
    return node


def test_every_voxel_of_the_reread_ct_has_its_true_place():
    for name in ("regular", "flipped", "tilted", "tilted, uneven, flipped"):
        grid = made_exams.GRIDS[name]
        reread(grid)
        grid, array = made_exams.in_scene_order(grid, made_exams.volume(grid).array_kji)
        volume = volume_from_node(named("Head CT"))
        assert volume.grid.same_as(grid, tolerance_mm=0.01) and np.array_equal(volume.array_kji, array), name
        heatmap = volume_from_node(named("Hemorrhage heatmap (kuo2019)"))
        assert heatmap.grid.same_as(grid, tolerance_mm=0.01), name


def test_the_mask_in_the_scene_has_the_millilitres_of_the_table():
    grid = made_exams.GRIDS["tilted, uneven, flipped"]
    reread(grid)
    ct, segmentation = named("Head CT"), named("Hemorrhage (kuo2019)")
    scene_grid = volume_from_node(ct).grid
    table = named("NeuroTriage findings").GetTable()
    for row, code in ((1, "IPH"), (3, "SDH")):
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, code, ct) > 0
        box = {"IPH": made_exams.IPH_BOX, "SDH": made_exams.SDH_BOX}[code]
        assert mask[::-1][box].all() and mask.sum() == mask[::-1][box].sum()  # the slices came from head to foot
        ml = float(mask.sum(axis=(1, 2)) @ scene_grid.voxel_volumes_ml)
        assert abs(ml - table.GetValueByName(row, "Volume (mL)").ToDouble()) < 1e-3


def test_nodes_lines_window_colours_and_tree_survive():
    grid = made_exams.GRIDS["tilted"]
    reread(grid)
    ct, heat, segmentation = named("Head CT"), named("Hemorrhage heatmap (kuo2019)"), named("Hemorrhage (kuo2019)")
    assert (ct.GetDisplayNode().GetWindow(), ct.GetDisplayNode().GetLevel()) == (80.0, 40.0)
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert segmentation.GetNodeReference(role) is ct
    color = np.zeros(4)
    heat.GetDisplayNode().GetColorNode().GetColor(255, color)
    assert np.allclose(color[:3], (1.0, 0.97, 0.7), atol=0.01)
    position = np.zeros(3)
    named("IPH A").GetNthControlPointPositionWorld(1, position)
    assert np.allclose(position * (-1, -1, 1), grid.voxel_to_lps(np.array(made_exams.A_ENDS_IJK[1])), atol=1e-3)
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folder = tree.GetItemParent(tree.GetItemByDataNode(segmentation))
    study = tree.GetItemParent(folder)
    assert [tree.GetItemName(item) for item in (folder, study)] == ["NeuroTriage", "Head CT"]
    assert tree.GetItemParent(tree.GetItemByDataNode(ct)) == study
    assert tree.GetItemLevel(tree.GetItemParent(study)) == "Patient"


def test_the_scene_opens_with_the_ct_in_the_views_at_the_first_finding_and_the_heatmap_off():
    grid = made_exams.GRIDS["tilted"]
    reread(grid)
    composite = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    assert composite.GetBackgroundVolumeID() == named("Head CT").GetID()
    assert named("Hemorrhage heatmap (kuo2019)") is not None and composite.GetForegroundVolumeID() is None
    assert composite.GetForegroundOpacity() == 0.0
    red = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed").GetSliceToRAS()
    normal, origin = (np.array([red.GetElement(row, column) for row in range(3)]) for column in (2, 3))
    on_key_slice = grid.voxel_to_lps(np.array([0, 0, made_exams.IPH_BOX[0].start + 1])) * (-1, -1, 1)
    assert abs((origin - on_key_slice) @ normal) < 0.01
    assert np.abs(np.abs(normal) - np.abs(grid.normal)).max() < 1e-6


def test_segment_tags_survive():
    reread(made_exams.GRIDS["regular"])
    segment = named("Hemorrhage (kuo2019)").GetSegmentation().GetSegment("SDH")
    for tag, expected in (("NeuroTriage.model_sha256", made_exams.MODEL.sha256), ("NeuroTriage.probability", "0.8100")):
        value = vtk.mutable("")
        assert segment.GetTag(tag, value) and value.get() == expected
    value = vtk.mutable("")
    assert segment.GetTag("TerminologyEntry", value) and "SCT^35486000^Subdural hemorrhage" in value.get()


def test_the_file_names_no_path_of_this_machine():
    with zipfile.ZipFile(scene_file(made_exams.GRIDS["regular"])) as archive:
        (scene,) = [name for name in archive.namelist() if name.endswith(".mrml")]
        text = archive.read(scene).decode()
    assert str(Path.home()) not in text and "neurotriage-scene-" not in text and tempfile.gettempdir() not in text
