"""The section Worklist: what a node beside the PACS has found, most urgent first; a line opens with its results.

A process of its own asks the node (NeuroTriageLib/node_client.py), so that a node that is away holds up nothing here.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from NeuroTriageLib.core.errors import NeuroTriageError

from . import panel_settings
from .figures_table import fill_figures
from .findings_rows import NONE
from .node_exam import NodeExam
from .review import Review
from .step_by_step import StepByStep
from .theme import color, tone_style
from .worker_client import WorkerClient, WorkerCommand

COLUMNS = ("Finding", "Patient", "p", "mL", "Age")
ASK_MS = 5000
"""How often the list is asked for while the section is open; unchanged it costs an answer without a body (ours)."""
CLIENT = ("-m", "NeuroTriageLib.node_client")
_RANK_TEXTS = {"look": "could not look", "nothing": "nothing found"}
_STATE_TEXTS = {"receiving": "receiving", "queued": "in the queue", "reading": "being read", "set_aside": "set aside"}
_COLOR_ROLES = {"found": "present", "look": "doubtful"}


class NodeSection:
    """Brings nodeSection to life.

    Args:
        ui: the widgets by name.
        on_review: called with the review of an exam that was opened.
        on_busy: called when an exam begins to open and when that has ended.
        command: how to start the process; None is the library's own.
    """

    def __init__(
        self,
        ui,
        on_review: Callable[[Review], None],
        on_busy: Callable[[], None],
        command: WorkerCommand | None = None,
    ) -> None:
        self._ui, self._on_review, self._on_busy = ui, on_review, on_busy
        worker = WorkerCommand.default()
        self.client = WorkerClient(
            self._on_event, self._on_ended, command or WorkerCommand(worker.program, CLIENT, worker.working_folder)
        )
        self.exams: list[dict] = []
        self._etag = ""
        self._offset_s = 0.0
        self._count = 0
        self._asked = self._opening = 0
        self._exam: NodeExam | None = None
        self._steps: StepByStep | None = None
        self._locked = False
        self._clock = qt.QTimer()
        self._clock.setInterval(ASK_MS)
        self._clock.connect("timeout()", self._on_clock)
        ui.nodeRefreshButton.connect("clicked(bool)", self._on_refresh)
        ui.nodeOpenButton.connect("clicked(bool)", self.open_selected)
        ui.nodePageButton.connect("clicked(bool)", self._on_page)
        ui.nodeTable.connect("itemSelectionChanged()", self._update_buttons)
        ui.nodeTable.connect("cellDoubleClicked(int,int)", lambda row, column: self.open_selected())
        self._show()
        self._say(_("Name the node and your token in the application settings, NeuroTriage."))

    @property
    def busy(self) -> bool:
        """True while an exam is on its way."""
        return self._opening > 0

    def enter(self) -> None:
        """The module is opened: ask while the section is."""
        self._clock.start()
        self._on_clock()

    def leave(self) -> None:
        """The module is left: ask no more."""
        self._clock.stop()

    def close(self) -> None:
        """The panel goes away: end the process."""
        self._clock.stop()
        self._drop_exam()
        self.client.stop()

    def forget_scene(self) -> None:
        """The scene closes: what is on its way would come into another one."""
        if self.busy:
            self.client.stop()
            self._end_opening(_("The scene was closed; the exam was not opened."), "neutral")

    def set_locked(self, locked: bool) -> None:
        """While a run is on, no exam is opened."""
        self._locked = locked
        self._update_buttons()

    def ask(self) -> None:
        """Ask for the list now; nothing without a node in the settings, or while it has not answered yet."""
        url, token = panel_settings.read("NodeUrl").strip(), panel_settings.read("NodeToken").strip()
        if not url or not token:
            self._forget_list()
            self._say(_("Name the node and your token in the application settings, NeuroTriage."))
        elif not self._asked and not self.busy:
            self._asked = self._send(command="worklist", hours=24, etag=self._etag)
            self._update_buttons()

    def open_selected(self) -> None:
        """Fetch the exam of the selected line, and show it for review."""
        row = self._ui.nodeTable.currentRow()
        if self.busy or self._locked or not 0 <= row < len(self.exams) or not self.exams[row]["has_result"]:
            return
        self._exam = NodeExam()
        self._opening = self._send(command="open", exam=self.exams[row]["id"], folder=str(self._exam.folder))
        self._say(_("Fetching the exam..."))
        self._update_buttons()
        self._on_busy()

    def _send(self, **request) -> int:
        self._count += 1
        address = {"url": panel_settings.read("NodeUrl").strip(), "token": panel_settings.read("NodeToken").strip()}
        authorities = panel_settings.read("NodeAuthorities").strip() or None
        self.client.send(id=self._count, **address, authorities=authorities, **request)
        return self._count

    def _on_clock(self) -> None:
        if not self._ui.nodeSection.collapsed:
            self.ask()
            self._show_ages()

    def _on_refresh(self) -> None:
        self._etag, self._asked = "", 0
        self.ask()

    def _on_page(self) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl(panel_settings.read("NodeUrl").strip()))

    def _on_event(self, event: dict) -> None:
        """One event of the process; those of earlier questions are none of ours."""
        number, kind = event.get("id"), event["event"]
        if number == self._asked:
            self._asked = 0
            if kind == "worklist":
                self._on_list(event)
            elif kind == "error":
                self._say(f"{event['what']} {event['next_step']}".strip(), "problem")
        elif number == self._opening and kind == "progress":
            told = _("Fetching: {0} MB").format(event["megabytes"]) if "megabytes" in event else _("Loading...")
            self._say(told)
        elif number == self._opening and kind == "opened":
            self._steps = StepByStep(self._exam.show_pausing(event), self._on_shown, self._on_not_shown)
        elif number == self._opening and kind == "error":
            self._end_opening(f"{event['what']} {event['next_step']}".strip(), "problem")

    def _on_ended(self, what: str, stderr: str) -> None:
        self._asked = 0
        last_line = stderr.strip().splitlines()[-1] if stderr.strip() else ""
        text = _("The process that asks the node ended. {0}").format(last_line).strip()
        if self.busy:
            self._end_opening(text, "problem")
        else:
            self._say(text, "problem")

    def _on_list(self, event: dict) -> None:
        if not event["unchanged"]:
            chosen = self._selected_id()
            self.exams, self._etag = event["exams"], event["etag"]
            self._offset_s = event["now"] - time.time()
            self._show(chosen)
        found = sum(exam["rank"] == "found" for exam in self.exams)
        waiting = sum(exam["rank"] == "pending" for exam in self.exams)
        told = _("{0} exams of the last 24 hours: {1} with findings, {2} waiting.")
        self._say(told.format(len(self.exams), found, waiting))

    def _on_shown(self, review: Review) -> None:
        self._end_opening(_("The exam is open for review."), "good")
        self._on_review(review)

    def _on_not_shown(self, error: Exception) -> None:
        if isinstance(error, NeuroTriageError):
            self._end_opening(error.message(), "problem")
            return
        # A fault of ours must not leave the panel busy for ever.
        self._end_opening(_("The exam could not be shown; see the Python console."), "problem")
        raise error

    def _end_opening(self, text: str, tone: str) -> None:
        self._opening = 0
        self._drop_exam()
        self._say(text, tone)
        self._update_buttons()
        self._on_busy()

    def _drop_exam(self) -> None:
        if self._steps is not None:
            self._steps.stop()
            self._steps = None
        if self._exam is not None:
            self._exam.discard()
            self._exam = None

    def _forget_list(self) -> None:
        self.exams, self._etag = [], ""
        self._show()

    def _selected_id(self) -> int | None:
        row = self._ui.nodeTable.currentRow()
        return self.exams[row]["id"] if 0 <= row < len(self.exams) else None

    def _show(self, chosen: int | None = None) -> None:
        table = self._ui.nodeTable
        rows = [self._cells(exam) for exam in self.exams]
        tips = [_tooltip(exam) for exam in self.exams]
        fill_figures(table, COLUMNS, rows, tooltips=tips, left_columns=(0, 1), fit_height=False)
        table.visible = bool(rows)
        for number, exam in enumerate(self.exams):
            role = _COLOR_ROLES.get(exam["rank"])
            for column in range(len(COLUMNS) if role else 0):
                table.item(number, column).setBackground(qt.QBrush(color(table, role)))
            if exam["id"] == chosen:
                table.setCurrentCell(number, 0)
        self._update_buttons()

    def _show_ages(self) -> None:
        for number, exam in enumerate(self.exams):
            self._ui.nodeTable.item(number, len(COLUMNS) - 1).setText(self._age(exam))

    def _age(self, exam: dict) -> str:
        minutes = max(int((time.time() + self._offset_s - exam["opened_at"]) // 60), 0)
        return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d}"

    def _cells(self, exam: dict) -> tuple[str, ...]:
        probability, volume = exam["probability"], exam["volume_ml"]
        return (
            _what(exam),
            exam["patient"]["patient_name"] or f"...{exam['study_uid'][-12:]}",
            NONE if probability is None else f"{100 * probability:.0f} %",
            NONE if volume is None else f"{volume:.1f}",
            self._age(exam),
        )

    def _update_buttons(self) -> None:
        ui, row = self._ui, self._ui.nodeTable.currentRow()
        answered = 0 <= row < len(self.exams) and self.exams[row]["has_result"]
        ui.nodeOpenButton.enabled = answered and not self.busy and not self._locked
        ui.nodeButtons.visible = bool(panel_settings.read("NodeUrl"))

    def _say(self, text: str, tone: str = "neutral") -> None:
        label = self._ui.nodeLabel
        label.text, label.visible = text, bool(text)
        label.styleSheet = tone_style(label, tone)


def _what(exam: dict) -> str:
    """What was found, or how far it is."""
    if exam["rank"] == "found":
        return exam["finding"]
    state = _STATE_TEXTS.get(exam["state"], "")
    if exam["state"] == "reading" and exam["fraction"] is not None:
        return f"{state}, {100 * exam['fraction']:.0f} %"
    return state or _RANK_TEXTS.get(exam["rank"], "")


def _tooltip(exam: dict) -> str:
    patient = exam["patient"]
    header = (patient[key] for key in ("patient_id", "study_description", "accession_number"))
    return "\n".join(line for line in (exam["finding"], *header, exam["reason"]) if line)
