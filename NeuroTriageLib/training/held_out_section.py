"""The part of a model card that comes after training: figures on heads that no training saw, and real scans."""

from __future__ import annotations

from typing import Any

HELD_OUT, REAL_SCANS = "held_out", "real_scans"
"""Keys of a manifest's metrics: what Testing/Benchmarks/publish_figures.py measured, plain values."""

COLUMNS = {
    "auc": "exam AUC (95 %)",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "dice": "Dice, missed = 0",
    "dice_found": "Dice where found",
    "volume_r": "volume r",
}


def held_out_section(metrics: dict[str, Any]) -> list[str]:
    """Lines of Markdown; none while nothing was measured."""
    lines: list[str] = []
    if figures := metrics.get(HELD_OUT):
        lines += ["", "## Held-out exams (simulated, not patients)", ""]
        lines += [
            f"{figures['exams']} simulated exams of heads that no training saw ({', '.join(figures['heads'])}), "
            f"{figures['settings']} settings of the simulator, {figures['positive']} with "
            f"{figures.get('positive_of', 'hemorrhage')}.",
            "",
        ]
        lines += ["| finding | " + " | ".join(COLUMNS.values()) + " |", "|---" * (1 + len(COLUMNS)) + "|"]
        lines += [
            f"| {code} | " + " | ".join(_cell(row.get(name)) for name in COLUMNS) + " |"
            for code, row in figures["findings"].items()
        ]
    if scans := metrics.get(REAL_SCANS):
        lines += ["", "## Real scans", "", "Tried on, never trained or tuned on:", ""]
        lines += [
            f"- {scan['scan']}: {scan['answer']} (probability {scan['probability']:.3f}, "
            f"threshold {scan['threshold']:.3f})"
            for scan in scans
        ]
        lines += ["", "No real scan with hemorrhage was at hand: how the model does on patients is not known."]
    return lines


def _cell(value: list[float] | float | None) -> str:
    if value in (None, []):
        return "-"
    if isinstance(value, list):
        return f"{value[0]:.3f} ({value[1]:.3f}-{value[2]:.3f})" if len(value) == 3 else f"{value[0]:.3f}"
    return f"{value:.2f}"
