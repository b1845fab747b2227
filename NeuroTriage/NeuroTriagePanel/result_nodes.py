"""The scene's nodes for a result: CT, segmentation, heatmap, table, ABC/2 lines. Each function makes one new node."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from NeuroTriageLib.core.codes import ANY, FINDING_CODES
from NeuroTriageLib.core.findings import Abc2, ExamResult, Finding, Reading
from NeuroTriageLib.core.volume import Volume

from .findings_rows import opinion_texts
from .heat_colors import heat_color_node
from .volume_geometry import flip_lps_ras, place_volume

# Brain window: the width and centre in common use for hemorrhage on non-contrast head CT (HU).
BRAIN_WINDOW_HU, BRAIN_LEVEL_HU = 80.0, 40.0
# Heat below this percentage is not painted: it is the colour of "nothing here" (ours).
HEAT_SHOWN_FROM_PERCENT = 5.0
_BINARY_LABELMAP = "Binary labelmap"  # vtkSegmentationConverter's name for it
ABC2_COLORS_RGB = {"A": (1.0, 0.92, 0.23), "B": (0.30, 0.82, 0.88)}


def add_ct_node(volume: Volume, name: str = "Head CT") -> slicer.vtkMRMLScalarVolumeNode:
    """A new volume node with the exam's voxels at their true place, shown in the brain window."""
    node = _add("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(volume.array_kji))
    place_volume(node, volume.grid)
    node.SetVoxelValueQuantity(_coded("112031", "DCM", "Attenuation Coefficient"))
    node.SetVoxelValueUnits(_coded("[hnsf'U]", "UCUM", "Hounsfield unit"))
    if volume.sop_instance_uids:
        node.SetAttribute("DICOM.instanceUIDs", " ".join(volume.sop_instance_uids))
    node.CreateDefaultDisplayNodes()
    show_brain_window(node)
    return node


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
    node = _add("vtkMRMLSegmentationNode", f"Hemorrhage ({reading.system})")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct_node)
    node.SetAndObserveTransformNodeID(ct_node.GetTransformNodeID())
    node.GetSegmentation().SetSourceRepresentationName(_BINARY_LABELMAP)
    labelmap = _oriented_labelmap(reading.label_kji, ct_node)
    found = set(np.unique(reading.label_kji[_box(reading.label_kji)]).tolist())
    for number, code in enumerate(reading.codes, start=1):
        if reading.is_present(code) or number in found:
            segment = slicer.vtkSegment()
            shown = ANY if reading.is_untyped else code  # nobody may read a type into a bleed of undetermined type
            entry = FINDING_CODES[shown]
            segment.SetName(f"{entry.name}, type undetermined" if reading.is_untyped else entry.name)
            segment.SetColor(entry.color_rgb)
            segment.SetLabelValue(number)
            segment.AddRepresentation(_BINARY_LABELMAP, labelmap)
            _tag_segment(segment, shown, result, reading)
            node.GetSegmentation().AddSegment(segment, shown)
    display = node.GetDisplayNode()
    display.SetOpacity2DFill(0.35)
    display.SetSliceIntersectionThickness(2)
    return node


