"""Between the library's exams and the scene: show_exam puts a result into it, volume_from_node takes a volume out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import slicer

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.core.findings import ExamResult
from NeuroTriageLib.core.volume import Volume

from . import result_nodes
from .subject_tree import Subject, place_in_subject_tree, series_instance_uid
from .volume_geometry import grid_of_volume


@dataclass(frozen=True)
class ExamNodes:
    """The nodes that show one exam.

    Args:
        ct: the volume that was read.
        segmentations, heatmaps: those of the answer; none of what could not be looked at.
        table: findings and measurements.
        lines: A and B of each ABC/2.
        folder_item: subject hierarchy item of the results.
    """

    ct: slicer.vtkMRMLScalarVolumeNode
    segmentations: tuple[slicer.vtkMRMLSegmentationNode, ...]
    heatmaps: tuple[slicer.vtkMRMLScalarVolumeNode, ...]
    table: slicer.vtkMRMLTableNode
    lines: tuple[slicer.vtkMRMLMarkupsLineNode, ...]
    folder_item: int


def show_exam(
    result: ExamResult, volume_node: slicer.vtkMRMLScalarVolumeNode | None = None, subject: Subject | None = None
) -> ExamNodes:
    """Add the nodes of a result to the scene; nothing that is there already is changed or overwritten.

    Args:
        result: what the pipeline found.
        volume_node: the node that was read; None makes one from the result's own volume. Its slices are then in the
            order that makes i, j, k right-handed, as Slicer has them after reading a file.
        subject: names for a patient and study that the scene does not know; neutral ones when None.
    """
    if volume_node is None:
        result = _with_right_handed_slices(result)
        volume_node = result_nodes.add_ct_node(result.volume)
    ct_node = volume_node
    answer = result.readings[:1]  # the systems' own masks would cover it; their opinions stand in the table
    drawn = (reading for reading in answer if reading.segments)
    segmentations = tuple(result_nodes.add_segmentation_node(result, reading, ct_node) for reading in drawn)
    heatmaps = tuple(result_nodes.add_heatmap_node(reading, ct_node) for reading in answer)
    table = result_nodes.add_findings_table(result)
    lines = tuple(line for abc2 in result.abc2 for line in result_nodes.add_abc2_lines(abc2))
    subject = subject or Subject(
        study_instance_uid=result.study_instance_uid, series_instance_uid=result.volume.series_instance_uid
    )
    folder = place_in_subject_tree(ct_node, (*segmentations, *heatmaps, table, *lines), subject)
    return ExamNodes(ct_node, segmentations, heatmaps, table, lines, folder)


def volume_from_node(volume_node: slicer.vtkMRMLScalarVolumeNode) -> Volume:
    """The node's voxels (int16 when they fit, else float32) at their true place in the patient.

    Raises:
        InputError: no image, or more than one value per voxel.
        GeometryError: its transforms bend or stretch the slices.
    """
    grid = grid_of_volume(volume_node)
    array = slicer.util.arrayFromVolume(volume_node)
    if array.ndim != 3:
        raise InputError("The selected volume has more than one value per voxel.", where=volume_node.GetName())
    uids = tuple((volume_node.GetAttribute("DICOM.instanceUIDs") or "").split())
    return Volume(
        array_kji=_plain_array(array),
        grid=grid,
        modality="CT",
        series_instance_uid=series_instance_uid(volume_node),
        sop_instance_uids=uids if len(uids) == grid.shape_kji[0] else (),
        source="scene",
    )


def _with_right_handed_slices(result: ExamResult) -> ExamResult:
    """The same exam with the slices of its images in the order in which i, j, k are right-handed.

    Slicer reverses left-handed volumes whenever it reads one, but not the transform, table and masks beside it.
    """
    origins = result.grid.origins_lps_mm
    if (origins[-1] - origins[0]) @ result.grid.normal >= 0:
        return result
    volume = replace(
        result.volume,
        array_kji=result.volume.array_kji[::-1],
        grid=replace(result.grid, origins_lps_mm=origins[::-1]),
        sop_instance_uids=result.volume.sop_instance_uids[::-1],
        frame_numbers=result.volume.frame_numbers[::-1],
    )
    readings = tuple(
        replace(reading, label_kji=reading.label_kji[::-1], heatmap_kji=reading.heatmap_kji[::-1])
        for reading in result.readings
    )
    return replace(result, volume=volume, readings=readings)


def _plain_array(array: np.ndarray) -> np.ndarray:
    """A copy as int16 when every value fits in it, else float32."""
    limits = np.iinfo(np.int16)
    if array.dtype.kind in "iub" and array.min() >= limits.min and array.max() <= limits.max:
        return array.astype(np.int16)
    return array.astype(np.float32)
