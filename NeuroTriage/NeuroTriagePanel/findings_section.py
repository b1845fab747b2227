"""The section Findings: table, decisions, thresholds, what each system said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from slicer.i18n import tr as _

from .findings_rows import FindingRow, finding_rows, opinions_line
from .findings_table import FindingsTable
from .review import Review
from .slice_views import key_point_ras, look_at
from .theme import tone_style


@dataclass(frozen=True)
class OtherSeries:
    """What was found on another series of the study.

    Args:
        volume: its node.
        rows: lines for the table; their codes are none of the present series'.
    """

    volume: object
    rows: tuple[FindingRow, ...]


class FindingsSection:
    """Brings findingsSection to life.

    Args:
        ui: the widgets by name.
        on_edit: called with a code when the reader wants to correct its mask.
        on_other_series: called with a volume node and a code of a finding that is shown on it.
    """

    def __init__(self, ui, on_edit: Callable[[str], None], on_other_series: Callable[[object, str], None]) -> None:
        self._ui, self._on_edit, self._on_other_series = ui, on_edit, on_other_series
        self._review: Review | None = None
        self._others: list[OtherSeries] = []
        self._updating = False
        self.table = FindingsTable(ui.findingsTable, self._on_row, self._on_shown)
        for button, decision in ((ui.acceptButton, "accept"), (ui.editButton, "edit"), (ui.rejectButton, "reject")):
            button.connect("clicked(bool)", lambda checked, decision=decision: self.decide(decision))
        ui.thresholdSlider.connect("valueChanged(double)", self._on_threshold)
        ui.pixelSlider.connect("valueChanged(double)", self._on_pixel_threshold)
        ui.resetThresholdsButton.connect("clicked(bool)", self._on_reset)

    def use(self, review: Review | None) -> None:
        """Show this review, or nothing."""
        self._review, self._others = review, []
        self._ui.findingsSection.visible = review is not None
        self.table.show((), ())
        if review is not None:
            review.mask_changed.add(self.update)
            review.decided.add(self.update)
            remarks = " ".join(flag.message for flag in review.result.quality)
            self._ui.qualityLabel.text = _("Image quality: {0}").format(remarks)
            self._ui.qualityLabel.visible = bool(remarks)
            self.update()
            self.table.select(next((item.code for item in review.result.findings if item.present), None))
            self._update_selected({item.code: item for item in review.findings()})

    def show_others(self, others: list[OtherSeries]) -> None:
        """Findings of the same study that are shown on other series stand below those of this one."""
        self._others = others
        self.update()

    def look_at(self, code: str) -> None:
        """Select the line of a finding and go to its key slice."""
        self.table.select(code)
        self._on_row(code)

    def update(self) -> None:
        """Make the widgets say what the review says."""
        review = self._review
        if review is None:
            return
        findings = review.findings()
        rows = finding_rows(review.result, findings, review.state.decisions, edited=review.edited_codes())
        elsewhere = [row for other in self._others for row in other.rows]
        self.table.show((*rows, *elsewhere), self._shown_codes())
        self._update_selected({item.code: item for item in findings})

    def decide(self, decision: str) -> None:
        """Accept, edit or reject the selected finding; the same again takes a decision back."""
        code = self.table.selected_code
        if self._review is None or code is None or not getattr(self._ui, f"{decision}Button").enabled:
            return
        taken_back = decision != "edit" and self._review.state.decisions.get(code) == decision
        self._review.decide(code, None if taken_back else decision)
        if decision == "edit":
            self._on_edit(code)

    def step(self, by: int) -> None:
        """Select the next (1) or previous (-1) finding that has a key slice, and look at it."""
        codes = [item.code for item in self._ordered() if item.key_slice is not None]
        if not codes:
            return
        selected = self.table.selected_code
        at = codes.index(selected) + by if selected in codes else (0 if by > 0 else -1)
        self.table.select(codes[at % len(codes)])
        self._on_row(codes[at % len(codes)])

    def _ordered(self) -> list:
        if self._review is None:
            return []
        by_code = {item.code: item for item in self._review.findings()}
        rows = finding_rows(self._review.result, list(by_code.values()), {})
        return [by_code[row.code] for row in rows]

    def _on_row(self, code: str) -> None:
        other = next((other for other in self._others if code in {row.code for row in other.rows}), None)
        if other is not None:
            self._on_other_series(other.volume, code)
            return
        findings = {item.code: item for item in self._review.findings()}
        point = key_point_ras(self._review.result, findings[code], self._review.label_kji)
        if point is not None:
            look_at(point)
        self._update_selected(findings)

    def _update_selected(self, findings: dict) -> None:
        """The buttons, sliders and opinions of the selected line."""
        ui, code = self._ui, self.table.selected_code
        finding = findings.get(code)
        found = finding is not None and finding.status == "found"
        decision = self._review.state.decisions.get(code, "")
        ui.acceptButton.enabled = finding is not None and finding.status != "could_not_look"
        ui.editButton.enabled = finding is not None and self._review.draws_masks
        ui.rejectButton.enabled = found or decision == "reject"
        ui.acceptButton.text = _("Take back") if decision == "accept" else _("Accept")
        ui.rejectButton.text = _("Take back") if decision == "reject" else _("Reject")
        ui.opinionsLabel.text = "" if finding is None else opinions_line(self._review.result, finding)
        ui.opinionsLabel.visible = bool(ui.opinionsLabel.text)
        doubtful = finding is not None and (finding.agreement == "split" or finding.status == "could_not_look")
        ui.opinionsLabel.styleSheet = tone_style(ui.opinionsLabel, "problem" if doubtful else "neutral")
        self._update_sliders(finding)

    def _update_sliders(self, finding) -> None:
        ui, review = self._ui, self._review
        maps = review.reading.voxel_probabilities if review.draws_masks else None
        ui.thresholdWidget.visible = review.draws_masks
        if not review.draws_masks:
            return
        self._updating = True
        ui.thresholdWidget.enabled = review.can_move_thresholds
        ui.thresholdWidget.toolTip = (
            "" if review.can_move_thresholds else _("The mask was edited by hand; thresholds would undo your strokes.")
        )
        threshold = review.threshold_of(finding.code) if finding is not None else None
        ui.thresholdSlider.enabled = review.can_move_thresholds and threshold is not None
        if threshold is not None:
            ui.thresholdSlider.value = 100.0 * threshold
        code = finding.code if finding is not None else None
        ui.pixelSlider.enabled = review.can_move_pixel_threshold and (not maps.thresholds or code in maps.codes)
        if maps is not None:
            ui.pixelSlider.minimum = 100.0 * maps.floor
            ui.pixelSlider.value = 100.0 * review.pixel_threshold_of(code)
        state = review.state
        moved = bool(state.threshold or state.pixel_thresholds) or state.pixel_threshold is not None
        ui.resetThresholdsButton.enabled = moved and review.can_move_thresholds
        self._updating = False

    def _on_threshold(self, percent: float) -> None:
        code = self.table.selected_code
        if not self._updating and self._review is not None and code is not None:
            self._review.move_threshold(code, percent / 100.0)

    def _on_pixel_threshold(self, percent: float) -> None:
        if not self._updating and self._review is not None:
            self._review.move_pixel_threshold(percent / 100.0, self.table.selected_code)

    def _on_reset(self) -> None:
        if self._review is not None:
            self._review.reset_thresholds()

    def _shown_codes(self) -> set[str]:
        node = self._review.mask.node
        if node is None:
            return set()
        display, segmentation = node.GetDisplayNode(), node.GetSegmentation()
        ids = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
        shown = {code for code in ids if display.GetVisibility() and display.GetSegmentVisibility(code)}
        return shown | {"any"} if shown else shown

    def _on_shown(self, code: str, shown: bool) -> None:
        """Show or hide the mask of a finding; "any" means all of them."""
        node = self._review.mask.node
        if node is None:
            return
        display = node.GetDisplayNode()
        if code == "any" and node.GetSegmentation().GetSegment("any") is None:
            display.SetVisibility(shown)
            display.SetAllSegmentsVisibility(shown)
        else:
            display.SetVisibility(True)
            display.SetSegmentVisibility(code, shown)
        self.update()
