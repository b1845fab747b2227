"""The section Report: text for the dictation, the HTML page, and DICOM objects, with what was edited marked."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from NeuroTriageLib.core.errors import ConfigError, NeuroTriageError
from NeuroTriageLib.core.exchange import save_exam
from NeuroTriageLib.core.findings import ExamResult
from NeuroTriageLib.review.dictation import dictation_text

from .exam_store import ExamStore, present_exam
from .review import Review
from .study_source import files_of_volume
from .theme import tone_style


class ReportSection:
    """Brings reportSection to life.

    Args:
        ui: the widgets by name.
        store: who reads.
        send: hands a request to the worker, which writes page and objects.
    """

    def __init__(self, ui, store: ExamStore, send: Callable[..., None]) -> None:
        self._ui, self._store, self._send = ui, store, send
        self._review: Review | None = None
        self._folder: Path | None = None
        self._count = 0
        ui.reportSection.connect("contentsCollapsed(bool)", lambda collapsed: self.update())
        ui.copyReportButton.connect("clicked(bool)", self.copy)
        ui.htmlReportButton.connect("clicked(bool)", self._on_html)
        ui.dicomExportButton.connect("clicked(bool)", self._on_dicom)

    def use(self, review: Review | None) -> None:
        """Report on this review, or nothing."""
        self._review = review
        self._ui.reportSection.visible = review is not None
        self._say("")
        if review is not None:
            review.decided.add(self._forget_text)
            review.mask_changed.add(self._forget_text)
            review.midline_changed.add(self._forget_text)
            review.remarked.add(self._forget_text)
            self._forget_text()

    def close(self) -> None:
        """Remove what was handed to the worker."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def update(self) -> None:
        """Write the text anew when the section is opened; it measures everything, so not at each stroke or click."""
        if self._review is not None and not self._ui.reportSection.collapsed:
            self._write(self.text())

    def text(self) -> str:
        """The text for the dictation, of the present mask and decisions."""
        return dictation_text(self._exam())

    def copy(self) -> None:
        """Put the text on the clipboard."""
        text = self.text()
        self._write(text)
        qt.QApplication.clipboard().setText(text)
        self._say(_("The text is on the clipboard."))

    def write_html(self, path: str) -> None:
        """Have the worker write the page; the answer comes to on_event."""
        self._ask(self._exam, command="report", path=path)

    def export_dicom(self, folder: str, paths: list[str]) -> None:
        """Have the worker write DICOM objects into a new folder; the answer comes to on_event.

        Args:
            folder: is made.
            paths: the DICOM files of the exam's series, or a folder that holds them.
        """
        self._ask(self._kept_exam, command="export", folder=folder, paths=paths)

    def on_event(self, event: dict) -> None:
        """The worker has written what was asked for, or says why not."""
        if event.get("id") != f"report {self._count}":
            return
        self.close()
        if event["event"] == "report":
            self._say(_("Written: {0}").format(event["path"]), "good")
        elif event["event"] == "exported":
            self._say(_("{0} DICOM objects are in {1}.").format(len(event["files"]), event["folder"]), "good")
        else:
            self._say(f"{event['what']} {event['next_step']}".strip(), "problem")

    def _ask(self, exam: Callable[[], ExamResult], **request) -> None:
        try:
            result = exam()
            self.close()
            self._folder = Path(tempfile.mkdtemp(prefix="neurotriage-"))
            save_exam(result, self._folder)
        except NeuroTriageError as error:
            self._say(error.message(), "problem")
            return
        except OSError as error:
            self._say(_("The exam cannot be handed on: {0}.").format(error.strerror), "problem")
            return
        self._count += 1
        self._send(id=f"report {self._count}", exam=str(self._folder), **request)
        self._say(_("Writing..."))

    def _exam(self) -> ExamResult:
        return present_exam(self._review, self._store)

    def _kept_exam(self) -> ExamResult:
        """The version that was saved, or the model's answer while the reader has changed nothing.

        Raises ConfigError for what nobody has saved: what goes to an archive must be found again in the store.
        """
        review = self._review
        if review.saved_version is not None:
            return self._exam()
        if review.is_edited or review.state.is_touched:
            raise ConfigError(
                "Your changes are not saved yet.", next_step="Save, approve or flag them first, then export."
            )
        return review.result

    def _write(self, text: str) -> None:
        self._ui.reportText.plainText = text
        self._ui.reportText.verticalScrollBar().setValue(0)  # read from the first line

    def _forget_text(self) -> None:
        self._ui.reportText.plainText = _("Copy as text writes the report of the present state here, too.")

    def _on_html(self) -> None:
        path = qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), _("Report"), "report.html", "HTML (*.html)")
        if path:
            self.write_html(path)

    def _on_dicom(self) -> None:
        """The source's files are known to Slicer's database, or the user names their folder."""
        ask = qt.QFileDialog.getExistingDirectory
        paths = files_of_volume(self._review.nodes.ct)
        if not paths:
            folder = ask(slicer.util.mainWindow(), _("Folder with the DICOM files of this exam"))
            paths = [folder] if folder else []
        target = ask(slicer.util.mainWindow(), _("Folder for the results")) if paths else ""
        if target:
            name = f"NeuroTriage {datetime.now():%Y-%m-%d %H%M%S}"
            self.export_dicom(str(Path(target, name)), paths)

    def _say(self, text: str, tone: str = "neutral") -> None:
        label = self._ui.reportLabel
        label.text, label.visible = text, bool(text)
        label.styleSheet = tone_style(label, tone)
