"""The section Study: the volume that is read, or a study whose series are judged and can be overruled."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from NeuroTriageLib.core.errors import NeuroTriageError
from NeuroTriageLib.core.exchange import load_volume
from NeuroTriageLib.core.mr_images import CONTRAST_NAMES

from .dicom_database import database
from .figures_table import fill_figures
from .result_nodes import add_ct_node
from .study_source import StudyChoice, database_files, database_studies, load_from_database, recognised_text
from .subject_tree import Subject, place_in_study
from .theme import color, tone_style
from .volume_modality import can_be_stated, contrast_of, modality_of, state_modality

COLUMNS = ("Series", "Role", "Images", "Kernel")
_ROLE_COLUMN, _KERNEL_COLUMN = 1, 3
_ROLE_LETTERS = 8
_ROLE_CHOSEN, _ROLE_OTHER = "is read", "–"
_STATEMENTS = (
    (_("not stated"), "", ""),
    (_("Head CT"), "CT", ""),
    *((_("MRI: {0}").format(name), "MR", contrast) for contrast, name in CONTRAST_NAMES.items()),
)
"""What a user can state of a volume: text, modality, contrast."""
_INPUT_LABELS = {"CT": _("Head CT:"), "MR": _("Brain MRI:")}


class StudySection:
    """Brings studySection to life.

    Args:
        ui: the widgets by name.
        send: hands a request to the worker.
        on_loaded: called with the volume node of a series that was loaded, and the case of the list for which ("").
        on_failed: called with a message when the case that was asked for cannot be opened.
        on_study: called with the paths of a study that is to be read as a whole, whose it is, the roles that the user
            gave to its series, and the case of the list ("").
    """

    def __init__(
        self,
        ui,
        send: Callable[..., None],
        on_loaded: Callable[[object, str], None],
        on_failed: Callable[[str], None],
        on_study: Callable[[list[str], Subject, dict[str, str], str], None],
    ) -> None:
        self._on_whole_study = on_study
        self._paths: list[str] = []
        self._ui, self._send, self._on_loaded, self._on_failed = ui, send, on_loaded, on_failed
        self._choices: list[StudyChoice] = []
        self._series: list[dict] = []
        self._study: dict = {}
        self._roles: dict[str, str] = {}
        self._volume = None
        self._from_database, self._case = False, ""
        self._folder: Path | None = None
        self._count = 0
        ui.diskStudyButton.connect("clicked(bool)", self._on_disk)
        ui.databaseStudyButton.connect("clicked(bool)", self._on_database)
        ui.studySelector.connect("activated(int)", self._on_study)
        ui.seriesTable.connect("itemSelectionChanged()", self._update_load_button)
        ui.seriesTable.connect("cellDoubleClicked(int,int)", lambda row, column: self.load())
        ui.loadSeriesButton.connect("clicked(bool)", self.load)
        ui.readStudyButton.connect("clicked(bool)", self.read_study)
        ui.statedSelector.addItems([text for text, *_kind in _STATEMENTS])
        ui.statedSelector.connect("activated(int)", self._on_stated)
        self.forget()

    def forget(self) -> None:
        """Nothing was looked at: at the start, and when a scene closes."""
        self._case, self._count = "", self._count + 1  # what is still on its way is for nobody
        self._ui.studySelectorLabel.visible = self._ui.studySelector.visible = False
        self._show_series({})
        self._say("")

    def update(self, volume) -> None:
        """Say what is known of the chosen volume."""
        ui, self._volume = self._ui, volume
        label = ui.recognisedLabel
        label.text = recognised_text(volume)
        label.visible = bool(label.text)
        label.styleSheet = tone_style(label, "neutral")
        asked = volume is not None and volume.GetImageData() is not None and can_be_stated(volume)
        ui.statedSelector.visible = ui.statedSelectorLabel.visible = asked
        said = ("", "") if volume is None else (modality_of(volume), contrast_of(volume))
        ui.inputSelectorLabel.text = _INPUT_LABELS.get(said[0], _("Volume:"))
        kinds = [tuple(kind) for _text, *kind in _STATEMENTS]
        ui.statedSelector.currentIndex = kinds.index(said) if said in kinds else 0

    def close(self) -> None:
        """Remove what the worker handed over."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def inspect(self, paths: list[str], *, from_database: bool = False, case: str = "") -> None:
        """Have the worker look at a study's headers; the answer comes to on_event.

        Args:
            paths: folder, zip or files.
            from_database: the files are those of Slicer's DICOM database, which then loads the series.
            case: of the list: the chosen series is then loaded without another click, and belongs to it.
        """
        self._from_database, self._case, self._paths = from_database, case, paths
        self._roles = {}
        self._ask(command="inspect", paths=paths)
        self._say(_("Looking at the headers..."))

    def inspect_database(self, study_uid: str, *, case: str = "") -> None:
        """The same for a study of Slicer's DICOM database."""
        files = database_files(study_uid)
        if files:
            self.inspect(files, from_database=True, case=case)
        else:
            self._case = case
            self._fail(_("The study is not in Slicer's DICOM database."))

    def on_event(self, event: dict) -> None:
        """The worker has looked, or loaded, or says why it could not."""
        if event.get("id") != f"inspect {self._count}":
            return
        if event["event"] == "error":
            self._fail(f"{event['what']} {event['next_step']}".strip())
        elif event["event"] == "inspected":
            self._on_inspected(event["studies"])
        elif event["event"] == "loaded":
            self._on_volume(event)

    def load(self) -> None:
        """Load the series of the selected line."""
        row = self._ui.seriesTable.currentRow()
        if not 0 <= row < len(self._series):
            return
        series = self._series[row]
        if self._from_database:
            try:
                self._take(load_from_database(series["series_instance_uid"]))
            except NeuroTriageError as error:
                self._fail(error.message())
            return
        self.close()
        self._folder = Path(tempfile.mkdtemp(prefix="neurotriage-"))
        uid = series["series_instance_uid"]
        self._ask(command="load", paths=series["files"], series=uid, volume=str(self._folder / "volume"))
        self._say(_("Loading..."))

    def read_study(self) -> None:
        """Have everything read that the study holds; its series come into the scene with their findings."""
        files = sorted({file for series in self._series for file in series["files"]})
        subject = self._subject("")
        self._say("")
        self._show_series({})
        self._on_whole_study(files or self._paths, subject, dict(self._roles), self._take_case())

    def give_role(self, series_uid: str, role: str) -> None:
        """Overrule what a series of an MRI is read as; "" leaves it to the rules. The worker then chooses anew."""
        self._roles = {other: uid for other, uid in self._roles.items() if other != role and uid != series_uid}
        if role:
            self._roles[role] = series_uid
        self._ask(command="inspect", paths=self._paths, roles=self._roles)
        self._say(_("Looking at the headers..."))

    def _on_stated(self, index: int) -> None:
        if self._volume is not None:
            _text, modality, contrast = _STATEMENTS[index]
            state_modality(self._volume, modality, contrast)
            self.update(self._volume)

    def _subject(self, series_uid: str) -> Subject:
        return Subject(
            study_name=_("Brain MRI") if self._study.get("reads") == "MR" else _("Head CT"),
            study_instance_uid=self._study["study_instance_uid"],
            series_instance_uid=series_uid,
            patient_key=self._study["patient_key"],
            study_date=self._study["study_date"],
        )

    def _ask(self, **request) -> None:
        self._count += 1
        self._send(id=f"inspect {self._count}", **request)

    def _on_inspected(self, studies: list[dict]) -> None:
        best = max(studies, key=lambda study: any(series["chosen"] for series in study["series"]))
        self._show_series(best)
        chosen = any(series["chosen"] for series in best["series"])
        several = _(" The input holds {0} studies; one that can be read is shown.").format(len(studies))
        text = _("The series that will be read is marked; select another to overrule.")
        if best["reads"] == "MR":
            text = _("A brain MRI; the series that will be read are marked, and their roles can be overruled.")
        elif not chosen and best["roles"]:
            text = _("No series is a head CT, and none was recognised as FLAIR, ADC or trace: give a series its role.")
        elif not chosen:
            text = _("No series is a non-contrast axial head CT; select one to overrule, its reason is in the tooltip.")
        self._say(text + (several if len(studies) > 1 else ""), "neutral" if chosen else "problem")
        if self._case and best["reads"] == "MR":
            self.read_study()
        elif self._case and chosen:
            self.load()
        elif self._case:
            self._take_case()
            self._on_failed(text)

    def _on_volume(self, event: dict) -> None:
        try:
            volume = load_volume(self._folder / "volume")
        except NeuroTriageError as error:
            self._fail(error.message())
            return
        node = add_ct_node(volume, event["description"] or _("Head CT"))
        place_in_study(node, self._subject(volume.series_instance_uid))
        self.close()
        self._take(node)

    def _take(self, node) -> None:
        self._say("")
        self._show_series({})
        slicer.util.setSliceViewerLayers(background=node, fit=True)
        self._on_loaded(node, self._take_case())

    def _show_series(self, study: dict) -> None:
        table = self._ui.seriesTable
        self._study, self._series = study, study.get("series", [])
        rows = [_cells(series) for series in self._series]
        fill_figures(table, COLUMNS, rows, tooltips=[_reasons(s) for s in self._series], left_columns=(0, 1, 3))
        for number, series in enumerate(self._series):
            if series["chosen"]:
                table.setCurrentCell(number, 0)
                for column in range(len(COLUMNS)):
                    table.item(number, column).setBackground(qt.QBrush(color(table, "present")))
            if study["roles"]:
                table.setCellWidget(number, _ROLE_COLUMN, self._role_selector(series))
        table.setColumnHidden(_KERNEL_COLUMN, bool(study.get("roles")))  # kernels are CT's
        table.visible = bool(rows)
        self._update_load_button()

    def _role_selector(self, series: dict):
        """The choice of what a series is read as; its first line leaves it to the rules."""
        uid, roles = series["series_instance_uid"], list(self._study["roles"])
        own = [role for role, named in self._roles.items() if named == uid]
        read_as = ", ".join(CONTRAST_NAMES[name] for name in series["read_as"]) or _ROLE_OTHER
        selector = qt.QComboBox()
        selector.addItems([_("by the rules") if own else read_as, *roles])
        selector.currentIndex = 1 + roles.index(own[0]) if own else 0
        selector.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        selector.minimumContentsLength = _ROLE_LETTERS  # the names of the series need the room
        selector.toolTip = _("What this series is read as; choose another role to overrule it")
        selector.connect("activated(int)", lambda index: self.give_role(uid, roles[index - 1] if index else ""))
        return selector

    def _update_load_button(self) -> None:
        self._ui.loadButtons.visible = bool(self._series)
        self._ui.loadSeriesButton.visible = self._study.get("reads") != "MR"
        self._ui.readStudyButton.visible = self._study.get("reads") == "MR"
        self._ui.loadSeriesButton.enabled = 0 <= self._ui.seriesTable.currentRow() < len(self._series)
        self._show_details()

    def _show_details(self) -> None:
        """Rows without contents would leave gaps."""
        ui = self._ui
        parts = (ui.studySelector, ui.seriesTable, ui.loadButtons, ui.studyLabel)
        ui.studyDetails.visible = not all(part.isHidden() for part in parts)

    def _on_disk(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder of a study"))
        if folder:
            self.inspect([folder])

    def _on_database(self) -> None:
        self._choices = database_studies()
        selector = self._ui.studySelector
        selector.clear()
        selector.addItems([choice.text for choice in self._choices])
        self._ui.studySelectorLabel.visible = selector.visible = bool(self._choices)
        if self._choices:
            self._on_study(0)
        else:
            missing = _("Slicer's DICOM database is not open.") if database() is None else _("It holds no study.")
            self._say(missing, "problem")

    def _on_study(self, index: int) -> None:
        self.inspect_database(self._choices[index].uid)

    def _fail(self, text: str) -> None:
        self._say(text, "problem")
        if self._take_case():
            self._on_failed(text)

    def _take_case(self) -> str:
        """The case of the list that is being opened; it is taken once."""
        case, self._case = self._case, ""
        return case

    def _say(self, text: str, tone: str = "neutral") -> None:
        label = self._ui.studyLabel
        label.text, label.visible = text, bool(text)
        label.styleSheet = tone_style(label, tone)
        self._show_details()


def _cells(series: dict) -> tuple[str, ...]:
    name = series["description"] or series["modality"] or series["series_instance_uid"]
    role = _ROLE_CHOSEN if series["chosen"] else _ROLE_OTHER
    return (f"{series['modality']}  {name}".strip(), role, str(series["instance_count"]), series["kernel"] or "–")


def _reasons(series: dict) -> str:
    thickness = series["slice_thickness_mm"]
    facts = [f"Slice thickness {thickness} mm."] if thickness else []
    return "\n".join([*series["reasons"], *facts, *series["flags"]])
