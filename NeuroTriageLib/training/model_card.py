"""The text that goes with a model pack: its training, its differences from the paper, its figures."""

from __future__ import annotations

from typing import Any

from ..core.codes import ANY
from ..io.model_packs import PackManifest
from ..systems.kuo2019_config import PUBLISHED, Kuo2019Config
from .kuo2019_recipe import PUBLISHED_TRAINING, TrainingConfig

ALWAYS_DIFFERENT = (
    "Trained on simulated CT made from head label maps, not on the 4,396 scans of the paper.",
    "Five types (IPH, IVH, SDH, EDH, SAH) instead of the paper's four (SDH, EDH, contusion/ICH/TAI, SAH/IVH).",
    "Slices are resampled in plane and thin ones averaged to slabs; the paper takes them as they are.",
    "Skull and face are removed by erosion and regrowth in 3D; the paper thresholds, closes, opens and fills.",
    "Patches are augmented (mirrored, turned, zoomed, brightness, noise, blur); the paper names no augmentation.",
    "Blood that fills fewer than four pixels of a patch does not make it positive; the paper names no minimum.",
    "Gradients are clipped to norm 5; the paper names no clipping.",
    "Exam scores are calibrated (Platt) on simulated validation exams; the paper reports raw scores.",
)

NAMES = {
    "stages": "stages",
    "optimizer": "optimizer",
    "schedule": "learning-rate schedule",
    "batch_size": "patches per step",
    "positive_share": "share of patches from positive images",
    "balance_types": "types drawn equally often",
    "positive_pixel_weight": "weight of positive pixels",
    "weight_decay": "weight decay",
    "whole_share": "share of steps on whole images",
    "average_decay": "running mean of the weights",
    "minutes": "wall-clock budget in minutes",
    "bfloat16": "bfloat16 convolutions",
    "width": "width of the network",
    "pixel_spacing_mm": "pixel spacing in mm",
    "image_size": "image size in pixels",
    "patch_size": "patch size in pixels",
    "patch_sharpness": "sharpness of the patch branch's pooling (0: mean)",
}


def model_card(manifest: PackManifest) -> str:
    """Markdown."""
    lines = [f"# {manifest.name}, version {manifest.version}", "", manifest.intended_use, "", "## Training", ""]
    lines += [f"- {key.replace('_', ' ')}: {value}" for key, value in manifest.training.items() if key != "recipe"]
    lines += ["", "## Differences from Kuo 2019", ""]
    lines += [f"- {text}" for text in (*ALWAYS_DIFFERENT, *_deviations(manifest))]
    lines += ["", "## Validation (simulated exams from label maps 17 and 18)", ""]
    lines += _table(manifest)
    lines += ["", f"Licence of the weights: {manifest.licence}", ""]
    return "\n".join(lines)


def _deviations(manifest: PackManifest) -> list[str]:
    """Settings that are not the published ones."""
    found = []
    published: dict[str, Any] = Kuo2019Config.to_json(PUBLISHED)
    for key, value in manifest.config.items():
        if key in NAMES and value != published[key]:
            found.append(f"{NAMES[key]}: {value} instead of {published[key]}")
    recipe = manifest.training.get("recipe", {})
    for key in TrainingConfig.__dataclass_fields__:
        ours, theirs = recipe.get(key), getattr(PUBLISHED_TRAINING, key)
        if key == "stages":
            if ours is not None and [_stage(stage) for stage in ours] != [_stage(vars(s)) for s in theirs]:
                shown = "; ".join(_stage(stage) for stage in ours)
                found.append(f"stages: {shown} instead of {'; '.join(_stage(vars(s)) for s in theirs)}")
        elif key in NAMES and ours != theirs:
            found.append(f"{NAMES[key]}: {ours} instead of {theirs}")
    return found


def _stage(stage: dict[str, Any]) -> str:
    length = f"{stage['epochs']} epochs or {stage['share']:.0%} of the time"
    return f"{stage['name']} at {stage['learning_rate']:g} for {length}"


def _table(manifest: PackManifest) -> list[str]:
    figures = manifest.metrics.get("validation", {})
    lines = [f"{figures.get('exams', 0)} exams.", ""]
    lines += ["| code | exam AUC | Dice | threshold | sensitivity | specificity |", "|---|---|---|---|---|---|"]
    for code in (ANY, *manifest.codes):
        values = [figures.get(name, {}).get(code) for name in ("auc", "dice")]
        values += [round(manifest.operating_points[code], 4)]
        values += [figures.get(name, {}).get(code) for name in ("sensitivity", "specificity")]
        lines.append(f"| {code} | " + " | ".join("-" if value is None else f"{value}" for value in values) + " |")
    return lines
