"""The user's layout: changed only when 3D is asked for, and put back."""

from __future__ import annotations

import slicer

_LAYOUTS_WITH_3D = {
    slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView,
    slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalWidescreenView,
    slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView,
    slicer.vtkMRMLLayoutNode.SlicerLayoutDual3DView,
    slicer.vtkMRMLLayoutNode.SlicerLayoutOneUp3DView,
}


class LayoutKeeper:
    """Switches to a layout with a 3D view and back; without a layout (no main window) it does nothing."""

    def __init__(self) -> None:
        self._before: int | None = None

    def show_with_3d(self) -> None:
        """Four views, one of them 3D, unless the layout has one."""
        node = _layout_node()
        if node is not None and node.GetViewArrangement() not in _LAYOUTS_WITH_3D:
            self._before = node.GetViewArrangement()
            node.SetViewArrangement(node.SlicerLayoutFourUpView)

    def restore(self) -> None:
        """The layout that was there before, unless the user has chosen yet another one meanwhile."""
        node, before = _layout_node(), self._before
        self._before = None
        if node is not None and before is not None and node.GetViewArrangement() == node.SlicerLayoutFourUpView:
            node.SetViewArrangement(before)


def _layout_node() -> slicer.vtkMRMLLayoutNode | None:
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
