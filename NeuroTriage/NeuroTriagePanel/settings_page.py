"""NeuroTriage's page in Slicer's application settings."""

from __future__ import annotations

import ctk
import qt
import slicer
from slicer.i18n import tr as _

GROUP = "NeuroTriage"


def add_settings_page() -> None:
    """Add the page; there is none without a main window."""
    dialog = slicer.app.settingsDialog()
    if dialog is not None:
        dialog.addPanel("NeuroTriage", make_page())


def make_page():
    """A ctkSettingsPanel with who reads, where reviews are kept, and whether others' versions stay hidden."""
    page = ctk.ctkSettingsPanel()
    layout = qt.QFormLayout(page)
    reader, folder, blind = qt.QLineEdit(), ctk.ctkPathLineEdit(), qt.QCheckBox(_("Read blind"))
    folder.filters = ctk.ctkPathLineEdit.Dirs
    reader.toolTip = _("Your name or code; it is written into every version that you save")
    folder.toolTip = _("The folder in which versions of masks are kept")
    blind.toolTip = _("Other readers' versions of a case stay hidden until you have signed yours")
    layout.addRow(_("Reader:"), reader)
    layout.addRow(_("Folder of reviews:"), folder)
    layout.addRow("", blind)
    page.registerProperty(f"{GROUP}/Reader", reader, "text", qt.SIGNAL("textChanged(QString)"))
    page.registerProperty(f"{GROUP}/ReviewFolder", folder, "currentPath", qt.SIGNAL("currentPathChanged(QString)"))
    page.registerProperty(f"{GROUP}/ReadBlind", blind, "checked", qt.SIGNAL("toggled(bool)"))
    return page
