"""The section Measure: mL beside ABC/2 with lines that can be moved, and the change since a prior exam."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from NeuroTriageLib.core.codes import ANY
from NeuroTriageLib.core.errors import NeuroTriageError
from NeuroTriageLib.core.pauses import Pausing, without_pauses
from NeuroTriageLib.review.live_measurements import LiveMeasurement, measure_label_pausing

from .abc2_lines import (
    AXIS_ATTRIBUTE,
    CODE_ATTRIBUTE,
    MOVED_ATTRIBUTE,
    add_line,
    axes_of,
    label_line,
    moved_lines,
    place_line,
)
from .figures_table import fill_figures
from .findings_rows import short_name
from .prior_exam import change_rows, compare, midline_change
from .review import Review
from .step_by_step import StepByStep
from .theme import tone_style

COLUMNS = ("Finding", "mL", "A", "B", "C", "ABC/2", "Off")
PRIOR_COLUMNS = ("Finding", "Prior", "Now", "mL", "%", "Grew")
# A stroke gives many events; parts and diameters are measured when the hand rests (ours).
_REST_MS = 250


class MeasureSection:
    """Brings measureSection to life.

    Args:
        ui: the widgets by name.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._review: Review | None = None
        self._observed: list[tuple] = []
        self._placing = False
        self._steps: StepByStep | None = None
        self.measured: dict[str, LiveMeasurement] = {}
        self._rest = qt.QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.connect("timeout()", self._on_rest)
        ui.linesCheckBox.connect("toggled(bool)", self._on_lines_shown)
        ui.proposeButton.connect("clicked(bool)", self._on_propose)
        ui.priorSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._update_prior)
        ui.samePatientCheckBox.connect("toggled(bool)", self._update_prior)

    def use(self, review: Review | None) -> None:
        """Measure this review, or nothing."""
        self._stop_watching()
        self._stop_measuring()
        self._review, self.measured = review, {}
        draws = review is not None and review.draws_masks
        self._ui.measureSection.visible = review is not None
        for widget in (self._ui.measureTable, self._ui.measureLabel, self._ui.measureButtons, self._ui.priorWidget):
            widget.visible = draws
        self._ui.samePatientCheckBox.checked = False
        self._ui.priorSelector.setCurrentNode(None)
        if draws:
            review.midline_changed.add(self.measure_soon)
            review.mask_changed.add(self.measure_soon)
            self._watch_lines()
            self._ui.linesCheckBox.checked = any(_shown(node) for node in review.nodes.lines)
            self.measure_soon()

    def close(self) -> None:
        """The panel goes away."""
        self.use(None)

    def measure_soon(self) -> None:
        """Measure when the hand rests, finding by finding, so that the interface answers in between."""
        self._stop_measuring()
        self._rest.start()

    def measure(self) -> None:
        """Measure the present mask with the reader's lines now; lines that nobody moved follow the mask."""
        self._stop_measuring()
        if self._can_measure():
            without_pauses(self._measure_pausing())

    def _on_rest(self) -> None:
        if self._can_measure():
            self._steps = StepByStep(self._measure_pausing(), lambda done: None, _raise)

    def _stop_measuring(self) -> None:
        self._rest.stop()
        if self._steps is not None:
            self._steps.stop()
            self._steps = None

    def _can_measure(self) -> bool:
        return self._review is not None and bool(slicer.mrmlScene.IsNodePresent(self._review.nodes.ct))

    def _measure_pausing(self) -> Pausing[None]:
        review = self._review
        lines = [node for node in review.nodes.lines if slicer.mrmlScene.IsNodePresent(node)]
        measured = yield from measure_label_pausing(review.label_kji, review.result.grid, moved_lines(lines))
        yield
        if self._can_measure():  # a scene may have been closed meanwhile
            self.measured = measured
            self._place_lines()
            self._show()
            self._update_prior()

    def _show(self) -> None:
        rows = [_cells(item) for item in self.measured.values()]
        fill_figures(self._ui.measureTable, COLUMNS, rows, tooltips=[_tooltip(item) for item in self.measured.values()])
        flagged = [code for code, item in self.measured.items() if item.flagged]
        large = [short_name(code).lower() for code in flagged if code != ANY] or [_("hemorrhage in all")] * bool(
            flagged
        )
        label = self._ui.measureLabel
        label.text = _("Above 30 mL: {0}.").format(", ".join(large)) if large else ""
        label.visible = bool(large)
        label.styleSheet = tone_style(label, "attention")
        self._ui.measureTable.visible = bool(rows)
        self._ui.proposeButton.enabled = any(
            node.GetAttribute(MOVED_ATTRIBUTE) == "true" for node in self._review.nodes.lines
        )

    def _place_lines(self) -> None:
        """Lines of findings that are measured, where the measurement has them; the others are hidden."""
        review, self._placing = self._review, True
        have = {(n.GetAttribute(CODE_ATTRIBUTE), n.GetAttribute(AXIS_ATTRIBUTE)): n for n in review.nodes.lines}
        have = {key: node for key, node in have.items() if slicer.mrmlScene.IsNodePresent(node)}
        for code, item in self.measured.items():
            if item.abc2 is None:
                continue
            for axis, ends in axes_of(item.abc2.lines).items():
                if (code, axis) not in have:  # a finding that is new, or a line that was removed or had no length
                    review.nodes.add_lines([add_line(code, axis, ends)])
                elif axis not in item.abc2.edited:
                    place_line(have[code, axis], ends)
        if len(review.nodes.lines) > len(have):
            self._watch_lines()
        shown = self._ui.linesCheckBox.checked
        for (code, _axis), node in have.items():
            measured = self.measured.get(code)
            node.SetDisplayVisibility(shown and measured is not None and measured.abc2 is not None)
        self._placing = False

    def _watch_lines(self) -> None:
        self._stop_watching()
        for node in self._review.nodes.lines:
            if slicer.mrmlScene.IsNodePresent(node):
                tag = node.AddObserver(slicer.vtkMRMLMarkupsNode.PointModifiedEvent, self._on_line_moved)
                self._observed.append((node, tag))

    def _stop_watching(self) -> None:
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed = []

    def _on_line_moved(self, node, event=None) -> None:
        if self._placing or self._review is None:
            return
        node.SetAttribute(MOVED_ATTRIBUTE, "true")
        self._placing = True
        label_line(node)
        self._placing = False
        self.measure_soon()

    def _on_lines_shown(self, shown: bool) -> None:
        if self._review is not None:
            self._place_lines()

    def _on_propose(self) -> None:
        for node in self._review.nodes.lines:
            node.SetAttribute(MOVED_ATTRIBUTE, "false")
        self.measure()

    def _update_prior(self) -> None:
        """The change since the chosen prior, or why it cannot be told."""
        ui, prior = self._ui, self._ui.priorSelector.currentNode()
        ui.priorTable.visible = ui.priorLabel.visible = False
        ui.samePatientCheckBox.visible = prior is not None
        if self._review is None or prior is None:
            return
        try:
            changes = compare(self._review, prior, same_patient_confirmed=ui.samePatientCheckBox.checked)
        except NeuroTriageError as error:
            ui.priorLabel.text, tone = error.message(), "problem"
        else:
            fill_figures(ui.priorTable, PRIOR_COLUMNS, change_rows(changes))
            ui.priorTable.visible = True
            grown = [short_name(code).lower() for code, change in changes.items() if change.expanded]
            told = (
                _("Expanded by more than 6 mL or 33 %: {0}.").format(", ".join(grown)) if grown else _("No expansion.")
            )
            ui.priorLabel.text = f"{told} {midline_change(self._review, prior)}".strip()
            tone = "attention" if grown else "neutral"
        ui.priorLabel.visible = True
        ui.priorLabel.styleSheet = tone_style(ui.priorLabel, tone)


