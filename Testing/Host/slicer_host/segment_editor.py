"""qMRMLSegmentEditorWidget on plain Qt: the segment list and effects' buttons, over slicer-core's own editor logic.

The logic (masking, overwriting, undo) is the real one, vtkSlicerSegmentEditorLogic; what is missing here is the mouse
in the views.
"""

# ruff: noqa: N801, N815, RUF012  (Slicer's own names; constant tables)
from __future__ import annotations

import slicer
from PySide6 import QtWidgets
from PySide6.QtCore import Signal

from .pythonqt import strict

_EFFECTS = ("Paint", "Erase", "Draw", "Scissors", "Threshold", "Islands", "Smoothing")


@strict
class qMRMLSegmentEditorWidget(QtWidgets.QWidget):
    """The widget that other modules embed."""

    currentSegmentIDChanged = Signal(str)
    CPP_SIGNALS = {"currentSegmentIDChanged(QString)": "currentSegmentIDChanged"}

    def __init__(self, parent=None):
        super().__init__(parent)
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._history = slicer.vtkSegmentationHistory()
        self._logic.SetSegmentationHistory(self._history)
        self._node = self._scene = None
        self._selectors_visible = {"segmentation": True, "source": True}
        self._undo_enabled, self._observing_views, self._effect = True, False, ""
        self._make_widgets()

    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        self._logic.SetMRMLScene(scene)

    def mrmlScene(self):
        return self._scene

    def setMRMLSegmentEditorNode(self, node) -> None:
        self._node = node
        self._logic.SetSegmentEditorNode(node)

    def mrmlSegmentEditorNode(self):
        return self._node

    def setSegmentationNode(self, node) -> None:
        if self._node is None:
            return
        self._logic.SetSegmentationNode(node)
        self._history.SetSegmentation(node.GetSegmentation() if node is not None else None)
        self._update()

    def segmentationNode(self):
        return self._node.GetSegmentationNode() if self._node is not None else None

    def setSourceVolumeNode(self, node) -> None:
        if self._node is not None:
            self._logic.SetSourceVolumeNode(node)

    def sourceVolumeNode(self):
        return self._node.GetSourceVolumeNode() if self._node is not None else None

    def setCurrentSegmentID(self, segment_id: str) -> None:
        self._logic.SetCurrentSegmentID(segment_id)
        self._update()
        self.currentSegmentIDChanged.emit(segment_id)

    def currentSegmentID(self) -> str:
        return self._logic.GetCurrentSegmentID() or ""

    def setActiveEffectByName(self, name: str) -> None:
        self._effect = name
        for effect, button in self._buttons.items():
            button.setChecked(effect == name)

    def setupViewObservations(self) -> None:
        self._observing_views = True

    def removeViewObservations(self) -> None:
        self._observing_views = False

    def saveStateForUndo(self) -> None:
        if self._undo_enabled:
            self._logic.SaveStateForUndo()

    def undo(self) -> None:
        self._logic.Undo()

    def redo(self) -> None:
        self._logic.Redo()

    @property
    def segmentationNodeSelectorVisible(self) -> bool:
        return self._selectors_visible["segmentation"]

    @segmentationNodeSelectorVisible.setter
    def segmentationNodeSelectorVisible(self, visible: bool) -> None:
        self._selectors_visible["segmentation"] = visible

    @property
    def sourceVolumeNodeSelectorVisible(self) -> bool:
        return self._selectors_visible["source"]

    @sourceVolumeNodeSelectorVisible.setter
    def sourceVolumeNodeSelectorVisible(self, visible: bool) -> None:
        self._selectors_visible["source"] = visible

    @property
    def undoEnabled(self) -> bool:
        return self._undo_enabled

    @undoEnabled.setter
    def undoEnabled(self, enabled: bool) -> None:
        self._undo_enabled = enabled

    @property
    def maximumNumberOfUndoStates(self) -> int:
        return self._history.GetMaximumNumberOfStates()

    @maximumNumberOfUndoStates.setter
    def maximumNumberOfUndoStates(self, number: int) -> None:
        self._history.SetMaximumNumberOfStates(number)

    def _make_widgets(self) -> None:
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._list = QtWidgets.QListWidget(self)
        self._list.setFixedHeight(104)
        layout.addWidget(self._list)
        row = QtWidgets.QHBoxLayout()
        self._buttons = {}
        for name in _EFFECTS:
            button = QtWidgets.QToolButton(self)
            button.setText(name)
            button.setCheckable(True)
            row.addWidget(button)
            self._buttons[name] = button
        row.addStretch()
        layout.addLayout(row)

    def _update(self) -> None:
        self._list.clear()
        node = self.segmentationNode()
        segmentation = node.GetSegmentation() if node is not None else None
        for number in range(segmentation.GetNumberOfSegments() if segmentation else 0):
            self._list.addItem(segmentation.GetNthSegment(number).GetName())
            if segmentation.GetNthSegmentID(number) == self.currentSegmentID():
                self._list.setCurrentRow(number)
