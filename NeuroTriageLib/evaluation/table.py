"""A titled table as Markdown and JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .metrics import Estimate

Cell = str | int | float | Estimate | None


@dataclass(frozen=True)
class Table:
    """A titled table; every row has a cell per column, None where there is nothing to say."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def to_markdown(self) -> str:
        """The table with its title and note, three decimals, intervals in brackets, "-" for what is undefined."""
        lines = [f"### {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        lines += ["| " + " | ".join(self.columns) + " |", "|" + " --- |" * len(self.columns)]
        lines += ["| " + " | ".join(row) + " |" for row in self.texts()]
        return "\n".join(lines) + "\n"

    def texts(self) -> list[list[str]]:
        """The rows as they are printed."""
        return [[_text(cell) for cell in row] for row in self.rows]

    def to_json(self) -> dict[str, Any]:
        """Plain values; an estimate becomes {"value", "low", "high"}, what is undefined None."""
        rows = [dict(zip(self.columns, map(_plain, row), strict=True)) for row in self.rows]
        return {"title": self.title, "note": self.note, "rows": rows}


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, Estimate):
        if math.isnan(cell.low):
            return _text(cell.value)
        return f"{_text(cell.value)} [{_text(cell.low)}, {_text(cell.high)}]"
    if isinstance(cell, float):
        return "-" if math.isnan(cell) else f"{cell:.3f}"
    return cell.replace("|", "/") if isinstance(cell, str) else str(cell)


def _plain(cell: Cell) -> Any:
    if isinstance(cell, Estimate):
        return {name: _plain(getattr(cell, name)) for name in ("value", "low", "high")}
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell
