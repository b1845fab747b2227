"""The section Edit: Slicer's own Segment Editor on the reader's version of the mask."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from .review import Review
from .segment_arrays import foreign_segments

EDITOR_NODE_TAG = "NeuroTriageSegmentEditor"
_UNDO_STATES = 20


class EditSection:
    """Brings editSection to life.

    Args:
        ui: the widgets by name.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._review: Review | None = None
        editor = ui.segmentEditor
        editor.segmentationNodeSelectorVisible = False
        editor.sourceVolumeNodeSelectorVisible = False
        editor.undoEnabled = True
        editor.maximumNumberOfUndoStates = _UNDO_STATES
        ui.startEditButton.connect("clicked(bool)", self.start)
        ui.undoButton.connect("clicked(bool)", editor.undo)
        ui.redoButton.connect("clicked(bool)", editor.redo)
        ui.discardEditButton.connect("clicked(bool)", self._on_discard)
        ui.modelMaskCheckBox.connect("toggled(bool)", self._on_model_mask)

    def use(self, review: Review | None) -> None:
        """Offer to edit this review, or nothing."""
        self.stop()
        self._review = review
        self._ui.modelMaskCheckBox.checked = False
        self._ui.editSection.visible = review is not None and review.draws_masks
        if review is not None:
            review.mask_changed.add(self.update)
            review.decided.add(self.update)
        self.update()

    def start(self, code: str | None = None) -> None:
        """Bind the Segment Editor to the reader's version, made now if there is none.

        Args:
            code: the segment to paint in; the largest one when it is not named.
        """
        review, editor = self._review, self._ui.segmentEditor
        if review is None or not review.draws_masks:
            return
        node = review.mask.make()
        editor.setMRMLSegmentEditorNode(_editor_node())
        editor.setMRMLScene(slicer.mrmlScene)
        editor.setSegmentationNode(node)
        editor.setSourceVolumeNode(review.nodes.ct)
        code = code if isinstance(code, str) and code != "any" else self._largest()
        editor.setCurrentSegmentID(code)
        editor.setupViewObservations()
        self._ui.editSection.collapsed = False
        self.update()

    def stop(self) -> None:
        """Let go of the views and the node: the module is left or the exam changes."""
        editor = self._ui.segmentEditor
        if editor.segmentationNode() is not None:
            editor.setActiveEffectByName("")
            editor.removeViewObservations()
            editor.setSegmentationNode(None)
            editor.setSourceVolumeNode(None)
        self.update()

    @property
    def bound(self) -> bool:
        """True while strokes go into the reader's version."""
        return self._ui.segmentEditor.segmentationNode() is not None

    def update(self) -> None:
        """Make the widgets say what the review says."""
        ui, review = self._ui, self._review
        ui.segmentEditor.visible = self.bound
        ui.startEditButton.visible = not self.bound
        ui.undoButton.visible = ui.redoButton.visible = self.bound
        ui.discardEditButton.visible = review is not None and review.mask.exists
        ui.modelMaskCheckBox.visible = review is not None and review.mask.exists
        ui.editLabel.text = self._text()

    def _text(self) -> str:
        review = self._review
        if review is None or not review.mask.exists:
            return _("The model's mask is version 0 and stays as it is. Edits go to a version of your own.")
        foreign = foreign_segments(review.nodes.working)
        if foreign:
            names = ", ".join(foreign)
            return _("{0}: not one of the types, so it is not saved with the review.").format(names)
        if review.is_edited:
            return _("Your version differs from the model's mask.")
        return _("Your version is the same as the model's mask.")

    def _largest(self) -> str:
        volumes = {code: ml for code, ml in self._review.volumes_ml().items() if code != "any"}
        return max(volumes, key=volumes.get) if volumes else self._review.paint_codes[0]

    def _on_discard(self) -> None:
        if self.bound:
            self._ui.segmentEditor.saveStateForUndo()
        self._review.discard_edits()

    def _on_model_mask(self, shown: bool) -> None:
        """Version 0 as a thin outline without fill, under the reader's version."""
        review = self._review
        if review is None or not review.nodes.segmentations or not review.mask.exists:
            return
        display = review.nodes.segmentations[0].GetDisplayNode()
        display.SetVisibility2DFill(not shown)
        display.SetSliceIntersectionThickness(1 if shown else 2)
        display.SetVisibility(shown)


def _editor_node() -> slicer.vtkMRMLSegmentEditorNode:
    """The panel's own settings of the Segment Editor, so that those of the Segment Editor module stay the user's."""
    scene = slicer.mrmlScene
    node = scene.GetSingletonNode(EDITOR_NODE_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag(EDITOR_NODE_TAG)
        node = scene.AddNode(node)
        node.SetOverwriteMode(node.OverwriteAllSegments)
    return node
