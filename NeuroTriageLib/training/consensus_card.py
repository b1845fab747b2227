"""The text that goes with the consensus's model pack: its members, how they are weighed, its figures beside theirs."""

from __future__ import annotations

from typing import Any

from ..core.codes import ANY
from ..io.model_packs import PackManifest
from .held_out_section import held_out_section

NOTES = (
    "Weights: logistic regression of the truth on the members' log odds, never negative, pulled towards the plain "
    "average; then calibration (Platt) and the threshold with the largest sensitivity + specificity, as in every pack.",
    "The members chose their best weights and calibrated themselves on the same validation exams, so these figures "
    "flatter the consensus a little; those that count are measured on exams of other heads (docs/).",
    "An answer for subdural or epidural hemorrhage together informs both, and is no opinion on either alone.",
    "Mask: where the weighted mean of the members' probability maps reaches the threshold; its types are voted.",
    "Familiarity: a Mahalanobis distance of plain figures of the images (densities, noise, size, bone, fat) from "
    "training exams; the limit is a quarter above the 99.5 % quantile of the validation exams. It looks at the images "
    "and not into the networks: an exam that looks usual may still be one that they cannot read.",
)


def consensus_card(manifest: PackManifest) -> str:
    """Markdown."""
    config, figures = manifest.config, manifest.metrics["validation"]
    systems = [member["system"] for member in config["members"]]
    lines = [f"# {manifest.name}, version {manifest.version}", "", manifest.intended_use, "", "## Members", ""]
    lines += [f"- {m['system']}: {m['pack']} (weights SHA-256 {m['sha256'][:12]}...)" for m in config["members"]]
    lines += ["", "## How they are weighed", "", "| code | " + " | ".join(systems) + " |"]
    lines += ["|---" * (1 + len(systems)) + "|"]
    for code in (ANY, *manifest.codes):
        lines.append(f"| {code} | " + " | ".join(_cell(config["weights"][code].get(s), 2) for s in systems) + " |")
    lines.append("| mask | " + " | ".join(_cell(config["mask_weights"].get(s), 2) for s in systems) + " |")
    lines += ["", f"Mask from a mean probability of {config['pixel_threshold']:.2f}; "]
    lines[-1] += f"familiar up to a distance of {config['familiarity_threshold']:.2f}."
    lines += ["", *(f"- {note}" for note in NOTES), "", "## Validation (simulated exams from label maps 17 and 18)", ""]
    lines += _table(manifest, figures, systems)
    dice = figures["dice"]
    lines += ["", f"Dice of the whole mask on exams with blood: {dice}." if dice is not None else "No masks."]
    lines += [*held_out_section(manifest.metrics), ""]
    lines += [f"Licence: {manifest.licence}", ""]
    return "\n".join(lines)


def _table(manifest: PackManifest, figures: dict[str, Any], systems: list[str]) -> list[str]:
    columns = ["AUC", *(f"AUC of {system}" for system in systems), "threshold", "sensitivity", "specificity"]
    lines = [f"{figures['exams']} exams.", "", "| code | " + " | ".join(columns) + " |"]
    lines += ["|---" * (1 + len(columns)) + "|"]
    for code in (ANY, *manifest.codes):
        values = [figures["auc"][code], *(figures["auc_of_members"][system].get(code) for system in systems)]
        values += [manifest.operating_points[code], figures["sensitivity"][code], figures["specificity"][code]]
        lines.append(f"| {code} | " + " | ".join(_cell(value, 3) for value in values) + " |")
    return lines


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
