"""What the model card of a Nael 2021 pack compares it with."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..systems.nael2021_config import PUBLISHED
from .model_card import Publication
from .nael2021_recipe import PUBLISHED_TRAINING


def _stages(stages: list[dict[str, Any]]) -> str:
    return "; ".join(
        f"{stage['code']} {stage['part']} at {stage['learning_rate']:g}, at most {stage['epochs']} epochs"
        + _crops(stage)
        for stage in stages
    )


def _crops(stage: dict[str, Any]) -> str:
    if stage.get("crop_dhw") is None:
        return ""
    return f", {stage['crops']} crops of {' x '.join(map(str, stage['crop_dhw']))} of each study"


def _augmentation(values: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


NAEL_2021 = Publication(
    title="Nael 2021",
    config=PUBLISHED.to_json(),
    recipe=dataclasses.asdict(PUBLISHED_TRAINING),
    data="the 9,845 studies of the paper",
    always_different=(
        "The paper's supplement with depths, widths and kernels was not at hand: those are ours.",
        "The paper states no learning rate, batch size and share of dropout: those are ours.",
        "The localization begins by calling a hundredth of each pixel a finding, as few pixels belong to one.",
        "SWI is an optional contrast beside T2*.",
        "Sagittal images are resampled over the box of axial ADC, not to the grid of sagittal T1, so that both "
        "orientations' features meet at the same places.",
        "All stacks are turned to one set of directions before the networks.",
        "Of each voxel of the networks' grid the share that a contour fills is learned.",
        "The localization of the abnormality network draws whatever is not normal; the text does not say what.",
        "The paper names no normalisation: batches in the localization, groups of channels in the classifier are ours.",
        "Global pooling takes the mean and the maximum; the paper does not say which.",
        "Scores are calibrated (Platt) on validation studies; the operating point has the largest sum of "
        "sensitivity and specificity there.",
        "Gradients are clipped to norm 5; the paper names no clipping.",
    ),
    names={
        "in_plane": "rows and columns of the networks' images",
        "depth": "their slices",
        "scaling": "intensities (brain_median: by the median of the inner head, ADC by its unit)",
        "width": "width of the networks",
        "dropout": "dropout",
        "map_peaks": "the score is also made of the peaks of the localization maps",
        "stages": "stages",
        "optimizer": "optimizer",
        "weight_decay": "weight decay",
        "schedule": "learning-rate schedule",
        "patience_epochs": "epochs without a smaller validation loss before the end",
        "batch_size": "studies per step",
        "positive_share": "share of studies with the finding",
        "keep_optional": "probability that an optional contrast is shown in training",
        "keep_required": "probability that diffusion is shown to the abnormality network in training",
        "positive_weight": "weight of the finding's pixels",
        "lfe_weight": "weight of the localization's loss in the second part (None: it is not trained there)",
        "augmentation": "augmentation",
        "average_decay": "running mean of the weights",
        "minutes": "wall-clock budget in minutes",
        "bfloat16": "bfloat16 convolutions",
    },
    figures={"auc": "study AUC", "dice": "Dice of the localization"},
    shown={"stages": _stages, "augmentation": _augmentation},
)
