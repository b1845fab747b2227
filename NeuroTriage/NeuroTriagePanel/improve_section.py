"""The section Improve: from signed masks to a better model, shown beside the old one before it is used.

The work is done by a process of its own (NeuroTriageLib/improvement.py), so that exams can be read meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import ctk
import slicer
from slicer.i18n import tr as _

from NeuroTriageLib.core.errors import NeuroTriageError
from NeuroTriageLib.review.signed_labels import signed_labels

from . import panel_settings
from .comparison_rows import EXAM_COLUMNS, FIGURE_COLUMNS, exam_rows, figure_rows
from .curves_picture import curves_picture
from .exam_store import ExamStore
from .figures_table import fill_figures
from .theme import tone_style
from .worker_client import WorkerClient, WorkerCommand

MR_SYSTEMS = ("nael2021",)
SYSTEMS = ("kuo2019", "chang2018", "ye2019", *MR_SYSTEMS)  # those that learn from masks
PHANTOM = "phantom"  # in place of label maps: geometric heads
REHEARSED, VALIDATION, COMPARED = 120, 40, 40  # simulated exams: to learn beside, to validate and to compare on (ours)
_IMAGES_SETTING, _MAPS_SETTING = "ImprovementImages", "LabelMaps"


class ImproveSection:
    """Brings improveSection to life.

    Args:
        ui: the widgets by name.
        store: where versions are kept.
        on_model: called when another model reads from now on.
        command: how to start the process; None is the library's own.
    """

    def __init__(
        self, ui, store: ExamStore, on_model: Callable[[], None], command: WorkerCommand | None = None
    ) -> None:
        self._ui, self._store, self._on_model = ui, store, on_model
        command = command or replace(WorkerCommand.default(), arguments=("-m", "NeuroTriageLib.improvement"))
        self.process = WorkerClient(self._on_event, self._on_ended, command)
        self.simulated = {"exams": REHEARSED, "validation": VALIDATION, "compared": COMPARED}
        self.busy = self.paused = False
        self.compared: dict = {}
        self._request = self._run = 0
        self._can_go_back = False
        ui.improveSystemSelector.addItems(list(SYSTEMS))
        for path, setting in ((ui.improveImagesPath, _IMAGES_SETTING), (ui.improveMapsPath, _MAPS_SETTING)):
            path.filters = ctk.ctkPathLineEdit.Dirs
            path.currentPath = panel_settings.read(setting)
            path.connect("currentPathChanged(QString)", lambda text, name=setting: panel_settings.write(name, text))
        ui.improveSection.connect("contentsCollapsed(bool)", self._on_collapsed)
        ui.improveStartButton.connect("clicked(bool)", self._on_start)
        ui.improvePauseButton.connect("clicked(bool)", self._on_pause)
        ui.improveCancelButton.connect("clicked(bool)", self._on_cancel)
        ui.improveAcceptButton.connect("clicked(bool)", self._on_accept)
        ui.improveKeepButton.connect("clicked(bool)", self._on_keep)
        ui.improveBackButton.connect("clicked(bool)", self._on_back)
        ui.improveSystemSelector.connect("currentIndexChanged(int)", self._on_system)
        self.update()

    def close(self) -> None:
        """The panel goes away: the process ends; a run goes on from its checkpoint when it is started again."""
        self.process.stop()

    @property
    def system(self) -> str:
        """Whose model learns."""
        return str(self._ui.improveSystemSelector.currentText)

    def ask_status(self) -> None:
        """Ask what is signed and which model reads."""
        if not self.busy:
            self._send("status", store=self._store.folder)

    def update(self) -> None:
        """Show what can be done now."""
        ui = self._ui
        ui.improveStartButton.enabled = not self.busy
        ui.improveForm.enabled = not self.busy
        ui.improvePauseButton.enabled = ui.improveCancelButton.enabled = self.busy
        ui.improvePauseButton.text = _("Resume") if self.paused else _("Pause")
        ui.improveProgressBar.visible = ui.improveStageLabel.visible = self.busy
        ui.improveAcceptButton.visible = ui.improveKeepButton.visible = bool(self.compared) and not self.busy
        ui.improveBackButton.enabled = self._can_go_back and not self.busy
        ui.improveFiguresTable.visible = ui.improveExamsTable.visible = bool(self.compared)
        ui.improveVerdictLabel.visible = bool(ui.improveVerdictLabel.text)

    def _on_start(self) -> None:
        images = str(self._ui.improveImagesPath.currentPath)
        try:
            modality = "MR" if self.system in MR_SYSTEMS else "CT"
            signed = any(label.exam.modality == modality for label in signed_labels(self._store.store()))
        except NeuroTriageError as error:
            self._tell(error.message(), "problem")
            return
        if not signed:
            self._tell(_("No exam is signed yet. Correct masks and approve them in the section Sign off."), "problem")
        elif not images:
            self._tell(_("Name the folder of the images of the signed exams."), "problem")
        else:
            self.busy, self.paused, self.compared = True, False, {}
            self._tell("")
            self._ui.improveCurvesLabel.clear()
            maps = str(self._ui.improveMapsPath.currentPath) or PHANTOM
            minutes = int(self._ui.improveMinutesSpinBox.value)
            self._run = self._send(
                "improve", store=self._store.folder, images=images, maps=maps, minutes=minutes, **self.simulated
            )
            self.update()

    def _on_pause(self) -> None:
        self.paused = not self.paused
        self.process.send(command="pause" if self.paused else "resume")
        self.update()

    def _on_cancel(self) -> None:
        """End the process at once: a run goes on from its last checkpoint."""
        self.process.stop()
        self._end(_("Cancelled. Start goes on from the last checkpoint."), "neutral")

    def _on_accept(self) -> None:
        despite = ""
        if self.compared["advice"] == "keep":
            question = _("The comparison advises against the new model. Use it all the same?")
            if not slicer.util.confirmYesNoDisplay(question):
                return
            despite = "accepted in the panel against the comparison's advice"
        self._send("accept", pack=self.compared["pack"], reader="auto", despite=despite)

    def _on_keep(self) -> None:
        told = _("Nothing has changed. The new model lies in {0}.").format(self.compared["pack"])
        self.compared = {}
        self._tell(told)
        self.update()

    def _on_back(self) -> None:
        self._send("back")

    def _on_system(self, index: int) -> None:
        self.compared = {}
        self.ask_status()
        self.update()

    def _on_collapsed(self, collapsed: bool) -> None:
        if not collapsed:
            self.ask_status()

    def _send(self, command: str, **values) -> int:
        """Ask the process; the number under which it answers."""
        self._request += 1
        self.process.send(id=self._request, command=command, system=self.system, **values)
        return self._request

    def _on_event(self, event: dict) -> None:
        answer = {
            "status": self._on_status,
            "progress": self._on_progress,
            "curves": self._on_curves,
            "compared": self._on_compared,
            "accepted": self._on_model_changed,
            "back": self._on_model_changed,
            "error": self._on_error,
        }.get(event["event"])
        if answer is not None:
            answer(event)

    def _on_status(self, event: dict) -> None:
        if event["id"] != self._request and not self.busy:
            return  # another system was chosen meanwhile
        model = event["in_use"]
        name = _("no model") if model is None else f"{model['name']} {model['version']}"
        since = f" ({model['accepted']})" if model and model["accepted"] else ""
        signed = _("Signed exams: {0} ({1} to learn from, {2} to validate, {3} kept for the comparison).")
        model_text = _("{0} reads with {1}{2}. By default {3} reads head CT.")
        self._ui.improveLabel.text = " ".join(
            (
                signed.format(event["signed"], event["train"], event["validation"], event["test"]),
                model_text.format(self.system, name, since, event["reader"]),
            )
        )
        self._can_go_back = event["can_go_back"]
        self.update()

    def _on_progress(self, event: dict) -> None:
        self._ui.improveStageLabel.text = event["stage"]
        self._ui.improveProgressBar.value = round(1000 * event["fraction"])

    def _on_curves(self, event: dict) -> None:
        label = self._ui.improveCurvesLabel
        label.setPixmap(curves_picture(label, event["losses"], event["validations"]))

    def _on_compared(self, event: dict) -> None:
        self.compared = event
        fill_figures(self._ui.improveFiguresTable, FIGURE_COLUMNS, figure_rows(event["sets"]), left_columns=(0, 1))
        fill_figures(self._ui.improveExamsTable, EXAM_COLUMNS, exam_rows(event["exams"]), left_columns=(0, 1))
        tone = {"accept": "good", "keep": "problem"}.get(event["advice"], "neutral")
        self._end("\n".join(event["verdict"]), tone)

    def _on_model_changed(self, event: dict) -> None:
        self.compared = {}
        self._tell(" ".join(event["lines"]), "good")
        self._on_model()
        self.ask_status()
        self.update()

    def _on_error(self, event: dict) -> None:
        told = [event["what"], f"[{event['where']}]" if event["where"] else "", event["next_step"]]
        text = " ".join(filter(None, told))
        if self.busy and event["id"] != self._run:
            self._tell(text, "problem")  # of an earlier question; the run goes on
        else:
            self._end(text, "problem")

    def _on_ended(self, what: str, stderr: str) -> None:
        self._end(_("The process ended unexpectedly. Start goes on from the last checkpoint."), "problem")

    def _end(self, text: str, tone: str) -> None:
        self.busy = self.paused = False
        self._tell(text, tone)
        self.update()

    def _tell(self, text: str, tone: str = "neutral") -> None:
        label = self._ui.improveVerdictLabel
        label.text, label.visible = text, bool(text)
        label.styleSheet = tone_style(label, tone)