def _oriented_labelmap(label_kji: np.ndarray, ct_node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkOrientedImageData:
    """One image with the values of all segments, cut to the box that holds them, on the voxels of the CT."""
    box = _box(label_kji)
    matrix = vtk.vtkMatrix4x4()
    ct_node.GetIJKToRASMatrix(matrix)
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*(edge for part in reversed(box) for edge in (part.start, part.stop - 1)))
    image.SetImageToWorldMatrix(matrix)
    scalars = numpy_support.numpy_to_vtk(np.ascontiguousarray(label_kji[box], dtype=np.uint8).ravel(), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    return image


def _box(label_kji: np.ndarray) -> tuple[slice, slice, slice]:
    """Slices k, j, i around every voxel that is not 0; one voxel when there is none."""
    in_slice = label_kji.any(axis=(1, 2))
    if not in_slice.any():
        return slice(0, 1), slice(0, 1), slice(0, 1)
    k = _span(in_slice)
    flat_ji = label_kji[k].any(axis=0)
    return k, _span(flat_ji.any(axis=1)), _span(flat_ji.any(axis=0))


def _span(is_inside: np.ndarray) -> slice:
    inside = np.flatnonzero(is_inside)
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _tag_segment(segment: slicer.vtkSegment, code: str, result: ExamResult, reading: Reading) -> None:
    model = reading.model
    segment.SetTag("TerminologyEntry", FINDING_CODES[code].slicer_terminology_entry())
    segment.SetTag("NeuroTriage.code", code)
    segment.SetTag("NeuroTriage.system", reading.system)
    segment.SetTag("NeuroTriage.model", f"{model.name} {model.version}")
    segment.SetTag("NeuroTriage.model_sha256", model.sha256)
    segment.SetTag("NeuroTriage.probability", f"{reading.probability[code]:.4f}")
    segment.SetTag("NeuroTriage.threshold", f"{reading.threshold[code]:.4f}")
    segment.SetTag("NeuroTriage.series_instance_uid", result.volume.series_instance_uid)
    segment.SetTag("NeuroTriage.edited", "false")


def add_heatmap_node(reading: Reading, ct_node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeNode:
    """The probability of any hemorrhage at each voxel, in percent; transparent where it is near 0."""
    node = _add("vtkMRMLScalarVolumeNode", f"Hemorrhage heatmap ({reading.system})")
    slicer.util.updateVolumeFromArray(node, _percent(reading.heatmap_kji))
    node.CopyOrientation(ct_node)
    node.SetAndObserveTransformNodeID(ct_node.GetTransformNodeID())
    node.SetVoxelValueUnits(_coded("%", "UCUM", "Percent"))
    node.SetAttribute("NeuroTriage.model_sha256", reading.model.sha256)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(heat_color_node().GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, 100.0)
    display.AutoThresholdOff()
    display.SetThreshold(HEAT_SHOWN_FROM_PERCENT, 100.0)
    display.ApplyThresholdOn()
    return node


def _percent(heatmap_kji: np.ndarray) -> np.ndarray:
    """Probabilities (float16, 0-1) as whole percents (uint8), looked up: arithmetic on float16 is ten times slower."""
    every_half = np.arange(65536, dtype=np.uint16).view(np.float16)
    with np.errstate(invalid="ignore"):
        percents = np.nan_to_num(np.clip(np.rint(every_half.astype(np.float32) * 100.0), 0, 100)).astype(np.uint8)
    return percents[np.ascontiguousarray(heatmap_kji, dtype=np.float16).view(np.uint16)]


def add_findings_table(result: ExamResult) -> slicer.vtkMRMLTableNode:
    """Findings with their figures and ABC/2 beside the voxel volume; a figure that does not exist is NaN."""
    node = _add("vtkMRMLTableNode", "NeuroTriage findings")
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


def add_abc2_lines(abc2: Abc2) -> list[slicer.vtkMRMLMarkupsLineNode]:
    """The diameters A and B as locked lines between their end points."""
    return [
        _add_line(f"{abc2.code} A", abc2.a_ends_lps_mm, f"A {abc2.a_mm:.0f} mm", ABC2_COLORS_RGB["A"]),
        _add_line(f"{abc2.code} B", abc2.b_ends_lps_mm, f"B {abc2.b_mm:.0f} mm", ABC2_COLORS_RGB["B"]),
    ]


def _add_line(name: str, ends_lps_mm: Sequence, label: str, color_rgb: tuple) -> slicer.vtkMRMLMarkupsLineNode:
    node = _add("vtkMRMLMarkupsLineNode", name)
    node.CreateDefaultDisplayNodes()
    points = flip_lps_ras(np.asarray(ends_lps_mm))
    # The label stands at the end that is on the right of the screen: in the middle of the line, where Slicer puts it,
    # those of A and B would cover each other. A blank keeps Slicer from naming the other end.
    labelled = int(np.argmin(points[:, 0]))
    for number, point in enumerate(points):
        node.AddControlPoint(vtk.vtkVector3d(*point), label if number == labelled else " ")
    node.SetLocked(True)
    display = node.GetDisplayNode()
    display.SetColor(color_rgb)
    display.SetSelectedColor(color_rgb)
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(True)
    display.SetGlyphScale(1.5)
    display.SetTextScale(2.5)
    return node


def _add(class_name: str, name: str):
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
