"""start() makes a process look like Slicer; load_module() loads a scripted module the way Slicer does."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import types
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

# Before Qt and VTK are loaded: no display is needed for either.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

import slicer
import slicer.util

from NeuroTriagePanel.standalone_scene import start_scene

from . import pythonqt


def run_and_leave(program: Callable[[], object]) -> None:
    """Run a program and end its process at once: a scene outside Slicer cannot be taken down in the order it needs."""
    code = 0
    try:
        program()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class HostApplication:
    """slicer.app, as far as the module and slicer.util ask for it; there is no main window."""

    def __init__(self, qt: types.ModuleType, logic: slicer.vtkSlicerApplicationLogic, folder: Path) -> None:
        self._at_startup: list = []
        self.applicationVersion, self.majorVersion, self.minorVersion = "5.12.4", 5, 12
        self.temporaryPath = str(folder)
        self._qt, self._logic = qt, logic
        self._settings = qt.QSettings(str(folder / "Slicer.ini"), qt.QSettings.IniFormat)

    def applicationLogic(self):
        return self._logic

    def layoutManager(self):
        return None

    def connect(self, signature: str, receiver) -> bool:
        if signature != "startupCompleted()":
            raise RuntimeError(f"QObject::connect: no signal {signature} in qSlicerApplication.")
        self._at_startup.append(receiver)
        return True

    def tell_startup_completed(self) -> None:
        """What Slicer does once every module is loaded."""
        for receiver in self._at_startup:
            receiver()

    def commandOptions(self):
        return types.SimpleNamespace(noMainWindow=True, testingEnabled=True)

    def settingsDialog(self):
        return None

    def userSettings(self):
        return self._settings

    def topLevelWidgets(self) -> list:
        return self._qt.QApplication.topLevelWidgets()

    def processEvents(self) -> None:
        self._qt.QApplication.processEvents()

    def testingEnabled(self) -> bool:
        return True


def start(folder: Path) -> types.ModuleType:
    """Make the process look like Slicer to a scripted module; folder takes temporary files. Returns the module qt."""
    qt = pythonqt.build_qt_module()
    sys.modules["qt"] = qt
    application = qt.QApplication([])
    application.setStyle("Fusion")
    _set_light_palette(qt, application)
    from . import python_layer, stand_ins

    ctk = types.ModuleType("ctk")
    vars(ctk).update(stand_ins.CTK_WIDGETS)
    sys.modules["ctk"] = ctk
    stand_ins.install_in_slicer()
    qt.QUiLoader = _ui_loader(qt, {**stand_ins.CTK_WIDGETS, **stand_ins.QMRML_WIDGETS})
    logic = start_scene(folder)
    _add_layout_node()
    slicer.app = HostApplication(qt, logic, folder)
    slicer.app.qt_application = application  # kept alive
    python_layer.install()
    return qt


def load_module(path: Path):
    """Import a scripted module and set it up. Returns its widget class's instance and the panel that holds it."""
    import qt

    name = path.stem
    sys.path.insert(0, str(path.parent))
    module = importlib.import_module(name)
    description = types.SimpleNamespace(path=str(path))
    instance = getattr(module, name)(description)
    setattr(slicer.modules, name.lower(), types.SimpleNamespace(path=str(path), instance=instance, parent=description))
    slicer.app.tell_startup_completed()
    panel = slicer.qMRMLWidget()
    panel.setLayout(qt.QVBoxLayout())
    panel.setMRMLScene(slicer.mrmlScene)
    panel.__dict__["isEntered"] = True
    widget = getattr(module, f"{name}Widget")(panel)
    widget.setup()
    widget.enter()
    return widget, panel


def _add_layout_node() -> None:
    """The singleton that says which views are shown; views themselves are made by slicer_host.views."""
    node = slicer.vtkMRMLLayoutNode()
    node.SetSingletonTag("vtkMRMLLayoutNode")
    node.SetViewArrangement(node.SlicerLayoutOneUpRedSliceView)
    slicer.mrmlScene.AddNode(node)


def _ui_loader(qt: types.ModuleType, stand_ins: dict[str, type]) -> type:
    class HostUiLoader(qt.QUiLoader):
        """QUiLoader with the stand-ins; connections that carry a scene are made here, and only those declared."""

        def load(self, device, parent=None):
            for cls in stand_ins.values():
                self.registerCustomWidget(cls)
            root = ElementTree.fromstring(bytes(device.readAll().data()))
            scene_connections = _take_scene_connections(root)
            buffer = qt.QBuffer()
            buffer.setData(ElementTree.tostring(root))
            buffer.open(qt.QIODevice.ReadOnly)
            widget = super().load(buffer, parent)
            by_name = {child.objectName: child for child in [widget, *widget.findChildren(qt.QWidget)]}
            for sender, signal, receiver, slot in scene_connections:
                by_name[sender].connect(signal, getattr(by_name[receiver], slot.split("(")[0]))
            return widget

    return HostUiLoader


def _take_scene_connections(root: ElementTree.Element) -> list[tuple[str, ...]]:
    """Remove from the .ui document, and return, the connections with MRML types, which plain Qt cannot make."""
    taken = []
    for connections in root.findall("connections"):
        for connection in list(connections):
            parts = tuple(connection.findtext(key) for key in ("sender", "signal", "receiver", "slot"))
            if "vtkMRML" in parts[1]:
                connections.remove(connection)
                taken.append(parts)
    return taken


def _set_light_palette(qt: types.ModuleType, application) -> None:
    """The same look on every machine: Slicer's light style."""
    palette = qt.QPalette(qt.QColor(240, 240, 240))
    palette.setColor(qt.QPalette.Base, qt.QColor(255, 255, 255))
    palette.setColor(qt.QPalette.Highlight, qt.QColor(48, 110, 178))
    application.setPalette(palette)
    application.setFont(qt.QFont("DejaVu Sans", 9))
