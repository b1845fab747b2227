"""An exam in the scene: one text node with all of it but the images, referring to the nodes that show it.

It is saved with the scene, so that a scene that is opened brings the whole review back (review_node.py). No Qt: the
command line writes scenes too.
"""

from __future__ import annotations

import base64

import slicer

from .scene_bridge import ExamNodes

NODE_NAME = "NeuroTriage review"
REVIEW_ATTRIBUTE = "NeuroTriage.review"
FORMAT = "1"
"""Changes when an older panel could no longer read the node."""
_SINGLE_ROLES = ("ct", "table", "working")
LIST_ROLES = ("segmentations", "heatmaps", "lines", "regions", "midline")


def keep_exam(nodes: ExamNodes, bundle: bytes) -> slicer.vtkMRMLTextNode:
    """A new text node that holds the exam, and refers to the nodes that show it."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", slicer.mrmlScene.GenerateUniqueName(NODE_NAME))
    node.SetHideFromEditors(True)
    node.SetAttribute(REVIEW_ATTRIBUTE, FORMAT)
    node.SetText(base64.b64encode(bundle).decode("ascii"))
    refer(node, nodes)
    return node


def refer(node: slicer.vtkMRMLTextNode, nodes: ExamNodes) -> None:
    """References to every node of the exam, under the names of ExamNodes' fields."""
    for role in _SINGLE_ROLES:
        target = getattr(nodes, role)
        node.SetNodeReferenceID(role, target.GetID() if target is not None else None)
    for role in LIST_ROLES:
        ids = [target.GetID() for target in getattr(nodes, role)]
        if ids != [node.GetNthNodeReferenceID(role, n) for n in range(node.GetNumberOfNodeReferences(role))]:
            node.RemoveNodeReferenceIDs(role)
            for target_id in ids:
                node.AddNodeReferenceID(role, target_id)
