"""Colours that can be read on Slicer's light and dark style."""

from __future__ import annotations

import qt

# Below this lightness (0-255) of the window's background the style is a dark one.
_DARK_BELOW = 128

_TONES = {
    # tone: (light style, dark style)
    "neutral": ("color: #505050;", "color: #b8b8b8;"),
    "good": ("color: #1d6b33; font-weight: bold;", "color: #7fd495; font-weight: bold;"),
    "attention": ("color: #a81e12; font-weight: bold;", "color: #ff9a8f; font-weight: bold;"),
    "problem": (
        "color: #7a4b00; background: #fff4dc; border: 1px solid #e6c98a; border-radius: 3px; padding: 5px;",
        "color: #ffd98a; background: #40341c; border: 1px solid #7d6530; border-radius: 3px; padding: 5px;",
    ),
}
_COLORS = {
    "present": ("#fdf1ef", "#4a2622"),
    "doubtful": ("#fff4dc", "#40341c"),
    "quiet": ("#707070", "#9a9a9a"),
    "track": ("#dcdfe4", "#4a4d52"),
    "bar": ("#c0392b", "#ff7b6b"),
    "calm_bar": ("#7d8794", "#9aa5b3"),
    "tick": ("#202020", "#f0f0f0"),
}


def is_dark(widget) -> bool:
    """True when the widget is drawn on a dark background."""
    return widget.palette.color(qt.QPalette.Window).lightness() < _DARK_BELOW


def tone_style(widget, tone: str) -> str:
    """Style sheet of a message: neutral, good, attention or problem."""
    return _TONES[tone][is_dark(widget)]


def color(widget, role: str):
    """The colour of a role (present, doubtful, quiet, track, bar, calm_bar, tick) as a QColor."""
    return qt.QColor(_COLORS[role][is_dark(widget)])
