"""The section Run: one button, progress, messages; they follow one RunState, the worker does the reading."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import qt
from slicer.i18n import tr as _

from NeuroTriageLib.core.errors import NeuroTriageError

from . import panel_settings
from .exam_run import ExamRun, RunChoices
from .installation import Installation
from .review import Review
from .run_estimate import estimate_text, updated
from .run_state import Notice, Phase, RunState
from .step_by_step import StepByStep
from .study_run import StudyRun
from .subject_tree import Subject
from .theme import tone_style
from .worker_client import WorkerClient, WorkerCommand

_CLOCK_MS = 500
_DESCRIBE = "describe"
"""Identifies the answer to what the worker is asked about itself; runs have numbers."""


class RunSection:
    """Brings runSection to life.

    Args:
        ui: the widgets by name.
        installation: gets what is missing, on the user's click.
        on_review: called with the review of an exam that was read.
        on_busy: called when a run begins or ends.
        on_answer: called with the worker's answers that are no run's.
        worker_command: how to start the worker; None is the library's own.
    """

    def __init__(
        self,
        ui,
        installation: Installation,
        on_review: Callable[[Review], None],
        on_busy: Callable[[], None],
        on_answer: Callable[[dict], None],
        worker_command: WorkerCommand | None = None,
    ) -> None:
        self._ui, self._installation = ui, installation
        self._on_review, self._on_busy, self._on_answer = on_review, on_busy, on_answer
        self.state = RunState()
        self.parameters = None
        self.worker = WorkerClient(self._on_event, self._on_worker_ended, worker_command)
        self.described: dict = {}
        self._run: ExamRun | StudyRun | None = None
        self._steps: StepByStep | None = None
        self._pack: str | None = None
        self._systems: list[str | None] = [None]
        self._clock = qt.QTimer()
        self._clock.setInterval(_CLOCK_MS)
        self._clock.connect("timeout()", self.update)
        ui.runButton.connect("clicked(bool)", self._on_run_clicked)
        ui.acceptUnfamiliarButton.connect("clicked(bool)", self._on_accept_unfamiliar)
        ui.installButton.connect("clicked(bool)", lambda checked: self._on_install(installation.install))
        ui.installWheelsButton.connect("clicked(bool)", lambda checked: self._on_install(installation.install_wheels))
        ui.packButton.connect("clicked(bool)", self._on_pack)
        ui.systemSelector.connect("currentIndexChanged(int)", self.update)
        self._fill_systems()
        self.update()

    def close(self) -> None:
        """The panel goes away: end the worker and whatever runs."""
        self._clock.stop()
        self.worker.stop()
        self._drop_run()

    def describe(self) -> None:
        """Ask the worker what is here; it also makes the first run start sooner."""
        if not self.described and not self.state.busy:
            self.worker.send(id=_DESCRIBE, command="describe")

    def forget_scene(self) -> None:
        """The scene is closing: its nodes are gone, and a run for one of them has no use."""
        self.parameters = None
        if self.state.busy:
            self.worker.stop()
            self._end(Notice(_("The scene was closed; the run was stopped.")))
        else:
            self.state = self.state.ended(Notice())
            self.update()

    def start(self, choices: RunChoices | None = None) -> None:
        """Read the chosen volume. Args: choices: in place of those of the widgets."""
        self._start(lambda: ExamRun(self.parameters.inputVolume), choices or self.choices())

    def start_study(self, paths: list[str], subject: Subject, roles: Mapping[str, str], case: str = "") -> None:
        """Read a whole study on disk, with the system that is chosen or the default one of each modality."""
        self._start(lambda: StudyRun(paths, subject, roles, case), self.choices())

    def _start(self, make_run: Callable[[], ExamRun | StudyRun], choices: RunChoices) -> None:
        if self.state.phase is not Phase.IDLE:
            return
        try:
            self._run = make_run()
        except NeuroTriageError as error:
            self._end(Notice(error.message(), "problem"))
            return
        except OSError as error:
            self._end(Notice(_("The volume cannot be handed on: {0}.").format(error.strerror), "problem"))
            return
        self.state = self.state.begun(time.monotonic())
        self._clock.start()
        self.worker.send(**self._run.request(self.state.run, choices))
        self._on_busy()
        self.update()

    def choices(self) -> RunChoices:
        """What the widgets say."""
        return RunChoices(self._system(), self.parameters.device.value, self._pack)

    def cancel(self) -> None:
        """Stop the run now: its process is ended, which also frees its memory; the next run starts a new one."""
        if self.state.phase is Phase.RUNNING:
            self.worker.stop()
            self._end(Notice(_("Cancelled.")))
            self.worker.start()  # the next run does not wait for Python

    def tell(self, text: str, tone: str = "neutral") -> None:
        """Say something where the user looks for messages."""
        if not self.state.busy:
            self.state = self.state.ended(Notice(text, tone))
            self.update()

    def update(self, caller=None, event=None) -> None:
        """Make the widgets say what the state says."""
        state, ui = self.state, self._ui
        volume = self.parameters.inputVolume if self.parameters is not None else None
        for widget in (ui.inputSelector, ui.systemSelector, ui.deviceSelector, ui.packButton):
            widget.enabled = not state.busy
        ui.runButton.text = _("Cancel") if state.busy else _("Run")
        ui.runButton.enabled = state.busy or volume is not None
        ui.runButton.toolTip = "" if volume is not None or state.busy else _("Choose a volume first")
        ui.progressWidget.visible = state.busy
        ui.progressBar.value = round(100 * state.share_done)
        ui.stageLabel.text = state.stage_text
        ui.timeLabel.text = state.time_text(time.monotonic()) if state.busy else ""
        ui.statusLabel.visible = bool(state.notice.text) and not state.busy
        ui.statusLabel.text = state.notice.text
        ui.statusLabel.styleSheet = tone_style(ui.statusLabel, state.notice.tone)
        ui.installButton.visible = ui.installWheelsButton.visible = state.notice.offers_install and not state.busy
        ui.acceptUnfamiliarButton.visible = state.notice.offers_accept and not state.busy
        ui.estimateLabel.text = self._estimate(volume)
        ui.estimateLabel.visible = bool(ui.estimateLabel.text) and not state.busy
        ui.estimateLabel.styleSheet = tone_style(ui.estimateLabel, "neutral")

    def _system(self) -> str | None:
        index = self._ui.systemSelector.currentIndex
        return self._systems[index] if 0 <= index < len(self._systems) else None

    def _estimate(self, volume) -> str:
        """How long it will take and on which device, once the worker has told what is here."""
        computer = self.described.get("computer", {})
        if volume is None or volume.GetImageData() is None or not computer.get("devices"):
            return ""
        device = self.parameters.device.value
        if device == "cuda" and "cuda" not in computer["devices"]:
            return _("No CUDA GPU can be used here: the run would be refused. Choose Automatic or CPU.")
        kind = "cuda" if "cuda" in computer["devices"] and device != "cpu" else "cpu"
        system = self._system() or self.described["default_system"]
        slices = volume.GetImageData().GetDimensions()[2]
        told = estimate_text(panel_settings.measured_seconds(), system, kind, slices)
        return f"{computer['devices'][kind]}. {told}"

    def _fill_systems(self) -> None:
        """The systems whose model packs are here, the default one first."""
        selector, before = self._ui.systemSelector, self._system()
        blocked = selector.blockSignals(True)
        selector.clear()
        self._systems = [None]
        default = self.described.get("default_system", "")
        selector.addItem(_("Best that is installed") + (f" ({default})" if default else ""))
        for entry in self.described.get("systems", ()):
            if entry["packs"] and entry["name"] != default and entry.get("modality") != "MR":  # read with a study
                self._systems.append(entry["name"])
                selector.addItem(f"{entry['name']}: {entry['title']}")
        selector.currentIndex = self._systems.index(before) if before in self._systems else 0
        selector.blockSignals(blocked)

    def _on_run_clicked(self) -> None:
        if self.state.phase is Phase.RUNNING:
            self.cancel()
        elif self.state.phase is Phase.IDLE:
            self.start()

    def _on_accept_unfamiliar(self) -> None:
        chosen = self.choices()
        self.start(RunChoices(chosen.system, chosen.device, chosen.model, accept_unfamiliar=True))

    def _on_event(self, event: dict) -> None:
        """One event of the worker; those of earlier runs are none of ours."""
        kind = event["event"]
        if kind == "described":
            self._on_described(event)
        elif str(event.get("id", "")).partition(" ")[0] in ("inspect", "report"):
            self._on_answer(event)
        if not self.state.busy or event.get("id") != self.state.run:
            return
        if kind == "progress":
            self.state = self.state.progressed(event["stage"], event["fraction"])
            self.update()
        elif kind == "result":
            self._show(event)
        elif kind == "error":
            where = f" [{event['where']}]" if event["where"] else ""
            self._end(self._problem(f"{event['what']}{where}", event["next_step"], event["what"]))

    def _on_described(self, event: dict) -> None:
        self.described = event
        self._fill_systems()
        missing = event["computer"]["missing_packages"]
        if missing and not self.state.busy:
            self.state = self.state.ended(self._missing(missing))
        self.update()

    def _on_worker_ended(self, what: str, stderr: str) -> None:
        if not self.state.busy:
            return
        last_line = stderr.strip().splitlines()[-1] if stderr.strip() else ""
        said = f"{what} {last_line}".strip()
        self._end(self._problem(said, _("The scene is as it was. Run again to start a new process."), stderr))

    def _problem(self, text: str, next_step: str, searched: str) -> Notice:
        """The notice for a failure; a missing package is named with the way to get it."""
        missing = re.search(r"No module named '([\w.]+)'", searched)
        if missing:
            return self._missing([missing[1]])
        return Notice(f"{text} {next_step}".strip(), "problem")

    def _missing(self, names: list[str]) -> Notice:
        text = _("Reading exams needs the Python package {0}, which is not installed.").format(", ".join(names))
        return Notice(f"{text} {self._installation.size_text()}", "problem", offers_install=True)

    def _show(self, event: dict) -> None:
        self.state = self.state.progressed("show", 0.0)
        self.update()
        self._steps = StepByStep(self._run.show_pausing(event), self._on_shown, self._on_not_shown)

    def _on_shown(self, review: Review) -> None:
        result, seconds = review.result, time.monotonic() - self.state.started_s
        device = "cuda" if result.device.startswith("cuda") else "cpu"
        if result.readings and self._run.slices:
            panel_settings.keep_measured_seconds(
                updated(panel_settings.measured_seconds(), result.readings[0].system, device, self._run.slices, seconds)
            )
        self._end(Notice.of_result(result, seconds))
        self._on_review(review)

    def _on_not_shown(self, error: Exception) -> None:
        if isinstance(error, NeuroTriageError):
            self._end(Notice(error.message(), "problem"))
            return
        # A fault of ours must not leave the panel busy for ever.
        self._end(Notice(_("The result could not be shown; see the Python console."), "problem"))
        raise error

    def _end(self, notice: Notice) -> None:
        self._clock.stop()
        self._drop_run()
        self.state = self.state.ended(notice)
        self.update()
        self._on_busy()

    def _drop_run(self) -> None:
        if self._steps is not None:
            self._steps.stop()
            self._steps = None
        if self._run is not None:
            self._run.discard()
            self._run = None

    def _on_install(self, install: Callable[[], str]) -> None:
        try:
            said = install()
        except Exception as error:  # declined, no network, no rights: all end in the same place for the user
            self._end(Notice(_("Nothing was installed: {0}").format(error), "problem", offers_install=True))
            return
        if said:
            self.worker.stop()
            self.described = {}
            self._end(Notice(said))
            self.describe()

    def _on_pack(self) -> None:
        path = self._installation.choose_pack()
        if path is not None:
            self._pack = path or None
            self._ui.packButton.text = (
                _("Model pack: {0}").format(Path(path).name) if path else _("Use a model pack...")
            )
            self.update()
