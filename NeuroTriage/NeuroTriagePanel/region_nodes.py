"""The boxes that a detector looked at (Chang 2018), as models that show a rectangle on the slice they lie on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import vtk

from NeuroTriageLib.core.codes import FINDING_CODES
from NeuroTriageLib.core.findings import ExamResult, Region
from NeuroTriageLib.core.geometry import SliceGrid

from .result_nodes import add_node
from .volume_geometry import flip_lps_ras

REGIONS_ATTRIBUTE = "NeuroTriage.regions"
REJECTED = "rejected"
_REJECTED_RGB = (0.65, 0.65, 0.65)
_ACCEPTED_PX, _REJECTED_PX = 2, 1
# The six sides of a box whose corners are numbered in the order k, j, i.
_SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


def add_region_nodes(result: ExamResult) -> list[slicer.vtkMRMLModelNode]:
    """One hidden model per type of the accepted boxes and one for all rejected ones; none without a detector."""
    regions = [region for reading in result.readings for region in reading.regions]
    groups = {code: [r for r in regions if r.accepted and r.code == code] for code in {r.code for r in regions}}
    groups[REJECTED] = [region for region in regions if not region.accepted]
    return [_add_model(key, chosen, result.grid) for key, chosen in sorted(groups.items()) if chosen]


def set_regions_visible(nodes: Sequence[slicer.vtkMRMLModelNode], *, accepted: bool, rejected: bool) -> None:
    """Show or hide the boxes in the slice views."""
    for node in nodes:
        is_rejected = node.GetAttribute(REGIONS_ATTRIBUTE) == REJECTED
        node.GetDisplayNode().SetVisibility(rejected if is_rejected else accepted)


def box_corners_lps(region: Region, grid: SliceGrid) -> np.ndarray:
    """(8, 3) LPS corners: the outer edges of its pixels, over the thickness for which its slice stands."""
    first_row, first_column, last_row, last_column = region.box_ji
    thickness = float(grid.slice_extents_mm[region.slice_index])
    corners = []
    for side in (-0.5, 0.5):
        for j in (first_row - 0.5, last_row + 0.5):
            for i in (first_column - 0.5, last_column + 0.5):
                point = grid.voxel_to_lps(np.array([i, j, region.slice_index], dtype=float))
                corners.append(point + side * thickness * grid.normal)
    return np.array(corners)


def _add_model(key: str, regions: Sequence[Region], grid: SliceGrid) -> slicer.vtkMRMLModelNode:
    points, sides = vtk.vtkPoints(), vtk.vtkCellArray()
    for region in regions:
        first = points.GetNumberOfPoints()
        for corner in flip_lps_ras(box_corners_lps(region, grid)):
            points.InsertNextPoint(corner)
        for side in _SIDES:
            sides.InsertNextCell(4, [first + corner for corner in side])
    surface = vtk.vtkPolyData()
    surface.SetPoints(points)
    surface.SetPolys(sides)
    name = "looked at and rejected" if key == REJECTED else FINDING_CODES[key].name
    node = add_node("vtkMRMLModelNode", f"Boxes: {name}")
    node.SetAndObservePolyData(surface)
    node.SetAttribute(REGIONS_ATTRIBUTE, key)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(_REJECTED_RGB if key == REJECTED else FINDING_CODES[key].color_rgb)
    display.SetVisibility3D(False)
    display.SetVisibility2D(True)
    display.SetSliceIntersectionThickness(_REJECTED_PX if key == REJECTED else _ACCEPTED_PX)
    display.SetVisibility(False)
    return node
