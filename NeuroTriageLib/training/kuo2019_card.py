"""What the model card of a Kuo 2019 pack compares it with."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..systems.kuo2019_config import PUBLISHED
from .kuo2019_recipe import PUBLISHED_TRAINING
from .model_card import Publication


def _stages(stages: list[dict[str, Any]]) -> str:
    return "; ".join(
        f"{stage['name']} at {stage['learning_rate']:g} for {stage['epochs']} epochs or "
        f"{stage['share']:.0%} of the time"
        for stage in stages
    )


KUO_2019 = Publication(
    title="Kuo 2019",
    config=PUBLISHED.to_json(),
    recipe=dataclasses.asdict(PUBLISHED_TRAINING),
    data="the 4,396 scans of the paper",
    always_different=(
        "Five types (IPH, IVH, SDH, EDH, SAH) instead of the paper's four (SDH, EDH, contusion/ICH/TAI, SAH/IVH).",
        "Slices are resampled in plane and thin ones averaged to slabs; the paper takes them as they are.",
        "Skull and face are removed by erosion and regrowth in 3D; the paper thresholds, closes, opens and fills.",
        "Patches are augmented (mirrored, turned, zoomed, brightness, noise, blur); the paper names no augmentation.",
        "Blood that fills fewer than four pixels of a patch does not make it positive; the paper names no minimum.",
        "Gradients are clipped to norm 5; the paper names no clipping.",
        "Exam scores are calibrated (Platt) on validation exams; the paper reports raw scores.",
    ),
    names={
        "stages": "stages",
        "optimizer": "optimizer",
        "schedule": "learning-rate schedule",
        "batch_size": "patches per step",
        "positive_share": "share of patches from positive images",
        "balance_types": "types drawn equally often",
        "positive_pixel_weight": "weight of positive pixels",
        "weight_decay": "weight decay",
        "patch_windows": "smaller windows that the patch loss scores too, in pixels",
        "whole_share": "share of steps on whole images",
        "whole_size": "rows and columns of those",
        "candidates": "images of which the hardest is taken",
        "fit_pixel_threshold": "pixel threshold fitted on the validation exams",
        "average_decay": "running mean of the weights",
        "minutes": "wall-clock budget in minutes",
        "bfloat16": "bfloat16 convolutions",
        "width": "width of the network",
        "pixel_spacing_mm": "pixel spacing in mm",
        "image_size": "image size in pixels",
        "patch_size": "patch size in pixels",
        "pixel_threshold": "probability from which a pixel is called",
        "patch_sharpness": "sharpness of the patch branch's pooling (0: mean)",
    },
    figures={"auc": "exam AUC", "dice": "Dice"},
    shown={"stages": _stages},
)
