"""Between segments and numpy: a label map in the review's fixed values from a segmentation node, and back.

The segments of our nodes lie on the voxels of the CT under the same transform, so their voxels are copied, never
resampled. A segment that came onto another grid (another module's work) is resampled by Slicer.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from NeuroTriageLib.core.codes import FINDING_CODES
from NeuroTriageLib.measurements.bounding_box import Box, bounding_box
from NeuroTriageLib.review.labels import SEGMENT_CODES, SEGMENT_VALUES

BINARY_LABELMAP = "Binary labelmap"  # vtkSegmentationConverter's name for it
# Two grids are the same when their matrices differ by less (ours; millimetres).
SAME_GRID_MM = 1e-4


def read_label(
    segmentation_node: slicer.vtkMRMLSegmentationNode, ct_node: slicer.vtkMRMLScalarVolumeNode
) -> np.ndarray:
    """(K, J, I) uint8 in the values of review/labels.py; of overlapping segments the later one wins.

    Segments whose ID is none of our codes are left out (see foreign_segments).
    """
    columns, rows, slices = ct_node.GetImageData().GetDimensions()
    label = np.zeros((slices, rows, columns), np.uint8)
    segmentation = segmentation_node.GetSegmentation()
    for code in SEGMENT_CODES:
        segment = segmentation.GetSegment(code)
        if segment is None:
            continue
        image = segment.GetRepresentation(BINARY_LABELMAP)
        if image is None or image.IsEmpty():
            continue
        if _same_grid(image, ct_node):
            box, values = _voxels(image, label.shape)
            if box is not None:
                label[box][values == segment.GetLabelValue()] = SEGMENT_VALUES[code]
        else:
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation_node, code, ct_node)
            label[mask > 0] = SEGMENT_VALUES[code]
    return label


def foreign_segments(segmentation_node: slicer.vtkMRMLSegmentationNode) -> tuple[str, ...]:
    """Names of segments that are none of the types and so are not part of the review."""
    segmentation = segmentation_node.GetSegmentation()
    ids = (segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments()))
    return tuple(segmentation.GetSegment(i).GetName() for i in ids if i not in SEGMENT_CODES)


def write_label(
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    ct_node: slicer.vtkMRMLScalarVolumeNode,
    label_kji: np.ndarray,
    codes: tuple[str, ...] = (),
) -> None:
    """Make the node's segments hold this label map (fixed values); all share one image.

    Args:
        segmentation_node: has the reference geometry of the CT.
        ct_node: on whose voxels the label map lies.
        label_kji: (K, J, I) uint8.
        codes: types that get a segment although they have no voxels, for instance to be painted.
    """
    segmentation = segmentation_node.GetSegmentation()
    image = oriented_labelmap(label_kji, ct_node)
    used = set(np.unique(label_kji[_box(label_kji)]).tolist())
    was_modifying = segmentation_node.StartModify()
    for code in SEGMENT_CODES:
        segment = segmentation.GetSegment(code)
        if segment is None and not (SEGMENT_VALUES[code] in used or code in codes):
            continue
        if segment is None:
            segment = new_segment(code)
            segment.AddRepresentation(BINARY_LABELMAP, image)
            segmentation.AddSegment(segment, code)
        segment.SetLabelValue(SEGMENT_VALUES[code])
        segment.AddRepresentation(BINARY_LABELMAP, image)
    segmentation_node.EndModify(was_modifying)
    if segmentation.ContainsRepresentation("Closed surface"):
        segmentation_node.CreateClosedSurfaceRepresentation()


def new_segment(code: str) -> slicer.vtkSegment:
    """An empty segment with the name, colour and terminology of the code."""
    entry = FINDING_CODES[code]
    segment = slicer.vtkSegment()
    segment.SetName(f"{entry.name}, type undetermined" if code == "any" else entry.name)
    segment.SetColor(entry.color_rgb)
    segment.SetLabelValue(SEGMENT_VALUES[code])
    segment.SetTag("TerminologyEntry", entry.slicer_terminology_entry())
    segment.SetTag("NeuroTriage.code", code)
    return segment


def oriented_labelmap(label_kji: np.ndarray, ct_node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkOrientedImageData:
    """One image with the values of all segments, cut to the box that holds them, on the voxels of the CT."""
    box = _box(label_kji)
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*(edge for part in reversed(box) for edge in (part.start, part.stop - 1)))
    image.SetImageToWorldMatrix(_matrix(ct_node))
    scalars = numpy_support.numpy_to_vtk(np.ascontiguousarray(label_kji[box], dtype=np.uint8).ravel(), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    return image


def _matrix(ct_node: slicer.vtkMRMLScalarVolumeNode) -> vtk.vtkMatrix4x4:
    matrix = vtk.vtkMatrix4x4()
    ct_node.GetIJKToRASMatrix(matrix)
    return matrix


def _same_grid(image: slicer.vtkOrientedImageData, ct_node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    ours, theirs = (slicer.util.arrayFromVTKMatrix(m) for m in (_matrix(ct_node), matrix))
    return bool(np.abs(ours - theirs).max() < SAME_GRID_MM)


def _voxels(image: slicer.vtkOrientedImageData, shape_kji: tuple[int, ...]) -> tuple[Box | None, np.ndarray]:
    """The part of the image that lies inside the CT: its box there (None: no part) and its values."""
    extent = np.array(image.GetExtent()).reshape(3, 2)[::-1]  # k, j, i
    values = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(extent[:, 1] - extent[:, 0] + 1)
    first, last = np.maximum(extent[:, 0], 0), np.minimum(extent[:, 1], np.array(shape_kji) - 1)
    if (last < first).any():
        return None, values
    inside = tuple(slice(a - e, b - e + 1) for a, b, e in zip(first, last, extent[:, 0], strict=True))
    k, j, i = (slice(int(a), int(b) + 1) for a, b in zip(first, last, strict=True))
    return (k, j, i), values[inside]


def _box(label_kji: np.ndarray) -> Box:
    """Slices k, j, i around every voxel that is not 0; one voxel when there is none."""
    return bounding_box(label_kji) or (slice(0, 1), slice(0, 1), slice(0, 1))
