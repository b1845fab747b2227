"""What the slice views show: CT through a window, heatmap above it (off until asked for), and which place."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import slicer

from NeuroTriageLib.core.codes import ABNORMAL
from NeuroTriageLib.core.findings import ExamResult, Finding
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.review.labels import finding_mask, label_of_reading

from .volume_geometry import flip_lps_ras

# Window and level in HU as they are in common use for head CT (Radiopaedia, "Windowing (CT)": brain 80/40, subdural
# 130-300/50-100, stroke 40/40, bone 2800/600).
WINDOW_PRESETS_HU: dict[str, tuple[float, float]] = {
    "brain": (80.0, 40.0),
    "subdural": (200.0, 75.0),
    "bone": (2800.0, 600.0),
    "stroke": (40.0, 40.0),
}


def show_in_slice_views(ct_node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """CT as the background of every slice view, nothing above it; views that showed another image are zoomed to it."""
    for composite in _composites():
        is_new = composite.GetBackgroundVolumeID() != ct_node.GetID()
        composite.SetBackgroundVolumeID(ct_node.GetID())
        composite.SetForegroundVolumeID(None)
        composite.SetForegroundOpacity(0.0)
        if is_new:
            _fit_view(composite)


def show_heatmap(heatmap_node: slicer.vtkMRMLScalarVolumeNode | None, opacity: float) -> None:
    """Lay the heatmap over the CT in every slice view with this opacity (0-1); None takes any heatmap away."""
    for composite in _composites():
        composite.SetForegroundVolumeID(heatmap_node.GetID() if heatmap_node is not None else None)
        composite.SetForegroundOpacity(opacity if heatmap_node is not None else 0.0)


def set_window(ct_node: slicer.vtkMRMLScalarVolumeNode, preset: str) -> None:
    """Show the CT through one of WINDOW_PRESETS_HU."""
    display = ct_node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(*WINDOW_PRESETS_HU[preset])


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


def key_point_ras(result: ExamResult, finding: Finding, label_kji: np.ndarray | None = None) -> np.ndarray | None:
    """(3,) the middle of a finding's mask on its key slice, or of a slice without a mask; None without a key slice.

    Args:
        result: the exam.
        finding: what to look at.
        label_kji: (K, J, I) the present mask in the review's fixed values; the answer's own when None.
    """
    if finding.key_slice is None:
        return None
    _, rows, columns = result.grid.shape_kji
    middle_ij = np.array([(columns - 1) / 2, (rows - 1) / 2])
    if label_kji is None and result.readings and result.readings[0].segments:
        label_kji = label_of_reading(result.readings[0])
    if label_kji is not None:
        inside = np.argwhere(finding_mask(label_kji[finding.key_slice], finding.code))
        if len(inside):
            middle_ij = inside.mean(0)[::-1]
    return flip_lps_ras(result.grid.voxel_to_lps(np.array([*middle_ij, finding.key_slice])))


def first_key_point_ras(result: ExamResult) -> np.ndarray:
    """Where a reader looks first: the first finding that is present (an abnormality as such last), else the middle."""
    for finding in sorted(result.findings, key=lambda finding: finding.code == ABNORMAL):
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
