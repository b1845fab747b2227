"""Pictures of Slicer's own slice views and widgets."""

from __future__ import annotations

from pathlib import Path

import slicer
import vtk


class SliceView:
    """One of the layout's slice views.

    Args:
        name: layout name.
        size_px: the picture's size is that of the view on the screen; asked for so that both hosts are called alike.
    """

    def __init__(self, name: str = "Red", size_px: tuple[int, int] = (600, 600)) -> None:
        widget = slicer.app.layoutManager().sliceWidget(name)
        self._view, self.logic, self.node = widget.sliceView(), widget.sliceLogic(), widget.mrmlSliceNode()
        self.composite = self.logic.GetSliceCompositeNode()

    def fit(self) -> None:
        """Zoom to the background volume."""
        self.logic.FitSliceToBackground()

    def save(self, path: Path) -> None:
        """Render and write a PNG."""
        self._view.forceRender()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self._view.renderWindow())
        writer = vtk.vtkPNGWriter()
        writer.SetInputConnection(grab.GetOutputPort())
        writer.SetFileName(str(path))
        writer.Write()


def save_widget(widget, path: Path, width_px: int, height_px: int | None = None) -> None:
    """Write a PNG of a widget as it is laid out; Slicer decides about its size."""
    slicer.app.processEvents()
    widget.grab().save(str(path))
