"""Keyboard shortcuts of the panel: alive only while the module is open, and listed in one text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import qt

# Shift with a letter: Slicer's slice views and the Segment Editor use single letters, digits and Ctrl (checked against
# their documented lists), menus use Alt.
KEYS: dict[str, tuple[str, str]] = {
    "next": ("Shift+N", "next finding"),
    "previous": ("Shift+P", "previous finding"),
    "heatmap": ("Shift+H", "heatmap on or off"),
    "mask": ("Shift+M", "mask on or off"),
    "window": ("Shift+W", "next window"),
    "accept": ("Shift+A", "accept the finding"),
    "reject": ("Shift+R", "reject the finding"),
}


def shortcuts_text() -> str:
    """All keys, one per line, for a tooltip."""
    return "\n".join(f"{key}: {meaning}" for key, meaning in KEYS.values())


class Shortcuts:
    """Qt shortcuts on a widget.

    Args:
        widget: in whose window the keys are heard.
        actions: name in KEYS -> what it does.
    """

    def __init__(self, widget, actions: Mapping[str, Callable[[], None]]) -> None:
        self._shortcuts = []
        for name, (key, _) in KEYS.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), widget)
            shortcut.connect("activated()", actions[name])
            self._shortcuts.append(shortcut)
        self.set_active(False)

    @property
    def active(self) -> bool:
        """True while the keys are heard."""
        return all(shortcut.enabled for shortcut in self._shortcuts)

    def set_active(self, active: bool) -> None:
        """Hear the keys, or leave them to others."""
        for shortcut in self._shortcuts:
            shortcut.enabled = active
