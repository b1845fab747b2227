"""The ctk and qMRML widgets that the module's .ui file names, on plain Qt, with no API that the real ones lack."""

# ruff: noqa: N801, N815, RUF012  (Slicer's and Qt's own names; constant tables)
from __future__ import annotations

import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Qt, Signal

from .pythonqt import connect, strict
from .segment_editor import qMRMLSegmentEditorWidget

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
        self._text, self._collapsed, self._folding = "", False, False
        self._hidden: dict[QtWidgets.QWidget, bool] = {}
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
        changed, self._collapsed = self._collapsed != bool(value), bool(value)
        if not changed:
            return
        self._folding = True
        for child in self.findChildren(QtWidgets.QWidget, options=Qt.FindDirectChildrenOnly):
            if self._collapsed:
                self._hidden[child] = child.isHidden()
            QtWidgets.QWidget.setVisible(child, not (self._collapsed or self._hidden.get(child, False)))
        self._folding = False
        self.setMaximumHeight(_HEADER_PX if self._collapsed else 16777215)
        self.contentsCollapsed.emit(self._collapsed)

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        if event.added() and isinstance(event.child(), QtWidgets.QWidget):
            event.child().installEventFilter(self)

    def eventFilter(self, child: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """While folded, a child that is shown or hidden by the program only notes it, as with the real widget."""
        if self._collapsed and not self._folding:
            if event.type() == QtCore.QEvent.ShowToParent:
                self._hidden[child] = False
                self._folding = True
                QtWidgets.QWidget.setVisible(child, False)
                self._folding = False
            elif event.type() == QtCore.QEvent.HideToParent:
                self._hidden[child] = True
        return False

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


@strict
class ctkSliderWidget(_UiProperties, QtWidgets.QWidget):
    """A slider with a spin box beside it."""

    valueChanged = Signal(float)
    CPP_SIGNALS = {"valueChanged(double)": "valueChanged"}
    UI_PROPERTIES = ("minimum", "maximum", "singleStep", "value", "decimals", "suffix")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(Qt.Horizontal, self)
        self._box = QtWidgets.QDoubleSpinBox(self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._box)
        self._slider.setRange(0, 1000)
        self._slider.sliderMoved.connect(self._on_slider)
        self._box.valueChanged.connect(self._on_box)
        self.minimum, self.maximum = 0.0, 99.99

    @property
    def value(self) -> float:
        return self._box.property("value")

    @value.setter
    def value(self, value: float) -> None:
        self._box.setValue(float(value))

    def setValue(self, value: float) -> None:
        self.value = value

    @property
    def minimum(self) -> float:
        return self._range()[0]

    @minimum.setter
    def minimum(self, value: float) -> None:
        self._box.setMinimum(value)
        self._on_box()

    @property
    def maximum(self) -> float:
        return self._range()[1]

    @maximum.setter
    def maximum(self, value: float) -> None:
        self._box.setMaximum(value)
        self._on_box()

    @property
    def singleStep(self) -> float:
        return self._step

    @singleStep.setter
    def singleStep(self, value: float) -> None:
        self._step = value
        self._box.setSingleStep(value)

    @property
    def decimals(self) -> int:
        return self._decimals

    @decimals.setter
    def decimals(self, value: int) -> None:
        self._decimals = value
        self._box.setDecimals(value)

    @property
    def suffix(self) -> str:
        return self._suffix

    @suffix.setter
    def suffix(self, value: str) -> None:
        self._suffix = value
        self._box.setSuffix(value)

    def _range(self) -> tuple[float, float]:
        return self._box.property("minimum"), self._box.property("maximum")

    def _on_slider(self, place: int) -> None:
        low, high = self._range()
        self._box.setValue(low + (high - low) * place / 1000)

    def _on_box(self, value: float | None = None) -> None:
        low, high = self._range()
        blocked = self._slider.blockSignals(True)
        self._slider.setValue(round(1000 * (self.value - low) / (high - low)) if high > low else 0)
        self._slider.blockSignals(blocked)
        if value is not None:
            self.valueChanged.emit(value)


@strict
class ctkPathLineEdit(_UiProperties, QtWidgets.QWidget):
    """A line with a path and a button that opens a file dialog."""

    currentPathChanged = Signal(str)
    CPP_SIGNALS = {"currentPathChanged(QString)": "currentPathChanged"}
    UI_PROPERTIES = ("filters",)
    Dirs, Files = 1, 2  # ctkPathLineEdit::Filter, whose values are those of QDir::Filter

    def __init__(self, parent=None):
        super().__init__(parent)
        self._line = QtWidgets.QLineEdit(self)
        button = QtWidgets.QToolButton(self)
        button.setText("...")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._line)
        layout.addWidget(button)
        self._line.editingFinished.connect(lambda: self.currentPathChanged.emit(self.currentPath))

    @property
    def currentPath(self) -> str:
        return self._line.property("text")

    @currentPath.setter
    def currentPath(self, path: str) -> None:
        if path != self.currentPath:
            self._line.setText(path)
            self.currentPathChanged.emit(path)


@strict
class ctkSettingsPanel(QtWidgets.QWidget):
    """A page of the settings dialog: widgets whose properties are kept under keys."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._properties = {}

    def registerProperty(self, key: str, widget: QtWidgets.QWidget, name: str, signal: str) -> None:
        settings = slicer.app.userSettings()
        if settings.contains(key):
            setattr(widget, name, settings.value(key, type=type(getattr(widget, name))))
        self._properties[key] = (widget, name)
        connect(widget, signal.lstrip("2"), lambda: settings.setValue(key, _stored(getattr(widget, name))))


def _stored(value):
    """Booleans as QSettings writes them."""
    return str(value).lower() if isinstance(value, bool) else value


CTK_WIDGETS = {cls.__name__: cls for cls in (ctkCollapsibleButton, ctkPathLineEdit, ctkSettingsPanel, ctkSliderWidget)}
QMRML_WIDGETS = {cls.__name__: cls for cls in (qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentEditorWidget)}


def install_in_slicer() -> None:
    """slicer.qMRMLWidget and its like, as inside Slicer."""
    for name, cls in QMRML_WIDGETS.items():
        setattr(slicer, name, cls)
