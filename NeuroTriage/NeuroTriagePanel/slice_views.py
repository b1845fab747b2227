"""What the slice views show: CT below, heatmap above it (off until asked for), and which place they look at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import slicer

from NeuroTriageLib.core.findings import ExamResult, Finding
from NeuroTriageLib.core.geometry import SliceGrid

from .volume_geometry import flip_lps_ras

HEATMAP_OPACITY = 0.6  # anatomy stays readable below it (ours)


def show_in_slice_views(
    ct_node: slicer.vtkMRMLScalarVolumeNode, heatmap_node: slicer.vtkMRMLScalarVolumeNode | None
) -> None:
    """CT as the background and the heatmap, invisible, as the foreground of every slice view.

    Views that showed another image before are zoomed to the CT.
    """
    for composite in _composites():
        is_new = composite.GetBackgroundVolumeID() != ct_node.GetID()
        composite.SetBackgroundVolumeID(ct_node.GetID())
        composite.SetForegroundVolumeID(heatmap_node.GetID() if heatmap_node is not None else None)
        composite.SetForegroundOpacity(0.0)
        if is_new:
            _fit_view(composite)


def set_heatmap_visible(heatmap_node: slicer.vtkMRMLScalarVolumeNode, visible: bool) -> None:
    """Fade the heatmap in or out in every slice view."""
    for composite in _composites():
        if visible:
            composite.SetForegroundVolumeID(heatmap_node.GetID())
        if composite.GetForegroundVolumeID() == heatmap_node.GetID():
            composite.SetForegroundOpacity(HEATMAP_OPACITY if visible else 0.0)


def look_at(point_ras: np.ndarray) -> None:
    """Move every slice view to the point; views keep their direction and zoom."""
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *map(float, point_ras))


def look_along_slices(slice_node: slicer.vtkMRMLSliceNode, grid: SliceGrid, point_ras: np.ndarray) -> None:
    """Lay one view into the acquired slice (also a tilted one) through the point, centred on that slice.

    Shown as radiologists look at axial slices, however the series was stored: patient left on the right, anterior up.
    """
    _, rows, columns = grid.shape_kji
    k = grid.lps_to_voxel(flip_lps_ras(point_ras))[2]
    middle = flip_lps_ras(grid.voxel_to_lps(np.array([(columns - 1) / 2, (rows - 1) / 2, k])))
    across, up = sorted((flip_lps_ras(grid.direction_i), flip_lps_ras(grid.direction_j)), key=lambda d: -abs(d[0]))
    across = -across if across[0] > 0 else across  # RAS: the right of the picture is the patient's left
    up = -up if up[1] < 0 else up
    matrix = slice_node.GetSliceToRAS()
    for column, direction in enumerate((across, up, np.cross(up, across), middle)):
        for row in range(3):
            matrix.SetElement(row, column, float(direction[row]))
    slice_node.UpdateMatrices()


def key_point_ras(result: ExamResult, finding: Finding) -> np.ndarray | None:
    """(3,) the middle of a finding's mask on its key slice, or of a slice without a mask; None without a key slice."""
    if finding.key_slice is None:
        return None
    _, rows, columns = result.grid.shape_kji
    middle_ij = np.array([(columns - 1) / 2, (rows - 1) / 2])
    for reading in result.readings:
        if reading.system == finding.system:
            label_ji = reading.label_kji[finding.key_slice]
            number = reading.codes.index(finding.code) + 1 if finding.code in reading.codes else None
            inside = np.argwhere(label_ji == number if number else label_ji > 0)
            if len(inside):
                middle_ij = inside.mean(0)[::-1]
    return flip_lps_ras(result.grid.voxel_to_lps(np.array([*middle_ij, finding.key_slice])))


def first_key_point_ras(result: ExamResult) -> np.ndarray:
    """Where a reader looks first: the first finding that is present, else the middle of the exam."""
    for finding in result.findings:
        if finding.present:
            point = key_point_ras(result, finding)
            if point is not None:
                return point
    slices, rows, columns = result.grid.shape_kji
    return flip_lps_ras(result.grid.voxel_to_lps((np.array([columns, rows, slices]) - 1) / 2))


def _fit_view(composite: slicer.vtkMRMLSliceCompositeNode) -> None:
    application = slicer.app.applicationLogic()
    logic = application.GetSliceLogicByLayoutName(composite.GetLayoutName())
    if logic is not None:
        logic.FitSliceToBackground()


def _composites() -> Iterator[slicer.vtkMRMLSliceCompositeNode]:
    scene = slicer.mrmlScene
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")):
        yield scene.GetNthNodeByClass(number, "vtkMRMLSliceCompositeNode")
