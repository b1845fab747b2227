"""Midline shift in the views: three points that the reader places and drags, and the lines that follow from them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import slicer
import vtk

from NeuroTriageLib.core.midline import MidlinePoints, MidlineShift, Point

from .result_nodes import add_node
from .volume_geometry import flip_lps_ras

PART_ATTRIBUTE = "NeuroTriage.midline"
"""Which part a node is: "points", "ideal midline" or "shift"."""
POINT_NAMES = ("Falx, front", "Falx, back", "Septum")
MIDLINE_COLORS_RGB = {"points": (1.0, 0.55, 0.26), "ideal midline": (1.0, 1.0, 1.0), "shift": (1.0, 0.55, 0.26)}

Points = slicer.vtkMRMLMarkupsFiducialNode
Markups = slicer.vtkMRMLMarkupsNode


def add_points() -> Points:
    """Three named points that have no place yet; in Slicer's place mode each click gives the next one its place."""
    node = _add("vtkMRMLMarkupsFiducialNode", "points")
    for number, name in enumerate(POINT_NAMES):
        node.AddControlPoint(vtk.vtkVector3d(0.0, 0.0, 0.0), name)
        node.UnsetNthControlPointPosition(number)
    node.SetFixedNumberOfControlPoints(True)
    display = node.GetDisplayNode()
    display.SetPointLabelsVisibility(True)
    display.SetTextScale(2.5)
    display.SetGlyphScale(1.5)
    node.SetUndoEnabled(True)
    return node


def put_points(node: Points, points: MidlinePoints) -> None:
    """Give the points these places; those that are there already are left alone."""
    was_modifying = node.StartModify()
    for number, point in enumerate((points.anterior_lps_mm, points.posterior_lps_mm, points.septum_lps_mm)):
        if not _is_placed(node, number) or not np.allclose(_point(node, number), point, atol=1e-6):
            node.SetNthControlPointPositionWorld(number, *flip_lps_ras(point))
    node.EndModify(was_modifying)


def placed_points(node: Points) -> MidlinePoints | None:
    """Where the reader has put them; None while one has no place."""
    if node.GetNumberOfControlPoints() != 3 or not all(_is_placed(node, number) for number in range(3)):
        return None
    return MidlinePoints(*(_point(node, number) for number in range(3)))


def next_point(node: Points | None) -> str:
    """The name of the point that the next click places; "" when all are placed."""
    missing = [name for number, name in enumerate(POINT_NAMES) if node is None or not _is_placed(node, number)]
    return missing[0] if missing else ""


def part(nodes: Iterable[Markups], name: str) -> Markups | None:
    """The node of a part that is in the scene."""
    here = (node for node in nodes if slicer.mrmlScene.IsNodePresent(node))
    return next((node for node in here if node.GetAttribute(PART_ATTRIBUTE) == name), None)


def draw_lines(nodes: Iterable[Markups], shift: MidlineShift | None) -> list[Markups]:
    """Let both lines follow the shift (hidden without one), write its size at the septum; the lines, made if new."""
    kept = tuple(nodes)
    ends = {}
    if shift is not None:
        ends["ideal midline"] = (shift.points.anterior_lps_mm, shift.points.posterior_lps_mm)
        ends["shift"] = (shift.foot_lps_mm, shift.points.septum_lps_mm)
    lines = []
    for name in ("ideal midline", "shift"):
        line = part(kept, name) or (_add_line(name) if name in ends else None)
        if line is not None:
            _put_line(line, ends.get(name))
            lines.append(line)
    points = part(kept, "points")
    if points is not None:
        _name_points(points, shift)
    return lines


def _name_points(node: Points, shift: MidlineShift | None) -> None:
    """The falx's names end with their work done: only the septum keeps a label, its millimetres."""
    names = POINT_NAMES if shift is None else (" ", " ", shift.size_words)
    for number, name in enumerate(names):
        if node.GetNthControlPointLabel(number) != name:
            node.SetNthControlPointLabel(number, name)


def _add(class_name: str, name: str) -> Markups:
    node = add_node(class_name, f"Midline shift, {name}" if name != "shift" else "Midline shift")
    node.SetAttribute(PART_ATTRIBUTE, name)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(MIDLINE_COLORS_RGB[name])
    display.SetSelectedColor(MIDLINE_COLORS_RGB[name])
    display.SetPropertiesLabelVisibility(False)
    return node


def _add_line(name: str) -> Markups:
    node = _add("vtkMRMLMarkupsLineNode", name)
    node.SetLocked(True)  # it follows the points
    node.GetDisplayNode().SetPointLabelsVisibility(False)
    node.GetDisplayNode().SetGlyphScale(0.5)
    return node


def _put_line(node: Markups, ends_lps_mm: tuple[Point, Point] | None) -> None:
    was_modifying = node.StartModify()
    if ends_lps_mm is not None:
        while node.GetNumberOfControlPoints() < 2:
            node.AddControlPoint(vtk.vtkVector3d(0.0, 0.0, 0.0), " ")
        for number, point in enumerate(ends_lps_mm):
            node.SetNthControlPointPositionWorld(number, *flip_lps_ras(point))
    node.SetDisplayVisibility(ends_lps_mm is not None)
    node.EndModify(was_modifying)


def _is_placed(node: Points, number: int) -> bool:
    return node.GetNthControlPointPositionStatus(number) == slicer.vtkMRMLMarkupsNode.PositionDefined


def _point(node: Points, number: int) -> Point:
    place = np.zeros(3)
    node.GetNthControlPointPositionWorld(number, place)
    x, y, z = flip_lps_ras(place).tolist()
    return x, y, z
