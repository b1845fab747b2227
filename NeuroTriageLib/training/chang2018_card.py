"""What the model card of a Chang 2018 pack compares it with."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..systems.chang2018_config import PUBLISHED
from .chang2018_recipe import PUBLISHED_TRAINING
from .model_card import Publication


def _named(values: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in values.items())


CHANG_2018 = Publication(
    title="Chang 2018",
    config=PUBLISHED.to_json(),
    recipe=dataclasses.asdict(PUBLISHED_TRAINING),
    data="the 10,159 exams of the paper",
    always_different=(
        "The text at hand does not state the numbers of blocks and channels, the slab's size, anchors, overlaps, "
        "sampling, learning rate and augmentation: ours, after the papers that it cites, each with its source in the "
        "code; what is compared below is our reading of the published network.",
        "Blood in the ventricles has a class of its own that counts for any hemorrhage and for the heatmap and is not "
        "an answered type; the paper has no such type, and does not say what became of such blood. Its volume is in no "
        "typed mask.",
        "Slices are resampled in plane and thin ones averaged to slabs; the paper names no resampling.",
        "Skull and face are removed; the paper does not say so.",
        "A region's mask is trained on all blood of its type in the box, not only on that of one instance, and is cut "
        "from the pyramid's finest map whatever the region's size.",
        "Instances are the connected parts of each slab's blood, joined over up to four pixels; fewer than three "
        "pixels are no instance. The paper's were drawn by hand.",
        "The pyramid's maps are normalised (batch norm) and the heads' units leak below 0; else units died early.",
        "One better box for all types, not one for each.",
        "Gradients are clipped to norm 5; the paper names no clipping.",
        "Exam scores are calibrated (Platt) on validation exams; the paper reports raw confidences.",
    ),
    names={
        "width": "width of the contracting arm",
        "blocks": "bottleneck blocks per level",
        "pyramid_channels": "channels of the expanding arm",
        "bottleneck_ratio": "channels of a bottleneck per channel of its 3x3 convolution",
        "pixel_spacing_mm": "pixel spacing in mm",
        "image_size": "image size in pixels",
        "candidates": "anchors per slab that enter the suppression",
        "proposals": "region proposals per slab",
        "region_samples": "points per bin of a pooled region",
        "hidden": "width of the classifier's layers",
        "mask_size": "bins of the mask branch's regions",
        "mask_layers": "convolutions of the mask branch",
        "detections": "boxes kept per slab",
        "learning_rate": "learning rate",
        "optimizer": "optimizer",
        "weight_decay": "weight decay",
        "schedule": "learning-rate schedule",
        "runs": "runs of neighbouring slabs per step",
        "run_slabs": "slabs of a run",
        "crop": "rows and columns of the training images",
        "balance_types": "types drawn equally often",
        "anchor_overlap": "overlap of negative (below) and positive anchors (from)",
        "anchors_sampled": "anchors per slab that count",
        "hard_share": "share of the negative ones that have the highest scores",
        "regions_sampled": "regions per slab for the classifier",
        "region_positive_share": "largest share of positive ones among them",
        "positive_region_weight": "weight of positive regions in the type loss",
        "masks_sampled": "regions per slab from which masks are learned",
        "jittered": "shaken copies of every true box among them",
        "weights": "weights of the losses",
        "average_decay": "running mean of the weights",
        "minutes": "wall-clock budget in minutes",
        "bfloat16": "bfloat16 convolutions",
    },
    figures={"auc": "exam AUC", "dice": "Dice"},
    shown={"weights": _named},
)
