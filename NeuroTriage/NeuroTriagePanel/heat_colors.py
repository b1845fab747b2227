"""The heatmap's colour table: dark red through orange to pale yellow, one per scene."""

from __future__ import annotations

import numpy as np
import slicer

NAME = "NeuroTriage heat"
_ATTRIBUTE = "NeuroTriage.color_table"
# Percent and RGB (0-1) between which the colours are blended (ours): lightness grows evenly with probability.
_STOPS_PERCENT = (0.0, 25.0, 50.0, 75.0, 100.0)
_STOPS_RGB = ((0.20, 0.00, 0.10), (0.62, 0.04, 0.10), (0.93, 0.31, 0.04), (1.00, 0.66, 0.10), (1.00, 0.97, 0.70))


def heat_color_node() -> slicer.vtkMRMLColorTableNode:
    """The scene's heat colour table, made when it is not there yet."""
    scene = slicer.mrmlScene
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLColorTableNode")):
        node = scene.GetNthNodeByClass(number, "vtkMRMLColorTableNode")
        if node.GetAttribute(_ATTRIBUTE):
            return node
    node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", NAME)
    node.SetTypeToUser()
    node.SetAttribute(_ATTRIBUTE, "heat")
    node.SetNumberOfColors(256)
    percents = np.linspace(0.0, 100.0, 256)
    rgb = np.stack([np.interp(percents, _STOPS_PERCENT, [c[axis] for c in _STOPS_RGB]) for axis in range(3)], axis=-1)
    for index, (percent, color) in enumerate(zip(percents, rgb, strict=True)):
        node.SetColor(index, f"{percent:.0f} %", *color, 1.0)
    node.GetLookupTable().SetTableRange(0, 255)
    return node
