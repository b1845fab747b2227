"""The scene's nodes for a result: CT, segmentation, heatmap, table. Each function makes one new node."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from NeuroTriageLib.core.codes import FINDING_CODES
from NeuroTriageLib.core.findings import ExamResult, Finding, Reading
from NeuroTriageLib.core.heat_percent import to_percent
from NeuroTriageLib.core.mr_images import CONTRAST_NAMES
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.review.labels import label_of_reading

from .findings_rows import opinion_texts
from .heat_colors import heat_color_node
from .segment_arrays import BINARY_LABELMAP, write_label
from .volume_geometry import place_volume
from .volume_modality import note_modality

# Brain window: the width and centre in common use for hemorrhage on non-contrast head CT (HU).
BRAIN_WINDOW_HU, BRAIN_LEVEL_HU = 80.0, 40.0
# Heat below this percentage is not painted: it is the colour of "nothing here" (ours).
HEAT_SHOWN_FROM_PERCENT = 5.0
# MR signal has no unit: white is this percentile of the head's voxels (ours), so that fat does not set the scale.
BRIGHTEST_PERCENT = 99.0
HEATMAP_ATTRIBUTE = "NeuroTriage.heatmap_of"


def add_ct_node(volume: Volume, name: str = "Head CT", contrast: str = "") -> slicer.vtkMRMLScalarVolumeNode:
    """A new volume node with the exam's voxels at their true place; CT is shown in the brain window.

    Args:
        volume: the exam's.
        name: of the node.
        contrast: of an MR volume what it was read as (core.mr_images.CONTRASTS).
    """
    node = add_node("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(volume.array_kji))
    place_volume(node, volume.grid)
    if volume.modality == "CT":
        node.SetVoxelValueQuantity(_coded("112031", "DCM", "Attenuation Coefficient"))
        node.SetVoxelValueUnits(_coded("[hnsf'U]", "UCUM", "Hounsfield unit"))
    note_modality(node, volume.modality, contrast)
    if volume.sop_instance_uids:
        node.SetAttribute("DICOM.instanceUIDs", " ".join(volume.sop_instance_uids))
    node.CreateDefaultDisplayNodes()
    if volume.modality == "CT":
        show_brain_window(node)
    else:
        show_signal_window(node, volume.array_kji)
    return node


def show_signal_window(volume_node: slicer.vtkMRMLScalarVolumeNode, array_kji: np.ndarray) -> None:
    """Show an MR image in grey, from nothing to the brightest but a few of its voxels that are not air."""
    signal = array_kji[array_kji > 0]
    top = float(np.percentile(signal[:: max(len(signal) // 100_000, 1)], BRIGHTEST_PERCENT)) if len(signal) else 1.0
    display = volume_node.GetDisplayNode()
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, top)


def show_brain_window(volume_node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Show the CT in grey, window 80, level 40 HU."""
    display = volume_node.GetDisplayNode()
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    display.AutoWindowLevelOff()
    display.SetWindowLevel(BRAIN_WINDOW_HU, BRAIN_LEVEL_HU)


def add_segmentation_node(
    result: ExamResult, reading: Reading, ct_node: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLSegmentationNode:
    """One segment per type that is present, with its names, codes and origin, on the voxels of the CT."""
    node = add_node("vtkMRMLSegmentationNode", _node_name("Hemorrhage", "Findings", result, reading))
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct_node)
    node.SetAndObserveTransformNodeID(ct_node.GetTransformNodeID())
    node.GetSegmentation().SetSourceRepresentationName(BINARY_LABELMAP)
    # Nobody may read a type into a bleed of undetermined type: its voxels are a segment "any" of their own.
    present = () if reading.is_untyped else tuple(code for code in reading.codes if reading.is_present(code))
    write_label(node, ct_node, label_of_reading(reading), present)
    segmentation = node.GetSegmentation()
    for number in range(segmentation.GetNumberOfSegments()):
        _tag_segment(segmentation.GetNthSegment(number), segmentation.GetNthSegmentID(number), result, reading)
    display = node.GetDisplayNode()
    display.SetOpacity2DFill(0.35)
    display.SetSliceIntersectionThickness(2)
    return node


def _tag_segment(segment: slicer.vtkSegment, code: str, result: ExamResult, reading: Reading) -> None:
    model = reading.model
    segment.SetTag("NeuroTriage.system", reading.system)
    segment.SetTag("NeuroTriage.model", f"{model.name} {model.version}")
    segment.SetTag("NeuroTriage.model_sha256", model.sha256)
    segment.SetTag("NeuroTriage.probability", f"{reading.probability[code]:.4f}")
    segment.SetTag("NeuroTriage.threshold", f"{reading.threshold[code]:.4f}")
    segment.SetTag("NeuroTriage.series_instance_uid", result.volume.series_instance_uid)
    segment.SetTag("NeuroTriage.edited", "false")


