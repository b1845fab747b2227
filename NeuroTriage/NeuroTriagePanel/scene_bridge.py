"""Between the library's exams and the scene: show_exam puts a result into it, volume_from_node takes a volume out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import slicer

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.core.findings import Abc2, ExamResult, Reading
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.pauses import Pausing, without_pauses
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.core.voxel_probabilities import VoxelProbabilities
from NeuroTriageLib.review.live_measurements import AbcLines

from . import result_nodes
from .abc2_lines import add_lines
from .listeners import Listeners
from .region_nodes import add_region_nodes
from .subject_tree import Subject, place_in_subject_tree, put_into_folder, series_instance_uid
from .volume_geometry import grid_of_volume
from .volume_modality import modality_of


@dataclass
class ExamNodes:
    """The nodes that show one exam.

    Args:
        ct: the volume that was read.
        segmentations: the answer's mask (version 0); empty when it draws none or could not look.
        heatmaps: the answer's, then one per system whose opinion went into it.
        table: findings and measurements; None until it is made.
        lines: A, B and C of each ABC/2.
        midline: the reader's points of midline shift, and its two lines (midline_nodes.py).
        regions: boxes of a detector.
        folder_item: subject hierarchy item of the results.
        working: the reader's version of the mask; None until it is made.
        added: told when a node has come later; what is saved with the scene must refer to it.
    """

    ct: slicer.vtkMRMLScalarVolumeNode
    segmentations: tuple[slicer.vtkMRMLSegmentationNode, ...] = ()
    heatmaps: tuple[slicer.vtkMRMLScalarVolumeNode, ...] = ()
    table: slicer.vtkMRMLTableNode | None = None
    lines: tuple[slicer.vtkMRMLMarkupsLineNode, ...] = ()
    midline: tuple[slicer.vtkMRMLMarkupsNode, ...] = ()
    regions: tuple[slicer.vtkMRMLModelNode, ...] = ()
    folder_item: int = 0
    working: slicer.vtkMRMLSegmentationNode | None = None
    added: Listeners = field(default_factory=Listeners)

    def add_working(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Take the reader's version in, also in the subject hierarchy."""
        self.working = node
        put_into_folder(node, self.folder_item)
        self.added.tell()

    def use_midline(self, nodes: tuple[slicer.vtkMRMLMarkupsNode, ...]) -> None:
        """Take these as the nodes of midline shift, also in the subject hierarchy; () when the reader removed them."""
        self.midline = nodes
        for node in nodes:
            put_into_folder(node, self.folder_item)
        self.added.tell()

    def add_lines(self, nodes: list[slicer.vtkMRMLMarkupsLineNode]) -> None:
        """Take lines in, also in the subject hierarchy."""
        self.lines += tuple(nodes)
        for node in nodes:
            put_into_folder(node, self.folder_item)
        self.added.tell()


def show_exam(
    result: ExamResult, volume_node: slicer.vtkMRMLScalarVolumeNode | None = None, subject: Subject | None = None
) -> ExamNodes:
    """Add the nodes of a result to the scene; nothing that is there already is changed or overwritten.

    Args:
        result: what the pipeline found.
        volume_node: the node that was read; None makes one from the result's own volume. Its slices are then in the
            order that makes i, j, k right-handed (right_handed), as Slicer has them after reading a file.
        subject: names for a patient and study that the scene does not know; neutral ones when None.
    """
    if volume_node is None:
        result = right_handed(result)
        volume_node = result_nodes.add_ct_node(result.volume, contrast=result.contrast)
    nodes = ExamNodes(volume_node)
    without_pauses(show_exam_pausing(result, nodes, subject))
    return nodes


