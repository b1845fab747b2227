"""The ctk and qMRML widgets that the module's .ui file names, on plain Qt, with no API that the real ones lack."""

# ruff: noqa: N801, N815, RUF012  (Slicer's and Qt's own names; constant tables)
from __future__ import annotations

import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Qt, Signal

from .pythonqt import strict

_HEADER_PX = 24


class _UiProperties:
    """Properties that QUiLoader sets by name although PySide cannot declare them the way C++ does."""

    UI_PROPERTIES: tuple[str, ...] = ()

    def event(self, event: QtCore.QEvent) -> bool:
        if event.type() == QtCore.QEvent.DynamicPropertyChange:
            name = bytes(event.propertyName().data()).decode()
            if name in self.UI_PROPERTIES:
                setattr(self, name, self.property(name))
        return super().event(event)


@strict
class ctkCollapsibleButton(_UiProperties, QtWidgets.QWidget):
    """A titled section that folds away."""

    contentsCollapsed = Signal(bool)
    CPP_SIGNALS = {"contentsCollapsed(bool)": "contentsCollapsed"}
    UI_PROPERTIES = ("text", "collapsed")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._text, self._collapsed = "", False
        self.setContentsMargins(0, _HEADER_PX, 0, 0)

    @property
    def text(self) -> str:
        return self._text

    @text.setter
    def text(self, value: str) -> None:
        self._text = value
        self.update()

    @property
    def collapsed(self) -> bool:
        return self._collapsed

    @collapsed.setter
    def collapsed(self, value: bool) -> None:
        self._collapsed = bool(value)
        for child in self.findChildren(QtWidgets.QWidget, options=Qt.FindDirectChildrenOnly):
            child.setVisible(not self._collapsed)
        self.setMaximumHeight(_HEADER_PX if self._collapsed else 16777215)
        self.contentsCollapsed.emit(self._collapsed)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        if event.position().y() < _HEADER_PX:
            self.collapsed = not self.collapsed

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        header = QtCore.QRect(0, 0, QtWidgets.QWidget.width(self), _HEADER_PX - 2)
        painter.setRenderHint(QtGui.QPainter.Antialiasing)
        painter.setPen(Qt.NoPen)
        painter.setBrush(QtGui.QColor(225, 228, 233))
        painter.drawRoundedRect(header, 3, 3)
        painter.setPen(QtGui.QColor(30, 30, 30))
        mark = "▸" if self._collapsed else "▾"
        painter.drawText(header.adjusted(8, 0, 0, 0), Qt.AlignVCenter, f"{mark}  {self._text}")
        painter.end()


@strict
class qMRMLWidget(QtWidgets.QWidget):
    """The root of a module's .ui file: hands the scene to the widgets connected to it."""

    mrmlSceneChanged = Signal(object)
    CPP_SIGNALS = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        return self._scene


@strict
class qMRMLNodeComboBox(_UiProperties, QtWidgets.QWidget):
    """A combo box of the scene's nodes of some types; picks the first one by itself unless None is allowed."""

    currentNodeChanged = Signal(object)
    CPP_SIGNALS = {"currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged"}
    UI_PROPERTIES = (
        "nodeTypes",
        "hideChildNodeTypes",
        "noneEnabled",
        "addEnabled",
        "removeEnabled",
        "renameEnabled",
        "showChildNodeTypes",
        "showHidden",
        "selectNodeUponCreation",
    )

    def __init__(self, parent=None):
        super().__init__(parent)
        self.nodeTypes, self.hideChildNodeTypes = (), ()
        self.noneEnabled = self.showHidden = False
        self.addEnabled = self.removeEnabled = self.renameEnabled = self.selectNodeUponCreation = True
        self.showChildNodeTypes = True
        self._scene, self._tags, self._node_ids, self._current_id = None, [], [], ""
        self._box = QtWidgets.QComboBox(self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self._box.activated.connect(self._on_activated)

    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndBatchProcessEvent)
        self._tags = [scene.AddObserver(event, self._update) for event in events]
        self.destroyed.connect(lambda: [scene.RemoveObserver(tag) for tag in self._tags])
        self._update()

    def currentNode(self):
        return self._scene.GetNodeByID(self._current_id) if self._scene and self._current_id else None

    def setCurrentNode(self, node) -> None:
        self._set_current_id(node.GetID() if node is not None else "")

    def nodeCount(self) -> int:
        return len(self._nodes())

    @property
    def currentNodeID(self) -> str:
        return self._current_id

    def _nodes(self) -> list:
        if self._scene is None:
            return []
        nodes = (self._scene.GetNthNode(number) for number in range(self._scene.GetNumberOfNodes()))
        return [node for node in nodes if self._shows(node)]

    def _shows(self, node) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        if any(node.IsA(name) for name in self.hideChildNodeTypes):
            return False
        if self.showChildNodeTypes:
            return any(node.IsA(name) for name in self.nodeTypes)
        return node.GetClassName() in self.nodeTypes

    def _update(self, caller=None, event=None) -> None:
        if self._scene.IsBatchProcessing():
            return
        nodes = self._nodes()
        self._node_ids = [""] * bool(self.noneEnabled or not nodes) + [node.GetID() for node in nodes]
        names = {node.GetID(): node.GetName() for node in nodes} | {"": "None" if nodes else "Select a volume"}
        self._box.clear()
        self._box.addItems([names[node_id] for node_id in self._node_ids])
        keep = self._current_id if self._current_id in self._node_ids else self._node_ids[0]
        self._set_current_id(keep)

    def _set_current_id(self, node_id: str) -> None:
        if node_id not in self._node_ids:
            node_id = self._node_ids[0] if self._node_ids else ""
        if self._node_ids:
            self._box.setCurrentIndex(self._node_ids.index(node_id))
        if node_id != self._current_id:
            self._current_id = node_id
            self.currentNodeChanged.emit(self.currentNode())

    def _on_activated(self, index: int) -> None:
        self._set_current_id(self._node_ids[index])


CTK_WIDGETS = {cls.__name__: cls for cls in (ctkCollapsibleButton,)}
QMRML_WIDGETS = {cls.__name__: cls for cls in (qMRMLWidget, qMRMLNodeComboBox)}


def install_in_slicer() -> None:
    """slicer.qMRMLWidget and its like, as inside Slicer."""
    for name, cls in QMRML_WIDGETS.items():
        setattr(slicer, name, cls)
