"""The section Sign off: reader, confidence, comment, time; save, approve or flag; every version that was kept."""

from __future__ import annotations

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from NeuroTriageLib.core.errors import NeuroTriageError
from NeuroTriageLib.review.versions import Version

from .exam_store import ExamStore
from .review import Review
from .theme import tone_style

CONFIDENCE_TEXTS = ("–", "1 unsure", "2", "3", "4", "5 sure")
_STATUS_TEXTS = {"draft": "saved", "approved": "approved", "flagged": "flagged"}
_CLOCK_MS = 1000


class SignSection:
    """Brings signSection to life.

    Args:
        ui: the widgets by name.
        store: where versions are kept.
        on_saved: called after a version was saved, with its status.
        on_next: called when the reader wants the next case.
    """

    def __init__(self, ui, store: ExamStore, on_saved: Callable[[str], None], on_next: Callable[[], None]) -> None:
        self._ui, self._store, self._on_saved = ui, store, on_saved
        self._review: Review | None = None
        self._versions: tuple[Version, ...] = ()
        self._filling = False
        ui.confidenceSelector.addItems(list(CONFIDENCE_TEXTS))
        ui.readerEdit.text = store.reader
        ui.readerEdit.connect("editingFinished()", self._on_reader)
        ui.confidenceSelector.connect("currentIndexChanged(int)", self._on_confidence)
        ui.commentEdit.connect("textChanged()", self._on_comment)
        ui.versionSelector.connect("activated(int)", self._on_version)
        for button, status in (
            (ui.saveDraftButton, "draft"),
            (ui.approveButton, "approved"),
            (ui.flagButton, "flagged"),
        ):
            button.connect("clicked(bool)", lambda checked, status=status: self.save(status))
        ui.nextCaseButton.connect("clicked(bool)", lambda checked: on_next())
        self._clock = qt.QTimer()
        self._clock.setInterval(_CLOCK_MS)
        self._clock.connect("timeout()", self._show_time)

    def use(self, review: Review | None) -> None:
        """Sign this review, or nothing; a version of the same reader that was saved earlier is taken up again."""
        self._review, self._versions = review, ()
        self._ui.signSection.visible = review is not None
        self._clock.stop()
        if review is None:
            return
        self._clock.start()
        review.decided.add(self._update_fields)
        self._say("")
        self._resume()
        self._update_fields()
        self._fill_versions()

    def close(self) -> None:
        """The panel goes away."""
        self._clock.stop()

    def save(self, status: str) -> bool:
        """Keep a new version with this status; False when that was not possible, which is told."""
        self._on_reader()
        try:
            version = self._store.save(self._review, status)
        except NeuroTriageError as error:
            self._say(error.message(), "problem")
            return False
        self._fill_versions()
        self._say(_("Version {0} {1}.").format(version.number, _STATUS_TEXTS[status]), "good")
        self._review.decided.tell()
        self._on_saved(status)
        return True

    def _resume(self) -> None:
        """Go on where this reader, or (not blind) anybody, stopped; work that was never saved stays on the screen."""
        try:
            version = self._store.own_latest(self._review) if self._review.state.based_on == 0 else None
            if version is None:
                return
            if self._review.state.is_touched:
                told = _("Version {0} of {1} ({2}) was kept earlier; what is shown is not saved yet.")
                self._say(told.format(version.number, version.reader, _STATUS_TEXTS[version.status]), "attention")
                return
            self._store.take_over(self._review, version)
        except NeuroTriageError as error:
            self._say(error.message(), "problem")
            return
        status = _STATUS_TEXTS[version.status]
        self._say(_("Version {0} of {1} ({2}) is shown.").format(version.number, version.reader, status))

    def _fill_versions(self) -> None:
        """The newest first."""
        try:
            self._versions = tuple(reversed(self._store.versions(self._review)))
        except NeuroTriageError as error:
            self._say(error.message(), "problem")
        selector = self._ui.versionSelector
        self._filling = True
        selector.clear()
        selector.addItems([version_text(version) for version in self._versions] or [_("none saved yet")])
        self._filling = False
        selector.enabled = bool(self._versions)

    def _on_version(self, index: int) -> None:
        if self._filling or index >= len(self._versions):
            return
        version = self._versions[index]
        try:
            self._store.take_over(self._review, version)
        except NeuroTriageError as error:
            self._say(error.message(), "problem")
            return
        self._say(_("Version {0} is shown; saving makes a new one.").format(version.number))

    def _update_fields(self) -> None:
        review, ui = self._review, self._ui
        if review is None:
            return
        self._filling = True
        ui.confidenceSelector.currentIndex = review.state.confidence or 0
        if ui.commentEdit.plainText != review.state.comment:
            ui.commentEdit.plainText = review.state.comment
        self._filling = False
        self._show_time()

    def _show_time(self) -> None:
        if self._review is not None:
            minutes, seconds = divmod(int(self._review.seconds_spent), 60)
            self._ui.timeSpentLabel.text = f"{minutes}:{seconds:02d}"

    def _on_reader(self) -> None:
        self._store.use_reader(self._ui.readerEdit.text)

    def _on_confidence(self, index: int) -> None:
        if not self._filling and self._review is not None:
            self._review.remark(index or None, self._review.state.comment)

    def _on_comment(self) -> None:
        if not self._filling and self._review is not None:
            self._review.remark(self._review.state.confidence, self._ui.commentEdit.plainText)

    def _say(self, text: str, tone: str = "neutral") -> None:
        label = self._ui.signLabel
        label.text, label.visible = text, bool(text)
        label.styleSheet = tone_style(label, tone)


def version_text(version: Version) -> str:
    """One line: "2: BC, approved, 2026-11-21 14:05"."""
    when = version.created_utc.replace("T", " ")[:16]
    if version.kind == "model":
        return f"{version.number}: model, {when}"
    return f"{version.number}: {version.reader}, {_STATUS_TEXTS[version.status]}, {when}"
