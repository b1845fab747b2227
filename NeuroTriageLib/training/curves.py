"""What a run leaves to look at: curves.csv, validation.csv and curves.svg."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Rows of a table as CSV, replaced in one step; a column that a row lacks is empty there."""
    if not rows:
        return
    columns = list(dict.fromkeys(key for row in rows for key in row))
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=columns)
        writer.writeheader()
        writer.writerows(rows)
    beside.replace(path)


def draw_curves(losses: Sequence[Mapping[str, Any]], validations: Sequence[Mapping[str, Any]], path: Path) -> bool:
    """Losses, Dice and AUC over the steps as one picture; False when matplotlib (extra "train") is not installed."""
    try:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = figure.subplots(1, 3)
    for name in dict.fromkeys(key for row in losses for key in row if key.endswith("loss")):
        points = [(row["step"], row[name]) for row in losses if name in row]
        panels[0].plot(*zip(*points, strict=True), label=name.replace("_", " "))
    panels[0].set_yscale("log")
    for panel, prefix, title in ((panels[1], "dice_", "Dice, validation"), (panels[2], "auc_", "exam AUC, validation")):
        for key in dict.fromkeys(key for row in validations for key in row if key.startswith(prefix)):
            points = [(row["step"], row[key]) for row in validations if row.get(key) is not None]
            if points:
                panel.plot(*zip(*points, strict=True), marker=".", label=key.removeprefix(prefix))
        panel.set_title(title)
        panel.set_ylim(0, 1.02)
    panels[0].set_title("training loss")
    for panel in panels:
        panel.set_xlabel("step")
        panel.grid(alpha=0.3)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(fontsize=8)
    FigureCanvasSVG(figure)
    figure.savefig(path)
    return True
