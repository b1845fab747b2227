"""The reader's decisions on the exam's text node, and the whole review back from it when a scene is opened."""

from __future__ import annotations

import base64
import dataclasses
import json
import tempfile
from pathlib import Path

import slicer

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.core.exam_bundle import unpack_bundle
from NeuroTriageLib.core.exchange import load_exam

from .exam_node import FORMAT, LIST_ROLES, REVIEW_ATTRIBUTE, keep_exam, refer
from .review import Review, ReviewState
from .scene_bridge import ExamNodes, volume_from_node
from .subject_tree import folder_of

STUDY_ATTRIBUTE = "NeuroTriage.study"
"""The same on the reviews of all series of one study that was read at once."""
_STATE_ATTRIBUTE = "NeuroTriage.review_state"


def keep_in_scene(review: Review, bundle: bytes) -> slicer.vtkMRMLTextNode:
    """A new text node that holds the exam (core/exam_bundle.py) and follows the review."""
    node = keep_exam(review.nodes, bundle)
    follow(review, node)
    return node


def follow(review: Review, node: slicer.vtkMRMLTextNode) -> None:
    """Write each decision and each new node of the review into the text node from now on."""

    def note() -> None:
        if slicer.mrmlScene.IsNodePresent(node):
            note_state(review, node)

    review.decided.add(note)
    review.mask_changed.add(note)
    review.midline_changed.add(note)
    review.remarked.add(note)
    review.nodes.added.add(note)
    note()


def note_state(review: Review, node: slicer.vtkMRMLTextNode) -> None:
    """Write the review's present state into the text node."""
    state = dataclasses.asdict(review.state) | {"seconds_spent": round(review.seconds_spent, 1)}
    node.SetAttribute(_STATE_ATTRIBUTE, json.dumps(state))
    refer(node, review.nodes)


def review_nodes() -> list[slicer.vtkMRMLTextNode]:
    """The text nodes of all reviews in the scene, in the order in which they came."""
    scene = slicer.mrmlScene
    nodes = (
        scene.GetNthNodeByClass(n, "vtkMRMLTextNode") for n in range(scene.GetNumberOfNodesByClass("vtkMRMLTextNode"))
    )
    return [node for node in nodes if node.GetAttribute(REVIEW_ATTRIBUTE)]


def study_siblings(ct: slicer.vtkMRMLScalarVolumeNode) -> list[slicer.vtkMRMLTextNode]:
    """The text nodes of the other series of the study in which this one was read."""
    own = [node for node in review_nodes() if node.GetNodeReference("ct") is ct]
    token = own[-1].GetAttribute(STUDY_ATTRIBUTE) if own else None
    if not token:
        return []
    return [node for node in review_nodes() if node.GetAttribute(STUDY_ATTRIBUTE) == token and node is not own[-1]]


def restore(node: slicer.vtkMRMLTextNode) -> Review:
    """The review that a text node keeps. Raises InputError when its CT is gone or it was damaged."""
    if node.GetAttribute(REVIEW_ATTRIBUTE) != FORMAT:
        raise InputError(
            "The scene holds a review of another version of NeuroTriage.", next_step="Open it with a newer version."
        )
    ct = node.GetNodeReference("ct")
    if ct is None:
        raise InputError("The CT of a review is no longer in the scene.", next_step="Load it and run again.")
    try:
        content = base64.b64decode(node.GetText() or "", validate=True)
        state = kept_state(node)
    except (ValueError, TypeError) as error:
        raise InputError("A review in the scene is damaged.", next_step="Run again.") from error
    with tempfile.TemporaryDirectory(prefix="neurotriage-") as folder:
        unpack_bundle(content, Path(folder))
        result = load_exam(Path(folder), volume_from_node(ct))
    review = Review(result, nodes_of(node), state)
    follow(review, node)
    return review


def kept_state(node: slicer.vtkMRMLTextNode) -> ReviewState:
    """What the reader has decided, of a review that a text node keeps. Raises ValueError or TypeError when damaged."""
    return ReviewState.from_plain(json.loads(node.GetAttribute(_STATE_ATTRIBUTE) or "{}"))


def nodes_of(node: slicer.vtkMRMLTextNode) -> ExamNodes:
    """The nodes that show the exam of a text node."""
    nodes = ExamNodes(node.GetNodeReference("ct"))
    nodes.table, nodes.working = node.GetNodeReference("table"), node.GetNodeReference("working")
    for role in LIST_ROLES:
        targets = (node.GetNthNodeReference(role, n) for n in range(node.GetNumberOfNodeReferences(role)))
        setattr(nodes, role, tuple(target for target in targets if target is not None))
    placed = nodes.table or next(iter(nodes.segmentations), None)
    nodes.folder_item = folder_of(placed) if placed is not None else 0
    return nodes
