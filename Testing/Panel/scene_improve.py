"""The section Improve: from signed exams to a compared model, accepted or not, and one step back."""

from __future__ import annotations

from pathlib import Path

import slicer

from NeuroTriageLib.catalog import modality_of
from NeuroTriagePanel.comparison_rows import exam_rows, figure_rows
from NeuroTriagePanel.improve_section import MR_SYSTEMS, SYSTEMS
from NeuroTriagePanel.worker_client import WorkerCommand
from panel_on_host import PYTHON, ROOT, reviewed, settle, table_texts, wait_until


def improving(tmp_path: Path, mode: str = "good", *, signed: bool = True):
    """A panel with one signed exam and a process of this mode."""
    widget = reviewed()
    widget.ui.storePath.currentPath = str(tmp_path / "reviews")
    widget.ui.readerEdit.text = "AB"
    widget.ui.readerEdit.editingFinished.emit()
    if signed:
        widget.ui.approveButton.click()
    improve = widget.panel.improve
    improve.process.stop()
    script = str(ROOT / "Testing/Panel/fake_improver.py")
    improve.process.command = WorkerCommand(PYTHON, (script, mode), str(ROOT))
    improve.busy, improve.compared = False, {}
    widget.ui.improveSystemSelector.currentText = "kuo2019"  # another test may have left another
    widget.ui.improveVerdictLabel.text = ""
    widget.ui.improveImagesPath.currentPath = str(tmp_path)
    widget.ui.improveSection.collapsed = False
    improve.ask_status()
    wait_until(lambda: "Signed exams" in widget.ui.improveLabel.text)
    settle(widget)
    return widget


def compared(widget):
    widget.ui.improveStartButton.click()
    wait_until(lambda: bool(widget.panel.improve.compared))
    settle(widget)
    return widget


def test_the_section_says_what_is_signed_and_which_model_reads(tmp_path):
    widget = improving(tmp_path)
    text = widget.ui.improveLabel.text
    assert text.startswith("Signed exams: 24 (15 to learn from, 2 to validate, 7 kept for the comparison).")
    assert "kuo2019 reads with kuo2019-compact 1. By default consensus reads head CT." in text
    assert not widget.ui.improveBackButton.enabled and not widget.ui.improveAcceptButton.visible


def test_a_model_is_learned_compared_accepted_and_taken_back(tmp_path):
    widget = compared(improving(tmp_path))
    ui = widget.ui
    figures = table_texts(ui.improveFiguresTable)
    assert figures[1] == ["this site", "Dice", "0.412", "0.583", "+0.171 [+0.091, +0.251]"]
    exams = table_texts(ui.improveExamsTable)
    assert exams[0] == ["case-0003", "SDH", "31.0", "0.31", "0.12", "0.94", "0.71"] and exams[2][1] == "none"
    assert "Advice: use the new model." in ui.improveVerdictLabel.text
    assert not ui.improveCurvesLabel.pixmap.isNull()
    ui.improveAcceptButton.click()
    wait_until(lambda: "kuo2019-compact-local-1 1 (" in ui.improveLabel.text)
    assert ui.improveBackButton.enabled and not ui.improveAcceptButton.visible
    assert "reads with kuo2019-compact-local-1 1 from now on" in ui.improveVerdictLabel.text
    ui.improveBackButton.click()
    wait_until(lambda: not ui.improveBackButton.enabled)
    assert "reads with kuo2019-compact 1 again" in ui.improveVerdictLabel.text


def test_a_comparison_on_mri_names_the_finding_of_each_line():
    difference = {"value": 0.1, "low": None, "high": None}
    figure = {"figure": "AUC", "code": "acute_infarct", "exams": 9, "old": 0.7, "new": 0.8, "difference": difference}
    assert figure_rows({"this site": {"figures": [figure]}}) == [
        ("this site", "AUC, acute infarct", "0.700", "0.800", "+0.100")
    ]
    said = {"probability": 0.6, "called": True, "volume_ml": 2.0, "dice": None}
    row = {"exam": "labels/case-1", "finding": "mass_effect", "present": False, "types": ["acute_infarct"]}
    (cells,) = exam_rows({"this site": [row | {"truth_ml": None, "old": said, "new": None}]})
    assert cells[:2] == ("case-1", "acute infarct (answers on mass effect)") and cells[3] == "0.60"


