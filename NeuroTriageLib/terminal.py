"""What the command line shows in a terminal: lines beside the results, a progress bar, a line of state."""

from __future__ import annotations

import sys
import time
from typing import Any


def lines_of(value: Any, indent: str = "") -> list[str]:
    """A JSON-like value as indented lines for people."""
    if isinstance(value, dict):
        items = [(f"{key}:", item) for key, item in value.items()]
    elif isinstance(value, list):
        items = [("-", item) for item in value]
    else:
        return [f"{indent}{value}"]
    lines = []
    for name, item in items:
        if isinstance(item, (dict, list)) and item:
            lines += [f"{indent}{name}", *lines_of(item, indent + "  ")]
        else:
            lines.append(f"{indent}{name} {item}")
    return lines


class ProgressBar:
    """One line that is redrawn on a terminal; one line per stage elsewhere."""

    WIDTH = 30

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._stage = ""

    def __call__(self, stage: str, fraction: float) -> None:
        """Show how far a stage is (0-1)."""
        if self._terminal:
            done = round(self.WIDTH * min(max(fraction, 0.0), 1.0))
            sys.stderr.write(f"\r\x1b[K{stage:<14} [{'#' * done}{'.' * (self.WIDTH - done)}] {fraction:4.0%}")
            sys.stderr.flush()
        elif stage != self._stage:
            say(f"{stage} ...")
        self._stage = stage

    def close(self) -> None:
        """Leave the terminal's line free."""
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class StatusLine:
    """One line that is redrawn on a terminal; a line every half minute elsewhere."""

    PAUSE_S = 30.0

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._stage, self._text, self._said_at = "", "", 0.0

    def __call__(self, stage: str, text: str) -> None:
        """Show the state in words; a new stage is said at once."""
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        elif stage != self._stage or time.monotonic() - self._said_at >= self.PAUSE_S:
            say(text)
            self._said_at = time.monotonic()
        self._stage, self._text = stage, text

    def close(self) -> None:
        """Leave the last state standing."""
        if self._text and self._terminal:
            say("")


def say(message: str) -> None:
    """One line for people, beside the results on stdout."""
    print(message, file=sys.stderr, flush=True)
