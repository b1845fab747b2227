"""A, B and C of ABC/2 as lines in the views: proposed by the program, moved by the reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import slicer
import vtk

from NeuroTriageLib.review.live_measurements import AbcLines

from .result_nodes import add_node
from .volume_geometry import flip_lps_ras

ABC2_COLORS_RGB = {"A": (1.0, 0.92, 0.23), "B": (0.30, 0.82, 0.88), "C": (0.98, 0.55, 0.85)}
CODE_ATTRIBUTE, AXIS_ATTRIBUTE = "NeuroTriage.code", "NeuroTriage.axis"
MOVED_ATTRIBUTE = "NeuroTriage.moved_by_reader"

Line = slicer.vtkMRMLMarkupsLineNode


def add_lines(code: str, lines: AbcLines) -> list[Line]:
    """The diameters of a finding that are there, as lines whose ends can be dragged."""
    return [add_line(code, axis, ends) for axis, ends in axes_of(lines).items()]


def add_line(code: str, axis: str, ends_lps_mm: Sequence) -> Line:
    """One diameter of a finding."""
    node = add_node("vtkMRMLMarkupsLineNode", f"{code} {axis}")
    node.SetAttribute(CODE_ATTRIBUTE, code)
    node.SetAttribute(AXIS_ATTRIBUTE, axis)
    node.CreateDefaultDisplayNodes()
    place_line(node, ends_lps_mm)
    node.SetUndoEnabled(True)
    _style(node.GetDisplayNode(), ABC2_COLORS_RGB[axis])
    return node


def place_line(node: Line, ends_lps_mm: Sequence) -> None:
    """Put the line's ends there; it then counts as the program's own again."""
    points = flip_lps_ras(np.asarray(ends_lps_mm))
    was_modifying = node.StartModify()
    node.RemoveAllControlPoints()
    for point in points:
        node.AddControlPoint(vtk.vtkVector3d(*point), " ")
    node.SetAttribute(MOVED_ATTRIBUTE, "false")
    node.EndModify(was_modifying)
    label_line(node)


def label_line(node: Line) -> None:
    """Write the length at the end that is on the right of the screen.

    In the middle of the line, where Slicer puts it, the labels of A and B would cover each other. A blank keeps Slicer
    from naming the other end.
    """
    if node.GetNumberOfControlPoints() < 2:
        return
    points = ends_ras(node)
    length = float(np.linalg.norm(points[1] - points[0]))
    labelled = int(np.argmin(points[:, 0]))
    for number in range(2):
        text = f"{node.GetAttribute(AXIS_ATTRIBUTE)} {length:.0f} mm" if number == labelled else " "
        if node.GetNthControlPointLabel(number) != text:
            node.SetNthControlPointLabel(number, text)


def ends_ras(node: Line) -> np.ndarray:
    """(2, 3) both ends in the world."""
    points = np.zeros((2, 3))
    for number in range(2):
        node.GetNthControlPointPositionWorld(number, points[number])
    return points


def moved_lines(nodes: Iterable[Line]) -> dict[str, AbcLines]:
    """Code -> the lines that the reader has moved; the others are None, the program's to propose."""
    ends: dict[str, dict[str, tuple]] = {}
    for node in nodes:
        if node.GetAttribute(MOVED_ATTRIBUTE) == "true" and node.GetNumberOfControlPoints() == 2:
            points = flip_lps_ras(ends_ras(node))
            key = f"{node.GetAttribute(AXIS_ATTRIBUTE).lower()}_ends_lps_mm"
            ends.setdefault(node.GetAttribute(CODE_ATTRIBUTE), {})[key] = tuple(map(tuple, points.tolist()))
    return {code: AbcLines(**values) for code, values in ends.items()}


def axes_of(lines: AbcLines) -> dict[str, Sequence]:
    """Axis -> both ends in LPS millimetres, of those that are there."""
    ends = {"A": lines.a_ends_lps_mm, "B": lines.b_ends_lps_mm, "C": lines.c_ends_lps_mm}
    return {axis: points for axis, points in ends.items() if points is not None}


def _style(display: slicer.vtkMRMLMarkupsDisplayNode, color_rgb: tuple[float, float, float]) -> None:
    display.SetColor(color_rgb)
    display.SetSelectedColor(color_rgb)
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(True)
    display.SetGlyphScale(1.5)
    display.SetTextScale(2.5)
