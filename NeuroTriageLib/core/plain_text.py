"""Text from outside as one harmless line: what no header, report or screen should hold is left out."""

from __future__ import annotations

import unicodedata

# Marks that turn the direction of writing (Unicode UAX 9, 2.1-2.4): a name could show as another one.
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SPACES = frozenset("\t\r\n\f\v\u0085\u2028\u2029")


def one_line(text: str) -> str:
    """The text without control characters, half characters and marks of direction; line ends become spaces."""
    line = (" " if character in _SPACES else character for character in text)
    kept = (c for c in line if c not in _DIRECTION_MARKS and unicodedata.category(c) not in ("Cc", "Cs"))
    return "".join(kept).strip()
