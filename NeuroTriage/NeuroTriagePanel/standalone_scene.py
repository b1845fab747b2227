"""A MRML scene outside the Slicer application: what qSlicerApplication sets up, on slicer-core alone."""

from __future__ import annotations

import types
from pathlib import Path

import slicer
import slicer.util
import vtk

# Logics register the node classes of their modules with the scene; slicer.util looks some of them up by name.
_MODULE_LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Transforms": "vtkSlicerTransformLogic",
}


_VIEW_SIZE_PX = (512, 512)  # Slicer sets its own when it opens the scene


class StandaloneModule:
    """What slicer.modules.NAME is asked for: its logic."""

    def __init__(self, logic: slicer.vtkSlicerModuleLogic) -> None:
        self._logic = logic

    def logic(self) -> slicer.vtkSlicerModuleLogic:
        """The module's logic."""
        return self._logic


class StandaloneApplication:
    """What slicer.app is asked for where no view is shown: the application logic."""

    def __init__(self, logic: slicer.vtkSlicerApplicationLogic) -> None:
        self._logic = logic

    def applicationLogic(self) -> slicer.vtkSlicerApplicationLogic:
        """The application's logic."""
        return self._logic


def start_scene(cache_folder: Path) -> slicer.vtkSlicerApplicationLogic:
    """Make slicer.mrmlScene, slicer.modules and slicer.app as they are inside Slicer; once per process.

    The process must end with os._exit: the order in which Python frees the parts is not the one they need.

    Args:
        cache_folder: existing folder for the scene's temporary files.
    """
    scene = slicer.vtkMRMLScene()
    slicer.mrmlScene = scene
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    application.GetColorLogic().SetMRMLScene(scene)
    application.GetColorLogic().AddDefaultColorNodes()
    application.SetSliceLogics(vtk.vtkCollection())
    application.SetViewLogics(vtk.vtkCollection())
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    slicer.app = StandaloneApplication(application)
    _add_file_access(scene, cache_folder)
    slicer.modules = types.SimpleNamespace()
    for name, class_name in _MODULE_LOGICS.items():
        logic = getattr(slicer, class_name)()
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
        application.SetModuleLogic(name, logic)
        setattr(slicer.modules, name.lower(), StandaloneModule(logic))
    return application


def _add_file_access(scene: slicer.vtkMRMLScene, cache_folder: Path) -> None:
    """Without these two a scene cannot be read from an .mrb file."""
    cache = slicer.vtkCacheManager()
    cache.SetRemoteCacheDirectory(str(cache_folder))
    cache.SetMRMLScene(scene)
    access = slicer.vtkDataIOManager()
    access.SetCacheManager(cache)
    scene.SetCacheManager(cache)
    scene.SetDataIOManager(access)


def add_slice_views(application: slicer.vtkSlicerApplicationLogic) -> None:
    """Slicer's three standard slice views as nodes, so that a saved scene opens with its images in them."""
    for name, orientation in (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal")):
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(application)
        application.GetSliceLogics().AddItem(logic)
        logic.SetMRMLScene(slicer.mrmlScene)
        node = logic.AddSliceNode(name)
        node.SetOrientation(orientation)
        node.SetDimensions(*_VIEW_SIZE_PX, 1)
