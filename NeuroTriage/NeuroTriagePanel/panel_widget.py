"""The panel's behaviour: button, progress, messages and table follow one RunState; the worker does the reading."""

from __future__ import annotations

import re
import time
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from NeuroTriageLib.core.errors import NeuroTriageError

from .exam_run import ExamRun
from .findings_rows import finding_row, summary
from .findings_table import FindingsTable
from .run_state import Notice, Phase, RunState
from .scene_bridge import ExamNodes
from .slice_views import key_point_ras, look_at, set_heatmap_visible
from .worker_client import WorkerClient, WorkerCommand

_CLOCK_MS = 500
_TONE_STYLES = {
    "neutral": "color: #505050;",
    "good": "color: #1d6b33; font-weight: bold;",
    "attention": "color: #a81e12; font-weight: bold;",
    "problem": "color: #7a4b00; background: #fff4dc; border: 1px solid #e6c98a; border-radius: 3px; padding: 5px;",
}


class PanelWidget:
    """Brings the widgets of NeuroTriage.ui to life.

    Args:
        ui: the widgets by name.
        requirements_path: requirements.txt with what the worker needs beyond Slicer's own packages.
        worker_command: how to start the worker; None is the library's own.
    """

    def __init__(self, ui, requirements_path: str, worker_command: WorkerCommand | None = None) -> None:
        self.ui = ui
        self.state = RunState()
        self.parameters = None
        self._requirements_path = requirements_path
        self._worker = WorkerClient(self._on_event, self._on_worker_ended, worker_command)
        self._run: ExamRun | None = None
        self._nodes: ExamNodes | None = None
        self._key_points: list = []
        self._table = FindingsTable(ui.findingsTable, self._on_row_clicked)
        self._clock = qt.QTimer()
        self._clock.setInterval(_CLOCK_MS)
        self._clock.connect("timeout()", self.update)
        ui.runButton.connect("clicked(bool)", self._on_run_clicked)
        ui.installButton.connect("clicked(bool)", self._on_install_clicked)
        ui.heatmapCheckBox.connect("toggled(bool)", self._on_heatmap_toggled)
        self._empty_results()
        self.update()

    def close(self) -> None:
        """The panel goes away: end the worker and whatever runs."""
        self._clock.stop()
        self._worker.stop()
        self._drop_run()

    def forget_scene(self) -> None:
        """The scene is closing: its nodes are gone, and a run for one of them has no use."""
        self.parameters = None
        if self.state.busy:
            self._worker.stop()
            self._end(Notice(_("The scene was closed; the run was stopped.")))
        self._empty_results()
        self.update()

    def use_parameters(self, parameters) -> None:
        """Follow this parameter node from now on."""
        self.parameters = parameters
        self.update()

    def update(self, caller=None, event=None) -> None:
        """Make the widgets say what the state says."""
        state, ui = self.state, self.ui
        volume = self.parameters.inputVolume if self.parameters is not None else None
        ui.inputSelector.enabled = ui.systemSelector.enabled = ui.deviceSelector.enabled = not state.busy
        ui.runButton.text = _("Cancel") if state.busy else _("Run")
        ui.runButton.enabled = state.phase is Phase.RUNNING or (state.phase is Phase.IDLE and volume is not None)
        ui.runButton.toolTip = "" if volume is not None or state.busy else _("Choose a head CT first")
        ui.progressWidget.visible = state.busy
        ui.progressBar.value = round(100 * state.share_done)
        ui.stageLabel.text = state.stage_text
        ui.timeLabel.text = state.time_text(time.monotonic()) if state.busy else ""
        ui.statusLabel.visible = bool(state.notice.text) and not state.busy
        ui.statusLabel.text = state.notice.text
        ui.statusLabel.styleSheet = _TONE_STYLES[state.notice.tone]
        ui.installButton.visible = state.notice.offers_install and not state.busy

    def _on_run_clicked(self) -> None:
        if self.state.phase is Phase.RUNNING:
            self._cancel()
        elif self.state.phase is Phase.IDLE:
            self._start()

    def _start(self) -> None:
        try:
            self._run = ExamRun(self.parameters.inputVolume)
        except NeuroTriageError as error:
            self._end(Notice(error.message(), "problem"))
            return
        except OSError as error:
            self._end(Notice(_("The volume cannot be handed on: {0}.").format(error.strerror), "problem"))
            return
        self._empty_results()
        self.state = self.state.begun(time.monotonic())
        self._clock.start()
        request = self._run.request(run=self.state.run, system=None, device=self.parameters.device.value)
        self._worker.send(**request)
        self.update()

    def _cancel(self) -> None:
        """Ask the worker to stop; a process that has not come up yet, and so hears nothing, is ended."""
        self.state = self.state.cancelling()
        self._worker.send(command="cancel")
        run = self.state.run
        qt.QTimer.singleShot(10000, lambda: self._end_deaf_worker(run))
        self.update()

    def _end_deaf_worker(self, run: int) -> None:
        if self.state.phase is Phase.CANCELLING and self.state.run == run:
            self._worker.stop()
            self._end(Notice(_("Cancelled.")))

    def _on_event(self, event: dict) -> None:
        """One event of the worker; those of earlier runs are none of ours."""
        if not self.state.busy or event.get("id") != self.state.run:
            return
        kind = event["event"]
        if kind == "progress":
            self.state = self.state.progressed(event["stage"], event["fraction"])
            self.update()
        elif kind == "cancelled" or (kind == "result" and self.state.phase is Phase.CANCELLING):
            self._end(Notice(_("Cancelled.")))
        elif kind == "result":
            self._show(Path(event["result"]))
        elif kind == "error":
            where = f" [{event['where']}]" if event["where"] else ""
            self._end(self._problem(f"{event['what']}{where}", event["next_step"], event["what"]))

    def _on_worker_ended(self, what: str, stderr: str) -> None:
        if not self.state.busy:
            return
        last_line = stderr.strip().splitlines()[-1] if stderr.strip() else ""
        said = f"{what} {last_line}".strip()
        if self.state.phase is Phase.CANCELLING:
            self._end(Notice(_("Cancelled.")))
        else:
            self._end(self._problem(said, _("The scene is as it was. Run again to start a new process."), stderr))

    def _problem(self, text: str, next_step: str, searched: str) -> Notice:
        """The notice for a failure; a missing package is named with the way to get it."""
        missing = re.search(r"No module named '([\w.]+)'", searched)
        if missing:
            text = _("Reading exams needs the Python package {0}, which is not installed.").format(missing[1])
            return Notice(text + " " + _("Install it below, then run again."), "problem", offers_install=True)
        return Notice(f"{text} {next_step}".strip(), "problem")

    def _show(self, folder: Path) -> None:
        self.state = self.state.progressed("show", 0.0)
        try:
            result, self._nodes = self._run.show(folder)
        except NeuroTriageError as error:
            self._end(Notice(error.message(), "problem"))
            return
        except Exception:  # a fault of ours must not leave the panel busy for ever
            self._end(Notice(_("The result could not be shown; see the Python console."), "problem"))
            raise
        self._key_points = [key_point_ras(result, finding) for finding in result.findings]
        self._table.show(tuple(finding_row(result, finding) for finding in result.findings))
        remarks = " ".join(flag.message for flag in result.quality)
        self.ui.qualityLabel.text = _("Image quality: {0}").format(remarks)
        self.ui.qualityLabel.visible = bool(remarks)
        self.ui.findingsWidget.visible = True
        seconds = time.monotonic() - self.state.started_s
        found = any(finding.present for finding in result.findings)
        could_look = any(finding.present is not None for finding in result.findings)
        tone = "attention" if found else "good" if could_look else "problem"
        self._end(Notice(summary(result) + " " + _("({0:.0f} s)").format(seconds), tone))

    def _end(self, notice: Notice) -> None:
        self._clock.stop()
        self._drop_run()
        self.state = self.state.ended(notice)
        self.update()

    def _drop_run(self) -> None:
        if self._run is not None:
            self._run.discard()
            self._run = None

    def _empty_results(self) -> None:
        self._nodes, self._key_points = None, []
        self._table.show(())
        self.ui.heatmapCheckBox.checked = False
        self.ui.findingsWidget.visible = False

    def _on_row_clicked(self, row: int) -> None:
        if row < len(self._key_points) and self._key_points[row] is not None:
            look_at(self._key_points[row])

    def _on_heatmap_toggled(self, shown: bool) -> None:
        for heatmap in self._nodes.heatmaps if self._nodes is not None else ():
            if slicer.mrmlScene.IsNodePresent(heatmap):
                set_heatmap_visible(heatmap, shown)

    def _on_install_clicked(self) -> None:
        requirements = slicer.packaging.load_requirements(self._requirements_path)
        try:
            slicer.packaging.pip_ensure(requirements, requester="NeuroTriage")
        except Exception as error:  # declined, no network, no rights: all end in the same place for the user
            self._end(Notice(_("Nothing was installed: {0}").format(error), "problem", offers_install=True))
            return
        self._worker.stop()
        self._end(Notice(_("The packages are installed. Run again.")))
