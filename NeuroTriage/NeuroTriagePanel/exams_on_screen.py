"""Only the exam on the screen shows its marks: another patient's mask must never lie over these images."""

from __future__ import annotations

from collections.abc import Iterator

import slicer

from .review import Review
from .review_node import nodes_of, study_siblings
from .scene_bridge import ExamNodes

ASIDE_ATTRIBUTE = "NeuroTriage.put_aside"
"""On a node that was shown until another exam came on the screen; it is shown again with its own exam."""


def change_exam(before: Review | None, now: Review | None) -> None:
    """Put the marks of one exam aside and bring those of the other one back; the series of one study stay together."""
    shown = [] if now is None else _study(now)
    places = {nodes.ct.GetID() for nodes in shown[1:]}
    for nodes in [] if before is None else _study(before):
        if nodes.ct.GetID() not in places:
            _put_aside(nodes)
    for nodes in shown:
        _bring_back(nodes)


def _study(review: Review) -> list[ExamNodes]:
    """The nodes of the exam, and those of the other series of its study that are still in the scene."""
    others = [nodes_of(node) for node in study_siblings(review.nodes.ct) if node.GetNodeReference("ct") is not None]
    return [review.nodes, *others]


def _put_aside(nodes: ExamNodes) -> None:
    for node in _marks(nodes):
        if node.GetDisplayVisibility():
            node.SetAttribute(ASIDE_ATTRIBUTE, "true")
            node.SetDisplayVisibility(False)
    for node in nodes.regions:  # off whenever an exam comes on the screen
        if slicer.mrmlScene.IsNodePresent(node):
            node.SetDisplayVisibility(False)


def _bring_back(nodes: ExamNodes) -> None:
    for node in _marks(nodes):
        if node.GetAttribute(ASIDE_ATTRIBUTE):
            node.SetAttribute(ASIDE_ATTRIBUTE, None)
            node.SetDisplayVisibility(True)


def _marks(nodes: ExamNodes) -> Iterator[slicer.vtkMRMLDisplayableNode]:
    """Masks and lines that are in the scene."""
    for node in (*nodes.segmentations, nodes.working, *nodes.lines, *nodes.midline):
        if node is not None and slicer.mrmlScene.IsNodePresent(node):
            yield node
