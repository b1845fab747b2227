"""Midline shift in the section Measure: the reader places three points, distance and side follow them."""

from __future__ import annotations

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from NeuroTriageLib.core.errors import GeometryError
from NeuroTriageLib.core.midline import MidlineShift

from .midline_nodes import Points, add_points, draw_lines, next_point, part, placed_points, put_points
from .review import Review
from .slice_views import look_at
from .theme import tone_style
from .volume_geometry import flip_lps_ras

_EVENTS = (
    slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent,
    slicer.vtkMRMLMarkupsNode.PointPositionUndefinedEvent,
    slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
    vtk.vtkCommand.ModifiedEvent,  # an undo
)


class MidlineSection:
    """Brings midlineWidget to life.

    Args:
        ui: the widgets by name.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._review: Review | None = None
        self._observed: list[tuple] = []
        self._drawing = False
        ui.midlinePlaceButton.connect("clicked(bool)", self.place)
        ui.midlineJumpButton.connect("clicked(bool)", self.jump)
        ui.midlineRemoveButton.connect("clicked(bool)", self.remove)
        self._show()

    def use(self, review: Review | None) -> None:
        """Measure on this review, or nothing."""
        self.stop_placing()
        self._stop_watching()
        self._review = review
        if review is not None:
            review.midline_changed.add(lambda: self._follow(review))
            self._follow(review)
        self._show()

    def close(self) -> None:
        """The panel goes away."""
        self.use(None)

    def place(self) -> None:
        """The next clicks in the slice views place the points that have no place yet, in the order of their names."""
        review, node = self._review, self._points()
        if node is None and review.state.midline is not None:  # its node was deleted in another module
            self._follow(review)
            return
        if node is None:
            node = self._new_points()
        self._watch(node)
        selection, interaction = self._modes()
        selection.SetReferenceActivePlaceNodeClassName(node.GetClassName())
        selection.SetActivePlaceNodeID(node.GetID())
        interaction.SetPlaceModePersistence(1)
        interaction.SetCurrentInteractionMode(interaction.Place)
        self._show()

    def stop_placing(self) -> None:
        """The mouse goes back to what it did before."""
        if self._is_placing():
            self._end_placing()

    def _end_placing(self) -> None:
        interaction = self._modes()[1]
        interaction.SetPlaceModePersistence(0)
        interaction.SetCurrentInteractionMode(interaction.ViewTransform)

    def remove(self) -> None:
        """Take the points away."""
        self.stop_placing()
        node = self._points()
        if node is not None:
            node.UnsetAllControlPoints()
        elif self._review is not None:  # its node was deleted in another module
            self._review.place_midline(None)

    def jump(self) -> None:
        """Move the views to the septum's point."""
        points = self._review.state.midline
        if points is not None:
            look_at(flip_lps_ras(points.septum_lps_mm))

    def _follow(self, review: Review) -> None:
        """Make the views show the review's points; those of a version that was taken over have no nodes yet."""
        if review is not self._review:
            return
        node, points = self._points(), review.state.midline
        if points is not None and node is None:
            node = self._new_points()
        self._drawing = True
        if points is not None:
            put_points(node, points)
        elif node is not None and placed_points(node) is not None:  # a version without points was taken over
            node.UnsetAllControlPoints()
        lines = draw_lines(review.nodes.midline, self._measured()[0])
        self._drawing = False
        nodes = tuple(item for item in (node, *lines) if item is not None)
        if nodes != tuple(review.nodes.midline):
            review.nodes.use_midline(nodes)
        if node is not None:
            self._watch(node)
        self._show()

    def _measured(self) -> tuple[MidlineShift | None, str]:
        """The shift, or why there is none."""
        try:
            return self._review.midline_shift(), ""
        except GeometryError as error:
            return None, error.message()

    def _show(self) -> None:
        """Make the widgets say what the review says."""
        ui, review = self._ui, self._review
        if review is None:
            return
        node = self._points()
        missing, (shift, problem) = next_point(node), self._measured()
        ui.midlinePlaceButton.visible = bool(missing)
        ui.midlinePlaceButton.enabled = not self._is_placing()
        ui.midlineJumpButton.visible = not missing
        placed = node is not None and node.GetNumberOfDefinedControlPoints() > 0
        ui.midlineRemoveButton.visible = placed or review.state.midline is not None
        text, tone = _("Midline shift: not measured."), "neutral"
        if problem:
            text, tone = problem, "problem"
        elif shift is not None:
            text = " ".join(filter(None, (_("Midline shift: {0}.").format(shift.words), shift.caveat)))
            tone = "attention" if shift.flagged or shift.caveat else "neutral"
        elif self._is_placing():
            text = _("Click in an axial slice at the level of the foramina of Monro: {0}.").format(missing.lower())
        ui.midlineLabel.text = text
        ui.midlineLabel.styleSheet = tone_style(ui.midlineLabel, tone)

    def _on_points(self, node, event=None) -> None:
        """A point was placed, dragged or taken away."""
        if self._drawing or self._review is None:
            return
        if not next_point(node) and self._is_placing():
            qt.QTimer.singleShot(0, self._end_placing)  # not within the mouse's own event
        self._review.place_midline(placed_points(node))  # makes lines, which Slicer then takes for what is placed
        self._show()

    def _new_points(self) -> Points:
        node, nodes = add_points(), self._review.nodes
        nodes.use_midline((node, *(item for item in nodes.midline if slicer.mrmlScene.IsNodePresent(item))))
        return node

    def _points(self) -> Points | None:
        return None if self._review is None else part(self._review.nodes.midline, "points")

    def _is_placing(self) -> bool:
        """True while clicks place our points; the reader may have left that mode in Slicer's own way."""
        node, (selection, interaction) = self._points(), self._modes()
        here = node is not None and selection.GetActivePlaceNodeID() == node.GetID()
        return here and interaction.GetCurrentInteractionMode() == interaction.Place

    def _watch(self, node: Points) -> None:
        self._stop_watching()
        interaction = self._modes()[1]
        changed = interaction.AddObserver(interaction.InteractionModeChangedEvent, lambda caller, event: self._show())
        self._observed = [(node, node.AddObserver(event, self._on_points)) for event in _EVENTS]
        self._observed.append((interaction, changed))

    def _stop_watching(self) -> None:
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed = []

    @staticmethod
    def _modes() -> tuple[slicer.vtkMRMLSelectionNode, slicer.vtkMRMLInteractionNode]:
        logic = slicer.app.applicationLogic()
        return logic.GetSelectionNode(), logic.GetInteractionNode()
