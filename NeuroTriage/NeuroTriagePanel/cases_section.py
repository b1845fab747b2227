"""The section Cases: what is to be read, what is done, the next one; a second reader, and how both agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from NeuroTriageLib.core.errors import NeuroTriageError
from NeuroTriageLib.review.agreement import compare_labels
from NeuroTriageLib.review.case_list import CaseEntry, CaseList, CaseRow, cases_in_csv, cases_in_folder
from NeuroTriageLib.review.versions import Version

from .agreement_rows import agreement_rows, decisions_kappa
from .exam_store import ExamStore
from .figures_table import fill_figures
from .findings_rows import NONE
from .review import Review
from .study_source import database_studies
from .theme import tone_style

COLUMNS = ("Case", "State", "Doubt", "Reader", "Last")
AGREEMENT_COLUMNS = ("Finding", "Dice", "HD95 mm", "mL 1", "mL 2")
_STATE_TEXTS = {"new": "to do", "draft": "begun", "flagged": "flagged", "approved": "approved"}


class CasesSection:
    """Brings casesSection to life.

    Args:
        ui: the widgets by name.
        store: where versions are kept.
        on_open: called with the CaseEntry that the reader wants to see.
    """

    def __init__(self, ui, store: ExamStore, on_open: Callable[[CaseEntry], None]) -> None:
        self._ui, self._store, self._on_open = ui, store, on_open
        self._entries: tuple[CaseEntry, ...] = ()
        self._rows: tuple[CaseRow, ...] = ()
        self._review: Review | None = None
        self.current_key = ""
        ui.storePath.filters = ctk.ctkPathLineEdit.Dirs
        ui.storePath.currentPath = store.folder
        ui.storePath.connect("currentPathChanged(QString)", self._on_store_path)
        ui.blindCheckBox.checked = store.blind
        ui.blindCheckBox.connect("toggled(bool)", self._on_blind)
        ui.doubtCheckBox.connect("toggled(bool)", self._on_order)
        ui.caseFolderButton.connect("clicked(bool)", self._on_folder)
        ui.caseCsvButton.connect("clicked(bool)", self._on_csv)
        ui.caseDatabaseButton.connect("clicked(bool)", self._on_database)
        ui.caseTable.connect("cellDoubleClicked(int,int)", self._on_row)
        ui.agreementButton.connect("clicked(bool)", self.compare_readers)
        ui.agreementTable.visible = ui.agreementLabel.visible = False
        self.update()

    def use(self, review: Review | None) -> None:
        """The exam on the screen, whose readers can be compared."""
        self._review = review
        self._ui.agreementTable.visible = self._ui.agreementLabel.visible = False
        self._ui.agreementButton.enabled = review is not None
        self.update()

    def show_cases(self, entries: tuple[CaseEntry, ...]) -> None:
        """Take these cases as the list."""
        self._entries = entries
        self.update()

    def update(self) -> None:
        """Write the list anew."""
        ui = self._ui
        try:
            self._rows = tuple(self._list().rows()) if self._entries else ()
        except NeuroTriageError as error:
            self._say(error.message(), "problem")
            return
        cells = [_cells(row) for row in self._rows]
        fill_figures(ui.caseTable, COLUMNS, cells, left_columns=(0, 1, 2, 3, 4), fit_height=False)
        ui.caseTable.visible = bool(self._rows)
        for number, row in enumerate(self._rows):
            if row.entry.key == self.current_key:
                ui.caseTable.setCurrentCell(number, 0)
        if self._entries:
            counts = {state: sum(row.state == state for row in self._rows) for state in _STATE_TEXTS}
            told = ", ".join(f"{counts[state]} {text}" for state, text in _STATE_TEXTS.items() if counts[state])
            self._say(_("{0} cases: {1}.").format(len(self._rows), told))
        else:
            self._say("")

    def open_next(self) -> bool:
        """Open the first case after the present one that is not signed; False when there is none."""
        try:
            present = next((entry for entry in self._entries if entry.key == self.current_key), None)
            entry = self._list().next_case(present) if self._entries else None
        except NeuroTriageError as error:
            self._say(error.message(), "problem")
            return False
        if entry is None:
            self._say(_("Every case is signed.") if self._entries else _("There is no list of cases."), "good")
            return False
        self._open(entry)
        return True

    def compare_readers(self) -> None:
        """Show how the two readers who signed this exam last agree."""
        try:
            signed = self._signed_by_reader()
            if len(signed) < 2:
                self._show_agreement([], _("Two readers must have signed this exam before they can be compared."))
                return
            first, second = signed[:2]
            case, store = self._store.case_of(self._review), self._store.store()
            labels = [store.label(case, version.number) for version in (first, second)]
            masks = compare_labels(*labels, self._review.result.grid)
        except NeuroTriageError as error:
            self._show_agreement([], error.message())
            return
        kappa = decisions_kappa(masks)
        told = _("1: {0}, version {1}. 2: {2}, version {3}.").format(
            first.reader, first.number, second.reader, second.number
        )
        if kappa is not None:
            told += " " + _("Cohen's kappa over the types: {0:.2f}.").format(kappa)
        self._show_agreement(agreement_rows(masks), told)

    def _signed_by_reader(self) -> list[Version]:
        """The last signed version of each reader, the readers in the order of their first signature."""
        latest: dict[str, Version] = {}
        for version in self._store.versions(self._review):
            if version.is_signed:
                latest[version.reader] = version
        return list(latest.values())

    def _show_agreement(self, rows: list[tuple[str, ...]], text: str) -> None:
        fill_figures(self._ui.agreementTable, AGREEMENT_COLUMNS, rows)
        self._ui.agreementTable.visible = bool(rows)
        self._ui.agreementLabel.text, self._ui.agreementLabel.visible = text, True

    def _list(self) -> CaseList:
        cases = CaseList(self._entries, self._store.store(), self._store.viewer)
        return cases.by_doubt() if self._ui.doubtCheckBox.checked else cases

    def _open(self, entry: CaseEntry) -> None:
        self.current_key = entry.key
        self.update()
        self._on_open(entry)

    def _on_row(self, row: int, column: int) -> None:
        if row < len(self._rows):
            self._open(self._rows[row].entry)

    def _on_store_path(self, path: str) -> None:
        self._store.use_folder(path)
        self.update()

    def _on_blind(self, blind: bool) -> None:
        self._store.set_blind(blind)
        self.update()

    def _on_order(self, by_doubt: bool) -> None:
        self.update()

    def _on_folder(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder of cases"))
        if folder:
            self._read(cases_in_folder, Path(folder))

    def _on_csv(self) -> None:
        path = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), _("List of cases"), "", "CSV (*.csv)")
        if path:
            self._read(cases_in_csv, Path(path))

    def _on_database(self) -> None:
        choices = database_studies(("CT", "MR"))
        self.show_cases(tuple(CaseEntry(choice.uid, choice.text) for choice in choices))
        if not choices:
            self._say(_("Slicer's DICOM database holds no CT or MR study."), "problem")

    def _read(self, reader: Callable[[Path], tuple[CaseEntry, ...]], path: Path) -> None:
        try:
            self.show_cases(tuple(reader(path)))
        except NeuroTriageError as error:
            self._say(error.message(), "problem")

    def _say(self, text: str, tone: str = "neutral") -> None:
        label = self._ui.caseCountLabel
        label.text, label.visible = text, bool(text)
        label.styleSheet = tone_style(label, tone)


def _cells(row: CaseRow) -> tuple[str, ...]:
    when = (row.updated_utc or "").replace("T", " ")[:16]
    doubt = NONE if row.doubt is None else row.doubt.text()
    return (row.entry.name, _STATE_TEXTS[row.state], doubt, row.reader or NONE, when or NONE)
