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
    """A ctkSettingsPanel with who reads, where reviews are kept, whether others' versions stay hidden, and the node."""
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
    _add_node(page, layout)
    return page


def _add_node(page, layout) -> None:
    """The node whose worklist the panel shows."""
    url, token, authorities = qt.QLineEdit(), qt.QLineEdit(), ctk.ctkPathLineEdit()
    token.echoMode = qt.QLineEdit.Password
    authorities.filters = ctk.ctkPathLineEdit.Files
    url.toolTip = _("The address of the node beside the PACS: https://node.hospital:8443")
    token.toolTip = _("Your token; the node's administrator makes it. It is kept in Slicer's settings on this computer")
    authorities.toolTip = _("A PEM file that vouches for the node; empty when this computer trusts it already")
    layout.addRow(_("Node:"), url)
    layout.addRow(_("Token:"), token)
    layout.addRow(_("Certificate:"), authorities)
    page.registerProperty(f"{GROUP}/NodeUrl", url, "text", qt.SIGNAL("textChanged(QString)"))
    page.registerProperty(f"{GROUP}/NodeToken", token, "text", qt.SIGNAL("textChanged(QString)"))
    page.registerProperty(
        f"{GROUP}/NodeAuthorities", authorities, "currentPath", qt.SIGNAL("currentPathChanged(QString)")
    )
