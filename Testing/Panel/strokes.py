"""A stroke of a brush: what an effect of the Segment Editor does when the mouse is released."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support


def stroke(widget, mask_kji: np.ndarray, *, erase: bool = False) -> None:
    """Add these voxels of the source volume to the current segment, or erase them, as a brush does.

    Args:
        widget: a qMRMLSegmentEditorWidget that is bound to segmentation and volume.
        mask_kji: (K, J, I) bool.
        erase: take them away.
    """
    logic = slicer.vtkSlicerSegmentEditorLogic()  # masking and overwriting are those of the widget's node
    logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    logic.SetMRMLScene(slicer.mrmlScene)
    logic.SetSegmentEditorNode(widget.mrmlSegmentEditorNode())
    widget.saveStateForUndo()
    matrix = vtk.vtkMatrix4x4()
    widget.sourceVolumeNode().GetIJKToRASMatrix(matrix)
    image = slicer.vtkOrientedImageData()
    slices, rows, columns = mask_kji.shape
    image.SetExtent(0, columns - 1, 0, rows - 1, 0, slices - 1)
    image.SetImageToWorldMatrix(matrix)
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(mask_kji.astype(np.uint8).ravel(), deep=True))
    mode = logic.ModificationModeRemove if erase else logic.ModificationModeAdd
    logic.ModifySegmentByLabelmap(widget.segmentationNode(), widget.currentSegmentID(), image, mode, False, False)
