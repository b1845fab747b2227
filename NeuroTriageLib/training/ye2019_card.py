"""What the model card of a Ye 2019 pack compares it with."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..systems.ye2019_config import PUBLISHED
from .model_card import Publication
from .ye2019_recipe import PUBLISHED_TRAINING


def _stages(stages: list[dict[str, Any]]) -> str:
    return "; ".join(f"{stage['name']} at {stage['learning_rate']:g} ({stage['share']:.0%})" for stage in stages)


def _augmentation(values: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


YE_2019 = Publication(
    title="Ye 2019",
    config=PUBLISHED.to_json(),
    recipe=dataclasses.asdict(PUBLISHED_TRAINING),
    data="the 2,836 scans of the paper",
    always_different=(
        "The convolutions start from random weights (He 2015), not from ImageNet's.",
        "A type's score is the probability of bleeding times that of the type given bleeding; the paper reports the "
        "five-type network's own output.",
        "Exam scores are calibrated (Platt) on validation exams, and compared with the threshold of the "
        "largest sensitivity + specificity; the paper compares raw scores with 0.5.",
        "Gradients are clipped to norm 5; the paper names no clipping.",
        "The heatmap's highest value on each slice is the slice's score, so that slices without bleeding are dark; the "
        "paper's sum to 1.",
        "CPH (cerebral parenchymal hemorrhage) is called IPH.",
    ),
    names={
        "width": "width of the networks",
        "batch_norm": "batch normalisation",
        "shared_cnn": "both networks share their convolutions",
        "pooling": "how the last maps reach the fully connected layer (global: the maximum of each map)",
        "pixel_spacing_mm": "pixel spacing in mm",
        "image_size": "image size in pixels",
        "slab_mm": "thin slices are averaged up to this thickness in mm",
        "field": "what the networks see (brain: skull and face cut away but for a margin)",
        "margin_mm": "margin around the brain in mm",
        "gate": "two-type score from which on the types are asked",
        "stages": "stages (slices: the convolutions first learn to mark 14 mm cells with blood on single slabs)",
        "optimizer": "optimizer",
        "weight_decay": "weight decay",
        "schedule": "learning-rate schedule",
        "patience_epochs": "epochs without progress before the end",
        "loss_weights": "weights of slice and subject loss",
        "positive_share": "share of bleeding exams, types equally often",
        "minimum_pixels": "blood pixels that make a slab positive",
        "augmentation": "augmentation",
        "average_decay": "running mean of the weights",
        "minutes": "wall-clock budget in minutes",
        "bfloat16": "bfloat16 convolutions",
    },
    figures={"auc": "exam AUC", "slice_auc": "slice AUC"},
    shown={"stages": _stages, "augmentation": _augmentation},
)
