"""The panel: its sections, the review on the screen, and what follows when the scene or the module changes."""

from __future__ import annotations

import slicer
import vtk
from slicer.i18n import tr as _

from NeuroTriageLib.core.errors import NeuroTriageError

from .cases_section import CasesSection
from .edit_section import EditSection
from .exam_store import ExamStore
from .exams_on_screen import change_exam
from .findings_rows import finding_rows, summary
from .findings_section import FindingsSection, OtherSeries
from .improve_section import ImproveSection
from .installation import Installation
from .measure_section import MeasureSection
from .midline_section import MidlineSection
from .node_section import NodeSection
from .report_section import ReportSection
from .review import CASE_ATTRIBUTE, Review
from .review_node import restore, review_nodes, study_siblings
from .run_section import RunSection
from .shortcuts import Shortcuts, shortcuts_text
from .sign_section import SignSection
from .slice_views import show_in_slice_views
from .study_run import series_name
from .study_section import StudySection
from .view_section import ViewSection
from .worker_client import WorkerCommand


class PanelWidget:
    """Brings the widgets of NeuroTriage.ui to life.

    Args:
        root: the widget that holds them.
        ui: the widgets by name.
        requirements_path: requirements.txt with what the worker needs beyond Slicer's own packages.
        worker_command: how to start the worker; None is the library's own.
    """

    def __init__(self, root, ui, requirements_path: str, worker_command: WorkerCommand | None = None) -> None:
        self.ui = ui
        self.parameters = None
        self.review: Review | None = None
        self.store = ExamStore()
        self.run = RunSection(
            ui, Installation(requirements_path), self.show_review, self._on_busy, self._on_worker_answer, worker_command
        )
        send = self.run.worker.send
        self.study = StudySection(ui, send, self._on_loaded, self._on_case_failed, self._on_study)
        self.findings = FindingsSection(ui, self._on_edit, self._on_other_series)
        self.view = ViewSection(ui)
        self.edit = EditSection(ui)
        self.measure = MeasureSection(ui)
        self.midline = MidlineSection(ui)
        self.sign = SignSection(ui, self.store, self._on_saved, self.open_next_case)
        self.cases = CasesSection(ui, self.store, self.open_case)
        self.improve = ImproveSection(ui, self.store, self._on_model)
        self.report = ReportSection(ui, self.store, send)
        self.node = NodeSection(ui, self.show_review, self._on_busy)
        self.shortcuts = Shortcuts(root, self._actions())
        ui.shortcutsLabel.toolTip = shortcuts_text()
        measuring = (self.measure, self.midline)
        self._sections = (self.findings, self.view, self.edit, *measuring, self.sign, self.cases, self.report)
        self._volume_seen = None
        self._model_changed = False
        self._watched: list[tuple] = []
        self.show_review(None)

    def close(self) -> None:
        """The panel goes away: end the worker, let go of every node."""
        self._watch(None)
        self.parameters = None
        self.show_review(None)
        measuring = (self.measure, self.midline)
        for section in (self.run, self.study, *measuring, self.sign, self.improve, self.report, self.node):
            section.close()

    def enter(self) -> None:
        """The user opens the module."""
        self.shortcuts.set_active(True)
        if self.review is not None:
            self.review.set_watched(True)
        self.run.describe()
        self.node.enter()

    def leave(self) -> None:
        """The user opens another module: keys, layout and strokes are theirs again; a run goes on."""
        self.shortcuts.set_active(False)
        self.view.leave()
        self.edit.stop()
        self.midline.stop_placing()
        self.node.leave()
        if self.review is not None:
            self.review.set_watched(False)

    def forget_scene(self) -> None:
        """The scene is closing: its nodes are going."""
        self._watch(None)
        self.parameters = self._volume_seen = None
        self.show_review(None)
        self.run.forget_scene()
        self.study.forget()
        self.node.forget_scene()

    def use_parameters(self, parameters) -> None:
        """Follow this parameter node from now on."""
        self.parameters = self.run.parameters = parameters
        self.update()

    def update(self, caller=None, event=None) -> None:
        """The parameters have changed: other volume, other device; a volume that was read before shows its review."""
        self.run.update()
        volume = self.parameters.inputVolume if self.parameters is not None else None
        self.study.update(volume)
        if volume is not self._volume_seen and not self.run.state.busy:
            self._volume_seen = volume
            self._watch(volume)
            self.restore_review(volume)

    def _watch(self, volume) -> None:
        """Say anew what is known of the volume when it gets its voxels or is moved (None: watch none)."""
        for node, tag in self._watched:
            node.RemoveObserver(tag)
        events = (
            slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,
            slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
            vtk.vtkCommand.ModifiedEvent,
        )
        self._watched = []
        if volume is not None:
            self._watched = [(volume, volume.AddObserver(event, self._on_volume)) for event in events]

    def _on_volume(self, caller=None, event=None) -> None:
        self.study.update(self._volume_seen)
        self.run.update()

    def look_again(self) -> None:
        """The scene has new nodes: a review of the chosen volume may be among them."""
        self._volume_seen = None
        self.update()

    def restore_review(self, volume) -> None:
        """Show the newest review of this volume that the scene keeps; nothing when it keeps none."""
        if volume is None or (self.review is not None and self.review.nodes.ct is volume):
            return
        kept = [node for node in review_nodes() if node.GetNodeReference("ct") is volume]
        try:
            review = restore(kept[-1]) if kept else None
            self.show_review(review)
            if review is not None:
                self.run.tell(_("From the scene: {0}").format(summary(review.result, review.findings())))
        except NeuroTriageError as error:
            self.show_review(None)
            self.run.tell(error.message(), "problem")

    def show_review(self, review: Review | None) -> None:
        """Put this exam on the screen instead of the one before."""
        if self.parameters is not None:  # else panel or scene is going
            change_exam(self.review, review)
        if self.review is not None:
            self.review.close()
        self.review = review
        if review is not None:
            review.set_watched(self.shortcuts.active)  # a run may end while the reader is elsewhere
        if review is not None and self.parameters is not None:  # of a study the panel chooses the series
            self._volume_seen = self.parameters.inputVolume = review.nodes.ct
            self._watch(review.nodes.ct)
        for section in self._sections:
            section.use(review)
        if review is not None:
            self.findings.show_others(_others_of_study(review))

    def open_case(self, entry) -> None:
        """Open a case of the list: a study of the DICOM database, or a path; it is read at once."""
        if self.run.state.busy or self.node.busy:
            self.run.tell(_("Wait for the exam that is coming, or cancel it, before another one is opened."), "problem")
            return
        if entry.path is not None:
            self.study.inspect([str(entry.path)], case=entry.key)
        else:
            self.study.inspect_database(entry.key, case=entry.key)

    def open_next_case(self) -> bool:
        """Open the next case that is not signed."""
        return self.cases.open_next()

    def _on_loaded(self, node, case: str) -> None:
        """A series came into the scene; a case of the list is read at once, or shown as it was left."""
        node.SetAttribute(CASE_ATTRIBUTE, case or None)
        self.parameters.inputVolume = node
        if case:
            self._read_case(node, case)

    def _read_case(self, node, case: str) -> None:
        try:
            kept = self.store.kept_review(node, case)
        except NeuroTriageError as error:
            self.run.tell(error.message(), "problem")
            return
        if kept is not None:
            self.show_review(kept)
        else:
            self.run.start()

    def _on_case_failed(self, text: str) -> None:
        self.run.tell(text, "problem")

    def _on_busy(self) -> None:
        """A run begins or ends, or an exam of the node comes."""
        free = not self.run.state.busy and not self.node.busy
        self.ui.studySection.enabled = self.ui.casesSection.enabled = free
        self.ui.runSection.enabled = not self.node.busy
        self.node.set_locked(self.run.state.busy)
        self._describe_anew()

    def _on_worker_answer(self, event: dict) -> None:
        """Answers that are no run's."""
        if str(event.get("id", "")).startswith("report"):
            self.report.on_event(event)
        else:
            self.study.on_event(event)

    def _on_other_series(self, volume, code: str) -> None:
        """A finding of the same study that is shown on another series was clicked."""
        self.parameters.inputVolume = volume
        self.update()
        if self.review is not None and self.review.nodes.ct is volume:
            show_in_slice_views(volume)
            self.findings.look_at(code)

    def _on_study(self, paths: list[str], subject, roles: dict[str, str], case: str) -> None:
        """The whole study is to be read."""
        self.run.start_study(paths, subject, roles, case)

    def _on_edit(self, code: str) -> None:
        self.edit.start(code)

    def _on_saved(self, status: str) -> None:
        self.cases.update()
        if self.improve.process.running:
            self.improve.ask_status()

    def _on_model(self) -> None:
        """Another model reads from now on."""
        self._model_changed = True
        self._describe_anew()

    def _describe_anew(self) -> None:
        """Say which model reads, once no run holds the worker up."""
        if self._model_changed and not self.run.state.busy:
            self._model_changed = False
            self.run.described = {}
            self.run.describe()

    def _actions(self) -> dict:
        return {
            "next": lambda: self.findings.step(1),
            "previous": lambda: self.findings.step(-1),
            "heatmap": self.view.toggle_heatmap,
            "mask": self.view.toggle_mask,
            "window": self.view.next_window,
            "accept": lambda: self.findings.decide("accept"),
            "reject": lambda: self.findings.decide("reject"),
        }


def _others_of_study(review: Review) -> list[OtherSeries]:
    """What was found on the other series of the study that are still in the scene."""
    others = []
    own = {finding.code for finding in review.result.findings}
    for node in study_siblings(review.nodes.ct):
        if node.GetNodeReference("ct") is None:
            continue
        other = restore(node)
        findings = [finding for finding in other.findings() if finding.code not in own]
        where = series_name(other.result)
        rows = finding_rows(other.result, findings, other.state.decisions, elsewhere=where)
        other.close()
        others.append(OtherSeries(other.nodes.ct, rows))
    return others


def active_volume() -> slicer.vtkMRMLScalarVolumeNode | None:
    """The volume that the slice views show, else the first of the scene."""
    selection = slicer.app.applicationLogic().GetSelectionNode()
    active_id = selection.GetActiveVolumeID() if selection is not None else None
    node = slicer.mrmlScene.GetNodeByID(active_id) if active_id else None
    if node is None:
        composite = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
        shown_id = composite.GetBackgroundVolumeID() if composite is not None else None
        node = slicer.mrmlScene.GetNodeByID(shown_id) if shown_id else None
    if node is not None and node.GetClassName() == "vtkMRMLScalarVolumeNode":
        return node
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