def test_signed_masks_on_ct_are_none_for_the_system_that_reads_mri(tmp_path):
    assert [name for name in SYSTEMS if modality_of(name) == "MR"] == list(MR_SYSTEMS)
    widget = improving(tmp_path)
    widget.ui.improveSystemSelector.currentText = "nael2021"
    widget.ui.improveStartButton.click()
    assert widget.ui.improveVerdictLabel.text.startswith("No exam is signed yet")
    assert not widget.panel.improve.busy


def test_keeping_the_old_model_changes_nothing(tmp_path):
    widget = compared(improving(tmp_path))
    widget.ui.improveKeepButton.click()
    assert "Nothing has changed" in widget.ui.improveVerdictLabel.text
    assert not widget.ui.improveBackButton.enabled and not widget.ui.improveFiguresTable.visible


def test_a_run_can_be_paused_and_goes_on(tmp_path):
    widget = improving(tmp_path, "slow")
    ui = widget.ui
    ui.improveStartButton.click()
    wait_until(lambda: widget.panel.improve.busy and ui.improveProgressBar.value > 400)
    assert not ui.improveStartButton.enabled and ui.runButton.enabled, "exams can be read meanwhile"
    ui.improvePauseButton.click()
    wait_until(lambda: ui.improveStageLabel.text == "paused")
    assert ui.improvePauseButton.text == "Resume"
    ui.improvePauseButton.click()
    wait_until(lambda: bool(widget.panel.improve.compared))
    assert ui.improvePauseButton.text == "Pause" and ui.improveStartButton.enabled


def test_a_cancelled_run_can_be_started_again(tmp_path):
    widget = improving(tmp_path, "slow")
    widget.ui.improveStartButton.click()
    wait_until(lambda: widget.ui.improveProgressBar.value > 400)
    widget.ui.improveCancelButton.click()
    assert not widget.panel.improve.process.running and widget.ui.improveStartButton.enabled
    assert "goes on from the last checkpoint" in widget.ui.improveVerdictLabel.text


def test_a_process_that_dies_is_spoken_of(tmp_path):
    widget = improving(tmp_path, "crash")
    widget.ui.improveStartButton.click()
    wait_until(lambda: "ended unexpectedly" in widget.ui.improveVerdictLabel.text)
    assert widget.ui.improveStartButton.enabled


def test_a_model_that_the_comparison_advises_against_is_used_only_when_asked_again(tmp_path):
    widget = compared(improving(tmp_path, "worse"))
    asked, answer = [], [False]

    def confirm(text, *args, **kwargs):
        asked.append(text)
        return answer[0]

    before, slicer.util.confirmYesNoDisplay = getattr(slicer.util, "confirmYesNoDisplay", None), confirm
    try:
        widget.ui.improveAcceptButton.click()
        assert len(asked) == 1 and widget.panel.improve.compared, "the answer was no"
        answer[0] = True
        widget.ui.improveAcceptButton.click()
        wait_until(lambda: "against the comparison's advice" in widget.ui.improveVerdictLabel.text)
    finally:
        slicer.util.confirmYesNoDisplay = before


def test_a_question_that_fails_beside_a_run_does_not_end_it(tmp_path):
    widget = improving(tmp_path, "slow")
    improve, ui = widget.panel.improve, widget.ui
    improve._send("unheard of")
    ui.improveStartButton.click()
    wait_until(lambda: ui.improveProgressBar.value > 400)
    assert "does not know the command" in ui.improveVerdictLabel.text
    assert improve.busy and not ui.improveStartButton.enabled and ui.improveCancelButton.enabled
    ui.improveCancelButton.click()


def test_the_panel_asks_which_model_reads_once_the_run_beside_it_has_ended(tmp_path):
    widget = improving(tmp_path)
    run = widget.panel.run
    run.describe()
    wait_until(lambda: bool(run.described))
    ui, asked = widget.ui, []
    describe, run.describe = run.describe, lambda: asked.append(run.state.busy)
    try:
        ui.runButton.click()
        widget.panel._on_model()
        assert run.state.busy and not asked
        wait_until(lambda: not run.state.busy)
    finally:
        run.describe = describe
    assert asked == [False]


def test_what_is_missing_is_said(tmp_path):
    widget = improving(tmp_path, signed=False)
    widget.ui.improveStartButton.click()
    assert "No exam is signed yet" in widget.ui.improveVerdictLabel.text
    widget.ui.approveButton.click()
    widget.ui.improveImagesPath.currentPath = ""
    widget.ui.improveStartButton.click()
    assert "folder of the images" in widget.ui.improveVerdictLabel.text
    widget.ui.storePath.currentPath = ""
    widget.ui.improveStartButton.click()
    assert "No folder for reviews" in widget.ui.improveVerdictLabel.text