def show_exam_pausing(result: ExamResult, nodes: ExamNodes, subject: Subject | None = None) -> Pausing[None]:
    """The same with pauses, in which the interface answers."""
    ct = nodes.ct
    answer = result.readings[:1]  # the systems' own masks would cover it; their opinions stand in the table

    nodes.segmentations = tuple(result_nodes.add_segmentation_node(result, r, ct) for r in answer if r.segments)
    yield
    for reading in result.readings:
        if reading.heatmap_kji.shape == result.grid.shape_kji:
            nodes.heatmaps += (result_nodes.add_heatmap_node(result, reading, ct),)
            yield
    nodes.table = result_nodes.add_findings_table(result)
    nodes.lines = tuple(node for item in result.abc2 for node in add_lines(item.code, lines_of(item, result.grid)))
    nodes.regions = tuple(add_region_nodes(result))
    yield
    uids = {"study_instance_uid": result.study_instance_uid}
    uids["series_instance_uid"] = result.volume.series_instance_uid
    placed = (*nodes.segmentations, *nodes.heatmaps, nodes.table, *nodes.lines, *nodes.regions)
    nodes.folder_item = place_in_subject_tree(ct, placed, subject or Subject(**uids))
    yield


def lines_of(item: Abc2, grid: SliceGrid) -> AbcLines:
    """A and B as they were measured, and C as a line of its length across the slices, through the middle of A."""
    a_ends = np.asarray(item.a_ends_lps_mm)
    half = grid.normal * item.c_mm / 2
    c_ends = (tuple((a_ends.mean(0) - half).tolist()), tuple((a_ends.mean(0) + half).tolist()))
    return AbcLines(item.a_ends_lps_mm, item.b_ends_lps_mm, c_ends)


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
        modality=modality_of(volume_node) or "CT",
        series_instance_uid=series_instance_uid(volume_node),
        sop_instance_uids=uids if len(uids) == grid.shape_kji[0] else (),
        source="scene",
    )


def right_handed(result: ExamResult) -> ExamResult:
    """The same exam with its slices in the order in which i, j, k are right-handed; every slice number goes along.

    Slicer reverses left-handed volumes whenever it reads one, but not the transform, table and masks beside it.
    """
    origins = result.grid.origins_lps_mm
    if (origins[-1] - origins[0]) @ result.grid.normal >= 0:
        return result
    last = len(origins) - 1

    def turned(item):
        """What has a key slice, with that slice counted from the other end; None stays None."""
        return item if item is None or item.key_slice is None else replace(item, key_slice=last - item.key_slice)

    volume = replace(
        result.volume,
        array_kji=result.volume.array_kji[::-1],
        grid=replace(result.grid, origins_lps_mm=origins[::-1]),
        sop_instance_uids=result.volume.sop_instance_uids[::-1],
        frame_numbers=result.volume.frame_numbers[::-1],
    )
    return replace(
        result,
        volume=volume,
        readings=tuple(_turned_reading(reading, result.grid.shape_kji) for reading in result.readings),
        findings=tuple(map(turned, result.findings)),
        opinions=tuple(map(turned, result.opinions)),
        abc2=tuple(map(turned, result.abc2)),
        midline=turned(result.midline),
    )


def _turned_reading(reading: Reading, shape_kji: tuple[int, int, int]) -> Reading:
    last = shape_kji[0] - 1
    return replace(
        reading,
        label_kji=reading.label_kji[::-1],
        heatmap_kji=reading.heatmap_kji[::-1],
        slice_probability={code: scores[::-1] for code, scores in reading.slice_probability.items()},
        regions=tuple(replace(region, slice_index=last - region.slice_index) for region in reading.regions),
        voxel_probabilities=reading.voxel_probabilities and _turned_voxels(reading.voxel_probabilities, shape_kji),
    )


def _turned_voxels(voxels: VoxelProbabilities, shape_kji: tuple[int, int, int]) -> VoxelProbabilities:
    slices, rows, columns = shape_kji
    k, place = np.divmod(voxels.index.astype(np.int64), rows * columns)
    index = (slices - 1 - k) * rows * columns + place
    order = np.argsort(index, kind="stable")
    return replace(
        voxels,
        index=index[order].astype(np.uint32),
        level=voxels.level[order],
        type_level=voxels.type_level[order],
    )


def _plain_array(array: np.ndarray) -> np.ndarray:
    """A copy as int16 when every value fits in it, else float32."""
    limits = np.iinfo(np.int16)
    if array.dtype.kind in "iub" and array.min() >= limits.min and array.max() <= limits.max:
        return array.astype(np.int16)
    return array.astype(np.float32)
