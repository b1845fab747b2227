"""ROC curves and Bland-Altman plots as SVG, when matplotlib (extra "train") is installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.codes import CT_HEMORRHAGE_CODES
from . import metrics
from .columns import Columns, answered_groups
from .exam_records import EXTRA_AXIAL, ExamRecord, systems_of
from .operating_points import full_sensitivity, highest_sum, roc_curve
from .published import PUBLISHED_POINTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = ("any", *CT_HEMORRHAGE_CODES, EXTRA_AXIAL)
NO_MATPLOTLIB = "Plots need matplotlib: pip install 'neurotriage[train]'. The tables are complete."
COLUMNS, PANEL_INCHES = 4, 3.2
GAPS = {"wspace": 0.38, "hspace": 0.35}  # fixed: measuring the texts to fit them takes seconds


def can_draw() -> bool:
    """True when matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw_plots(records: Sequence[ExamRecord], folder: Path) -> list[Path]:
    """roc.svg, and bland_altman_SYSTEM.svg of every system with volumes; [] without matplotlib."""
    if not can_draw():
        return []
    paths = []
    if any(_curves(records, group) for group in PANELS):
        paths.append(_save(_roc_figure(records), folder / "roc.svg"))
    for system in systems_of(records):
        pairs = {group: _volumes(records, system, group) for group in PANELS}
        if any(len(truth) for truth, _ in pairs.values()):
            paths.append(_save(_bland_altman_figure(system, pairs), folder / f"bland_altman_{system}.svg"))
    return paths


def _roc_figure(records: Sequence[ExamRecord]) -> Figure:
    figure, panels = _panels(len(PANELS), "ROC, exam level (x: two operating points; markers: the papers, on patients)")
    for panel, group in zip(panels, PANELS, strict=False):
        panel.plot([0, 1], [0, 1], color="0.8", linewidth=0.8)
        for system, (curve, area) in _curves(records, group).items():
            (line,) = panel.plot(1 - curve.specificity, curve.sensitivity, label=f"{system} {area:.3f}")
            for point in (highest_sum(curve), full_sensitivity(curve)):
                panel.plot(1 - point.specificity, point.sensitivity, "x", color=line.get_color())
        if group == "any":
            for published, marker in zip(PUBLISHED_POINTS, "so^", strict=True):
                x, y = 1 - published.specificity, published.sensitivity
                panel.plot(x, y, marker, color="0.4", markersize=4, label=published.paper)
        panel.set(title=group, xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.02, 1), ylim=(0, 1.02))
        _legend(panel)
    return figure


def _curves(records: Sequence[ExamRecord], group: str) -> dict[str, Any]:
    """System -> its ROC curve and AUC, of those that have one."""
    curves = {}
    for system in systems_of(records):
        c = Columns.of(records, system, group)
        curve = roc_curve(c.probability, c.present) if len(c) else None
        if curve is not None:
            curves[system] = (curve, metrics.auc(c.probability, c.present))
    return curves


def _volumes(records: Sequence[ExamRecord], system: str, group: str) -> tuple[np.ndarray, np.ndarray]:
    """True and measured mL of the exams in which the finding is truly present."""
    if not answered_groups(records, system, (group,)):
        return np.zeros(0), np.zeros(0)
    c = Columns.of(records, system, group)
    used = c.present & ~np.isnan(c.predicted_ml) & ~np.isnan(c.truth_ml)
    return c.truth_ml[used], c.predicted_ml[used]


def _bland_altman_figure(system: str, pairs: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Measured - true against their mean (Bland and Altman 1986), bias and limits of agreement as lines."""
    shown = {group: pair for group, pair in pairs.items() if len(pair[0])}
    figure, panels = _panels(len(shown), f"Volumes of {system}: measured - true against their mean (Bland-Altman)")
    for panel, (group, (truth, measured)) in zip(panels, shown.items(), strict=False):
        panel.plot((truth + measured) / 2, measured - truth, ".", markersize=4)
        bias, limits = metrics.bias(measured, truth), metrics.limits_of_agreement(measured, truth)
        panel.axhline(bias, color="0.3", linewidth=1)
        for limit in limits:
            if not np.isnan(limit):
                panel.axhline(limit, color="0.3", linewidth=0.8, linestyle="--")
        panel.set(title=f"{group}: bias {bias:.2f} mL, n = {len(truth)}", xlabel="mean, mL", ylabel="difference, mL")
    return figure


def _panels(count: int, title: str) -> tuple[Figure, list[Any]]:
    from matplotlib.figure import Figure

    rows = -(-count // COLUMNS)
    figure = Figure(figsize=(COLUMNS * PANEL_INCHES, rows * PANEL_INCHES + 0.4))
    figure.subplots_adjust(left=0.05, right=0.99, bottom=0.45 / rows / PANEL_INCHES * 1.1, top=0.88, **GAPS)
    figure.suptitle(title, fontsize=10)
    panels = [figure.add_subplot(rows, COLUMNS, number + 1) for number in range(count)]
    for panel in panels:
        panel.grid(alpha=0.3)
        panel.tick_params(labelsize=7)
    return figure, panels


def _legend(panel: Any) -> None:
    if panel.get_legend_handles_labels()[0]:
        panel.legend(fontsize=6, loc="lower right")


def _save(figure: Figure, path: Path) -> Path:
    """Write the SVG so that the same figures give the same file."""
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "neurotriage", "font.size": 8}):
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    return path
