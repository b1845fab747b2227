"""Packages, wheels, model packs and the settings page: what a click does, and what a cancelled dialog leaves alone."""

from __future__ import annotations

import importlib.machinery
import sys
import types
from contextlib import contextmanager
from pathlib import Path

import qt
import slicer

from NeuroTriagePanel import panel_settings
from NeuroTriagePanel.installation import Installation
from NeuroTriagePanel.settings_page import make_page
from panel_on_host import fake_worker, panel, wait_until


@contextmanager
def answering(**answers):
    """The file dialogs answer this instead of opening."""
    before = {name: getattr(qt.QFileDialog, name) for name in answers}
    for name, answer in answers.items():
        setattr(qt.QFileDialog, name, staticmethod(lambda *arguments, answer=answer: answer))
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(qt.QFileDialog, name, function)


@contextmanager
def noting_packages(error: Exception | None = None):
    """What slicer.packaging is asked for, in place of pip."""
    asked = []

    def note(requirements, **options):
        asked.append((list(map(str, requirements)), options))
        if error is not None:
            raise error

    before = slicer.packaging.pip_ensure, slicer.packaging.pip_install
    slicer.packaging.pip_ensure = slicer.packaging.pip_install = note
    try:
        yield asked
    finally:
        slicer.packaging.pip_ensure, slicer.packaging.pip_install = before


def without_torch():
    """A panel that has been told that torch is missing."""
    widget = panel("torchless")
    widget.panel.run.describe()
    wait_until(lambda: widget.ui.installButton.visible)
    return widget


def test_nothing_is_installed_before_the_click_and_then_what_the_worker_needs():
    with noting_packages() as asked:
        widget = without_torch()
        assert asked == []
        widget.panel.run.worker.command = fake_worker("good")
        widget.ui.installButton.click()
        ((requirements, options),) = asked
    assert any(line.startswith("torch") for line in requirements) and options["requester"] == "NeuroTriage"
    assert "Run again" in widget.ui.statusLabel.text and not widget.ui.installButton.visible


def test_the_size_is_that_of_the_build_that_this_system_gets():
    installation = Installation("")
    before = sys.platform
    try:
        for platform, size in (
            ("linux", "up to 3.5 GB, because"),
            ("win32", "about 0.2 GB, for"),
            ("darwin", "about 0.2"),
        ):
            sys.platform = platform
            assert f"PyTorch: {size}" in installation.size_text()
        sys.modules["PyTorchUtils"] = types.ModuleType("PyTorchUtils")
        sys.modules["PyTorchUtils"].__spec__ = importlib.machinery.ModuleSpec("PyTorchUtils", None)
        assert "0.2 GB for the CPU, up to 3.5 GB with CUDA" in installation.size_text()
    finally:
        sys.platform = before
        sys.modules.pop("PyTorchUtils", None)


def test_a_declined_or_failed_installation_is_told_and_offered_again():
    widget = without_torch()
    with noting_packages(RuntimeError("no network")):
        widget.ui.installButton.click()
    assert "Nothing was installed: no network" in widget.ui.statusLabel.text and widget.ui.installButton.visible


def test_a_folder_of_wheels_is_installed_without_the_internet(tmp_path):
    widget = without_torch()
    with noting_packages() as asked, answering(getExistingDirectory=str(tmp_path)):
        widget.ui.installWheelsButton.click()
    ((arguments, _),) = asked
    assert arguments[:3] == ["--no-index", "--find-links", str(tmp_path)]
    assert str(tmp_path) in widget.ui.statusLabel.text


def test_a_cancelled_folder_dialog_installs_nothing():
    widget = without_torch()
    before = widget.ui.statusLabel.text
    with noting_packages() as asked, answering(getExistingDirectory=""):
        widget.ui.installWheelsButton.click()
    assert asked == [] and widget.ui.statusLabel.text == before


def test_a_model_pack_from_disk_goes_to_the_worker_and_a_cancelled_dialog_keeps_the_choice(tmp_path):
    widget = panel()
    with answering(getOpenFileName=str(tmp_path / "mine" / "pack.json")):
        widget.ui.packButton.click()
    assert widget.panel.run.choices().model == str(tmp_path / "mine") and "mine" in widget.ui.packButton.text
    with answering(getOpenFileName=""):
        widget.ui.packButton.click()
    assert Path(widget.panel.run.choices().model).name == "mine"
    widget.panel.run._pack = None


def test_the_settings_page_shows_and_keeps_what_the_panel_remembers(tmp_path):
    panel()
    panel_settings.write("Reader", "AB")
    page = make_page()
    reader = next(child for child in page.findChildren(qt.QLineEdit) if child.text == "AB")
    reader.text = "CD"
    blind = page.findChildren(qt.QCheckBox)[0]
    blind.checked = True
    assert panel_settings.read("Reader") == "CD" and panel_settings.read("ReadBlind") == "true"


def test_the_nodes_token_is_kept_and_not_shown():
    panel()
    panel_settings.write("NodeUrl", "https://node.example:8443")
    page = make_page()
    lines = page.findChildren(qt.QLineEdit)
    assert any(line.text == "https://node.example:8443" for line in lines)
    token = next(line for line in lines if line.echoMode == qt.QLineEdit.Password)
    token.text = "secret"
    assert panel_settings.read("NodeToken") == "secret"
