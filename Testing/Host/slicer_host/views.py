"""Pictures of the scene: a slice view rendered by slicer-core without a display, and grabs of widgets."""

from __future__ import annotations

from pathlib import Path

import slicer
import vtk

_DISPLAYABLE_MANAGERS_2D = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
)


class SliceView:
    """One slice view: the scene's slice node of this name, its layers and everything drawn over them.

    Args:
        name: layout name; the slice and composite nodes are made when they are missing.
        size_px: width and height of the picture.
    """

    def __init__(self, name: str = "Red", size_px: tuple[int, int] = (600, 600)) -> None:
        self._size_px = size_px
        self._renderer = vtk.vtkRenderer()
        self._renderer.SetBackground(0.0, 0.0, 0.0)
        self._renderer.GetActiveCamera().ParallelProjectionOn()
        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._window.SetSize(*size_px)
        self._window.AddRenderer(self._renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        application = slicer.app.applicationLogic()
        self._managers = _displayable_managers(application, self._renderer)
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(application)
        application.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(slicer.mrmlScene)
        self.node = self.logic.AddSliceNode(name)
        self.node.SetOrientation("Axial")
        self.node.SetMappedInLayout(1)
        self.composite = self.logic.GetSliceCompositeNode()
        self._managers.SetMRMLDisplayableNode(self.node)
        self._add_image_layer()

    def fit(self) -> None:
        """Zoom to the background volume."""
        self.logic.ResizeSliceNode(*self._size_px)
        self.logic.FitSliceToBackground()

    def save(self, path: Path) -> None:
        """Render and write a PNG.

        What draws over the image waits, after a scene was opened, for the view's next event; Slicer's own view widget
        gives it one, here nobody else does.
        """
        self.node.Modified()
        self.logic.UpdatePipeline()
        self._mapper.SetInputConnection(self.logic.GetImageDataConnection())
        self._window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.ReadFrontBufferOff()
        grab.ShouldRerenderOff()
        writer = vtk.vtkPNGWriter()
        writer.SetInputConnection(grab.GetOutputPort())
        writer.SetFileName(str(path))
        writer.Write()

    def _add_image_layer(self) -> None:
        """Displayable managers draw what lies over the image; the image itself is ours to draw."""
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(self._mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        self._renderer.AddViewProp(actor)


def _displayable_managers(application, renderer) -> slicer.vtkMRMLDisplayableManagerGroup:
    factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
    factory.SetMRMLApplicationLogic(application)
    for name in _DISPLAYABLE_MANAGERS_2D:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.SetRenderer(renderer)
    group.Initialize(factory, renderer)
    return group


def save_widget(widget, path: Path, width_px: int, height_px: int | None = None) -> None:
    """Show a widget at a size and write a PNG of it; without a height it is as high as its contents need."""
    import qt

    widget.show()
    for _ in range(3):
        qt.QApplication.processEvents()
        widget.resize(width_px, height_px or max(widget.layout().totalHeightForWidth(width_px), 1))
    qt.QApplication.processEvents()
    widget.grab().save(str(path))