def _cells(item: LiveMeasurement) -> tuple[str, ...]:
    abc2 = item.abc2
    if abc2 is None:
        return (short_name(item.code), f"{item.volume_ml:.1f}", "", "", "", "", "")
    marks = {axis: "*" if axis in abc2.edited else "" for axis in "ABC"}
    off = "–" if abc2.percent_off is None else f"{abc2.percent_off:+.0f} %"
    lengths = (f"{abc2.a_mm:.0f}{marks['A']}", f"{abc2.b_mm:.0f}{marks['B']}", f"{abc2.c_mm:.0f}{marks['C']}")
    return (short_name(item.code), f"{item.volume_ml:.1f}", *lengths, f"{abc2.volume_ml:.1f}", off)


def _tooltip(item: LiveMeasurement) -> str:
    parts = "1 part" if item.components == 1 else f"{item.components} parts"
    lines = [f"{parts}, size class {item.size_class}. A, B, C in mm; ABC/2 in mL, and how far it is off the mask's mL."]
    if item.abc2 is not None and item.abc2.caveat:
        lines.append(item.abc2.caveat)
    if item.abc2 is not None and item.abc2.edited:
        lines.append("* moved by the reader")
    return "\n".join(lines)


def _raise(error: Exception) -> None:
    raise error


def _shown(node) -> bool:
    return bool(node.GetDisplayVisibility())