def _node_name(on_ct: str, on_mr: str, result: ExamResult, reading: Reading) -> str:
    """ "Hemorrhage (kuo2019)" on CT, "Findings (nael2021, FLAIR)" on MRI."""
    if result.contrast:
        return f"{on_mr} ({reading.system}, {CONTRAST_NAMES[result.contrast]})"
    return f"{on_ct} ({reading.system})"


def add_heatmap_node(
    result: ExamResult, reading: Reading, ct_node: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLScalarVolumeNode:
    """The probability of any hemorrhage (on MRI of what was found) at each voxel, in percent; clear where it is near 0.

    The attribute NeuroTriage.heatmap_of names the system.
    """
    node = add_node("vtkMRMLScalarVolumeNode", _node_name("Hemorrhage heatmap", "Heatmap", result, reading))
    slicer.util.updateVolumeFromArray(node, to_percent(reading.heatmap_kji))
    node.CopyOrientation(ct_node)
    node.SetAndObserveTransformNodeID(ct_node.GetTransformNodeID())
    node.SetVoxelValueUnits(_coded("%", "UCUM", "Percent"))
    node.SetAttribute("NeuroTriage.model_sha256", reading.model.sha256)
    node.SetAttribute(HEATMAP_ATTRIBUTE, reading.system)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(heat_color_node().GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, 100.0)
    display.AutoThresholdOff()
    display.SetThreshold(HEAT_SHOWN_FROM_PERCENT, 100.0)
    display.ApplyThresholdOn()
    return node


def add_findings_table(result: ExamResult) -> slicer.vtkMRMLTableNode:
    """Findings with their figures and ABC/2 beside the voxel volume; a figure that does not exist is NaN."""
    node = add_node("vtkMRMLTableNode", "NeuroTriage findings")
    abc2 = {item.code: item for item in result.abc2}
    rows = [(finding, abc2.get(finding.code)) for finding in result.findings]
    _add_text(node, "Code", [finding.code for finding, _ in rows])
    _add_text(node, "Finding", [FINDING_CODES[finding.code].name for finding, _ in rows])
    _add_text(node, "System", [finding.system for finding, _ in rows])
    _add_text(node, "Status", [finding.status for finding, _ in rows])
    _add_numbers(node, "Probability", [finding.probability for finding, _ in rows])
    _add_numbers(node, "Threshold", [finding.threshold for finding, _ in rows])
    _add_numbers(node, "Volume (mL)", [finding.volume_ml for finding, _ in rows])
    _add_numbers(node, "Components", [finding.components for finding, _ in rows])
    _add_numbers(node, "Key slice (from 1)", [_from_one(finding) for finding, _ in rows])
    _add_numbers(node, "ABC/2 (mL)", [item and item.volume_ml for _, item in rows])
    _add_numbers(node, "ABC/2 off (%)", [item and item.percent_off for _, item in rows])
    _add_numbers(node, "Doubt", [finding.doubt for finding, _ in rows])
    _add_text(node, "Opinions", ["; ".join(opinion_texts(result, finding)) for finding, _ in rows])
    _add_text(node, "Remark", [finding.reason or (item.caveat if item else "") for finding, item in rows])
    models = "; ".join(f"{r.model.name} {r.model.version} {r.model.sha256}" for r in result.readings)
    node.SetAttribute("NeuroTriage.models", models)
    node.SetAttribute("NeuroTriage.series_instance_uid", result.volume.series_instance_uid)
    node.SetAttribute("NeuroTriage.intended_use", "Research software. Not for diagnosis.")
    return node


def add_node(class_name: str, name: str):
    """A new node; when the name is taken (an earlier run), the next free one, so that nothing is overwritten."""
    scene = slicer.mrmlScene
    free = name if scene.GetFirstNodeByName(name) is None else scene.GenerateUniqueName(name)
    return scene.AddNewNodeByClass(class_name, free)


def _coded(value: str, scheme: str, meaning: str) -> slicer.vtkCodedEntry:
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(value, scheme, meaning)
    return entry


def _from_one(finding: Finding) -> int | None:
    return None if finding.key_slice is None else finding.key_slice + 1


def _add_text(node: slicer.vtkMRMLTableNode, name: str, values: list[str]) -> None:
    column = vtk.vtkStringArray()
    column.SetName(name)
    for value in values:
        column.InsertNextValue(value)
    node.AddColumn(column)


def _add_numbers(node: slicer.vtkMRMLTableNode, name: str, values: list[float | int | None]) -> None:
    column = vtk.vtkDoubleArray()
    column.SetName(name)
    for value in values:
        column.InsertNextValue(float("nan") if value is None else float(value))
    node.AddColumn(column)
